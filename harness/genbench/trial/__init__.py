"""What a trial is and how one is performed: identity, seeds, state, stages. Knows no engine and no table."""
