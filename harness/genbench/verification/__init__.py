"""Can a number be trusted? Scores, samples and trainings done again in scratch folders, and tables held to trials."""
