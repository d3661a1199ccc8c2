"""Engines beyond one machine: each places trials on the nodes of a cluster, and hosts worker processes there."""
