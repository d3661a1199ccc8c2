"""Where trials run, and in what order. Knows no model and no table."""
