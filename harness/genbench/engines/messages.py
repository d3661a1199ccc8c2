"""What driver and worker say to each other: one JSON object a line."""

from __future__ import annotations

import json
from typing import Any

GRACE = 10.0
"""Seconds that a worker has to save what is under way before it is killed."""

GPU_LOST = 75
"""Exit code of a worker whose GPU an earlier error made unusable for its process: a new one can go on."""

Line = dict[str, Any]


def encode(message: Line) -> bytes:
    """Return a message as a line. NaN is written as JSON's readers in Python know it."""
    return json.dumps(message).encode() + b"\n"


def decode(line: bytes) -> Line:
    """Return the message of a line."""
    message: Line = json.loads(line)
    return message
