"""The names of files in a trial's folder, and which of them may be let go."""

from typing import Literal

RECORD = "trial.json"
MODEL = "model.safetensors"
LOG = "log.jsonl"
VERIFICATION = "verification.json"
"""What `genbench verify` found of a trial: beside its record, and no part of it."""

SHARD = ".safetensors"
"""What files of samples and of values per image end in; the log of chains lies beside the samples."""

Keep = Literal["all", "samples", "none"]
"""What stays on the disk of a trial that has its scores: all, all but weights, or neither weights nor samples."""

KEEPS: tuple[Keep, ...] = ("all", "samples", "none")

BULK = {"samples": "samples", "fit": "weights"}
"""Stages with files that may be let go, and what these are called."""
