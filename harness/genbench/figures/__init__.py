"""Pictures of stored trials, one file per kind. Reads trials and never writes to them; only here is matplotlib."""
