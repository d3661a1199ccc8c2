"""Tuning on validation images: configurations drawn, performed as ordinary trials, and what they come to together."""
