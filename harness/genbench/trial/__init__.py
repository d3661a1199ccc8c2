"""What a trial is and how one is performed: identity, seeds, state, training, evaluation. Knows no engine and no table."""
