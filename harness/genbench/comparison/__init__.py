"""Two models, or two results folders, held against each other: differences, and how sure they are."""
