"""What `genbench report` writes: one page of results, a single file that opens anywhere."""
