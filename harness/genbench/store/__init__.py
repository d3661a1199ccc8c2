"""The folder of trials: records, atomic commits, locks. Knows neither torch nor how a trial is performed."""
