"""The trials behind the rows of a report: their folders, in several results folders, found by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from genbench.data.folders import cache_folder
from genbench.errors import RequestError, StoreError
from genbench.figures.arrangement import Layout
from genbench.figures.subjects import Found, Stored, Subject, find
from genbench.figures.trained import Trained
from genbench.ranking.board import BoardRow
from genbench.ranking.scores import ScoreRow
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.store import verifications
from genbench.store.store import Store
from genbench.store.verifications import Mark


class StoredTrials:
    """What results folders hold of the trials that boards are made of."""

    def __init__(self, folders: Sequence[Path]) -> None:
        found = [each for each in map(_find, folders) if each]
        self._marks = {key: mark for folder in folders for key, mark in verifications.of_store(Store(folder)).items()}
        self._resolver = Resolver(load_registry(), cache_folder())
        self._subjects: Mapping[str, Subject] = {
            trial.record.id: subject for each in found for subject in each.subjects for trial in subject.trials
        }

    def mark(self, score: ScoreRow) -> Mark | None:
        """Return what `genbench verify` found of a score, None where it was not verified as it is."""
        return self._marks.get((score.trial.id, score.protocol_id))

    def of(self, row: BoardRow) -> dict[int, Stored]:
        """Return the trials of a row that have a model, by seed; of folds the first dataset's."""
        found: dict[int, Stored] = {}
        for score in row.scores:
            subject = self._subjects.get(score.trial.id)
            for trial in subject.trials if subject else ():
                if trial.record.id == score.trial.id:
                    found.setdefault(score.trial.seed, trial)
        return found

    def trained(self, row: BoardRow) -> Trained | None:
        """Return the first trial of a row ready to be drawn, on the CPU, with all seeds' logs; None without any."""
        for score in row.scores:
            if subject := self._subjects.get(score.trial.id):
                return Trained(subject, self._resolver, torch.device("cpu"), typed=(), layout=Layout(titles=False))
        return None


def _find(folder: Path) -> Found | None:
    """Return the trials of a folder, None where nothing in it can be read: the boards' reading has said so."""
    try:
        return find("", folder)
    except (StoreError, RequestError):
        return None
