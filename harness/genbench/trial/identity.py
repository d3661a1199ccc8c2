"""What a trial is, and what makes two trials the same: model with options, dataset, seed, budget, selection rule."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from genbench import files
from genbench.errors import RequestError, printable
from genbench.registry import spec
from genbench.registry.resolve import Resolved
from genbench.store.layout import Keep

Target = Literal["test", "valid"]
"""The split that scores are computed against; valid is for tuning, so that test is not looked at."""

LAST, BEST_VALID = "last", "best-valid"
"""Which state of a training is kept: the one at its end, or the best by the validation images."""

EVERY = 10
"""Epochs between two looks at the validation images, unless others are asked for."""

IDENTITY = 1
"""Raised only when the meaning of an id changes: every stored trial would be trained again."""


@dataclass(frozen=True)
class Budget:
    """How long training may go on: at most this many steps, or this many seconds. None is no bound."""

    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Return the budget of a text like 5000steps or 60s."""
        match = re.fullmatch(r"([1-9][0-9]{0,11})\s*(steps|s)", text.strip())
        if match is None:
            raise RequestError(f"--budget {printable(text)!r}: expected steps or seconds, as in 5000steps or 60s")
        return cls(steps=int(match[1])) if match[2] == "steps" else cls(seconds=float(match[1]))

    @property
    def bounds(self) -> bool:
        """Return whether there is any bound."""
        return self.steps is not None or self.seconds is not None

    def to_json(self) -> dict[str, float]:
        """Return the bounds there are."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}

    def __str__(self) -> str:
        return f"{self.steps:,} steps" if self.steps is not None else f"{self.seconds:g} s"


NO_BUDGET = Budget()


def parse_selection(text: str) -> str:
    """Return a selection rule in its one form: "last", or "best-valid:10". Raises RequestError for another."""
    match = re.fullmatch(rf"{LAST}|{BEST_VALID}(?::([1-9][0-9]{{0,5}}))?", text.strip())
    if match is None:
        raise RequestError(
            f"--select {printable(text)!r}: expected {LAST}, {BEST_VALID}, or {BEST_VALID}:25 for every 25 epochs"
        )
    return LAST if match[0] == LAST else f"{BEST_VALID}:{match[1] or EVERY}"


@dataclass(frozen=True)
class TrialSpec:
    """A model to be trained on a dataset with a seed. Its id is the same wherever and however it is run."""

    model: Resolved
    dataset: Resolved
    dataset_digest: str
    seed: int
    budget: Budget = NO_BUDGET
    select: str = LAST

    @property
    def identity(self) -> dict[str, Any]:
        """Return what the id is a hash of. The dataset counts by its content, not by its name."""
        return {
            "identity": IDENTITY,
            "model": self.model.identity,
            "dataset": self.dataset_digest,
            "seed": self.seed,
            "budget": self.budget.to_json(),
            "select": self.select,
        }

    @property
    def id(self) -> str:
        """Return the first 12 hex digits of the identity's hash."""
        return files.digest(self.identity, 12)

    @property
    def folder_name(self) -> str:
        """Return the readable part of the folder's name."""
        return f"{_slug(spec.short(self.model.shown))}-{_slug(self.dataset.name)}-s{self.seed}"

    def __str__(self) -> str:
        return f"{self.model.label} on {self.dataset.label}, seed {self.seed}"


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:40]


@dataclass(frozen=True)
class Assignment:
    """All a worker needs to perform a trial: plain data, which travels as canonical JSON.

    folder is the name of the trial's folder in the results, "" for the one that has the trial, or a new one; fresh the
    mark of the run that asks to train it anew, whatever is stored from other runs, "" to take what there is; with
    fresh_scores, what is trained is scored anew; keep is what stays on the disk once it has its scores. With
    only_scores, what is stored is scored, and nothing trained or drawn: a score that asks for more has that as its
    problem. commit is that of the repository in which the run was started, as `git_commit.of` marks it: it is recorded.
    """

    trial: TrialSpec
    metrics: tuple[Resolved, ...]
    results: str
    target: Target = "test"
    resized: str = ""
    folder: str = ""
    device: str = "cpu"
    threads: int = 1
    checkpoint_every: float = 10.0
    fresh: str = ""
    fresh_scores: bool = False
    keep: Keep = "all"
    only_scores: bool = False
    commit: str = ""

    def to_json(self) -> str:
        """Return the assignment as canonical JSON."""
        return files.canonical(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Assignment:
        """Return the assignment of canonical JSON."""
        read = json.loads(text)
        trial = read.pop("trial")
        model, dataset = Resolved(**trial.pop("model")), Resolved(**trial.pop("dataset"))
        spec = TrialSpec(model=model, dataset=dataset, budget=Budget(**trial.pop("budget")), **trial)
        return cls(trial=spec, metrics=tuple(Resolved(**metric) for metric in read.pop("metrics")), **read)
