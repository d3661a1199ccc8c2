"""Models, one to a file."""
