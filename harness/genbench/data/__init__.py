"""Datasets prepared once: digested, memory-mapped, shared. Knows no model and no metric."""
