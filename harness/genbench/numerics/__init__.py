"""Pure functions on tensors: distances and densities. Knows no plugin, file or trial."""
