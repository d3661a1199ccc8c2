"""From what is asked for to what is stored and ranked: settings, grid, plan, and the calls that perform it."""
