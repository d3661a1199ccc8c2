"""Datasets prepared once: digested, shared, hashed at each use. Knows no model and no metric."""
