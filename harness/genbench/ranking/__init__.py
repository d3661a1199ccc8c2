"""From stored scores to ranked rows: protocols, statistics, claims, data frames. Prints nothing."""
