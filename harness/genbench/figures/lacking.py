"""Why a figure cannot be drawn, where nothing is wrong."""

from __future__ import annotations


class Lacking(Exception):
    """A figure cannot be drawn of this trial, and nothing is wrong with that; the message says what it lacks."""
