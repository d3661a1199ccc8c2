"""Tables, progress and exported formats. Decides nothing about ranks."""
