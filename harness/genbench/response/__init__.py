"""How a metric responds to known damage of real images. Knows tables and pictures of that, and nothing of trials."""
