"""How great the numbers in records may be."""

MOST = 10**18
"""No number that is counted in a record is so great."""

GREATEST = 1e100
"""No score, time or size in a record is so great: means and variances of such numbers would overflow."""
