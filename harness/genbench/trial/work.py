"""A trial under way in its folder: what its stages share, and what they keep there when they end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import Any

import torch

from genbench import files
from genbench.data.cache import Prepared
from genbench.errors import Interrupted
from genbench.registry.plugins import BUILTIN
from genbench.store.records import TrialRecord
from genbench.store.sealed import SealedFolder
from genbench.store.trial_folder import TrialFolder, Writer
from genbench.trial import environment
from genbench.trial.identity import Assignment, TrialSpec
from genbench.trial.protocol import Protocol, is_scored
from genbench.trial.training import ProgressCallback, Stop


@dataclass
class TrialWork:
    """One trial under way. Each stage is committed to the folder when it ends: a kill loses only the one in hand."""

    assignment: Assignment
    folder: TrialFolder
    record: TrialRecord
    data: Prepared
    device: torch.device
    report_progress: ProgressCallback
    stop: Stop

    @property
    def trial(self) -> TrialSpec:
        """Return what is trained, on what, and from which seed."""
        return self.assignment.trial

    @cached_property
    def checkpoints(self) -> SealedFolder:
        """Return where what is unfinished is kept, for a process that goes on with the same work."""
        key = work_key(self.assignment, self.device)
        fresh = self.assignment.fresh
        return self.folder.checkpoints(f"{key}-{fresh}" if fresh else key, fresh=bool(fresh))

    def leave_if_stopping(self) -> None:
        """Raise Interrupted where the run is to stop."""
        if self.stop():
            raise Interrupted("stopped between two stages")

    # Protocols

    def protocols(self) -> list[Protocol]:
        """Return the protocols that the trial is to be scored under."""
        given, data, budget = self.assignment, self.trial.dataset_digest, self.trial.budget
        return [Protocol(metric, data, given.target, budget, given.resized) for metric in given.metrics]

    def is_scored(self, protocol: Protocol) -> bool:
        """Return whether the record has a score under a protocol that is still valid."""
        return is_scored(self.record, protocol)

    def problem(self, protocol: Protocol) -> str:
        """Return what came in the way of a score, or ""."""
        return str(self.record.wanted[protocol.stage]["problem"])

    def untried(self) -> bool:
        """Return whether some protocols have neither a score nor a recorded problem."""
        return any(not self.is_scored(protocol) and not self.problem(protocol) for protocol in self.protocols())

    # The record

    def note(self, protocol: Protocol, problem: str = "", skipped: str = "") -> None:
        """Keep in the record that a protocol was asked for, and what came in the way."""
        request = {
            "metric": dataclasses.asdict(protocol.metric),
            "id": protocol.id,
            "words": protocol.in_words(),
            "target": protocol.target,
            "problem": problem,
            "skipped": skipped,
        }
        self.record = dataclasses.replace(self.record, wanted={**self.record.wanted, protocol.stage: request})

    def commit(self, stage: str, writers: Mapping[str, Writer], seconds: float, **kept: Mapping[str, Any]) -> None:
        """Write a stage's files and list them in the record, as `TrialFolder.commit` does."""
        self.record = self.folder.commit(self.record, stage, writers, seconds, **kept)


def work_key(assignment: Assignment, device: torch.device) -> str:
    """Return the digest of what a work must share with an interrupted one to go on where that was kept.

    With other code, on another device or with other threads it would come to other bits: it is begun anew.
    """
    now = environment.describe(device, assignment.threads, metadata.version(BUILTIN))
    place = [now[name] for name in ("device", "device_name", "threads", "torch", "genbench")]
    return files.digest([assignment.trial.id, assignment.trial.model.code, place], 16)
