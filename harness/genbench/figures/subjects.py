"""The stored trials that a request asks to draw: a model's, one trial, or a whole results folder's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from genbench import files
from genbench.errors import GenbenchError, RequestError, did_you_mean, printable
from genbench.ranking.filters import called
from genbench.ranking.readable import readable
from genbench.registry import file_options, spec
from genbench.store.records import TrialRecord
from genbench.store.store import Store
from genbench.store.trial_folder import TrialFolder

LEAST_PREFIX = 4
"""How many digits of a trial's id must be given at least."""


@dataclass(frozen=True)
class Stored:
    """A trial's folder and what its record says, safe to show."""

    folder: TrialFolder
    record: TrialRecord

    @property
    def model(self) -> str:
        """Return the model's label, as tables show it."""
        return file_options.shown(self.record.model)

    @property
    def dataset(self) -> str:
        """Return the dataset's label."""
        label: str = self.record.dataset["label"]
        return label

    @property
    def is_trained(self) -> bool:
        """Return whether its model is stored."""
        return "fit" in self.record.stages

    @property
    def stem(self) -> str:
        """Return its folder's name without the id."""
        return self.folder.path.name.rpartition("-")[0] or "trial"

    def __str__(self) -> str:
        return f"{self.model} on {self.dataset}, seed {self.record.seed}"


@dataclass(frozen=True)
class Subject:
    """A model trained on a dataset, with one seed or several: pictures are drawn of the first, curves of all."""

    trials: Sequence[Stored]
    stem: str

    @property
    def first(self) -> Stored:
        """Return the trial with the least seed."""
        return self.trials[0]

    def __str__(self) -> str:
        if len(self.trials) == 1:
            return str(self.first)
        return f"{self.first.model} on {self.first.dataset}, seeds {', '.join(str(t.record.seed) for t in self.trials)}"


@dataclass(frozen=True)
class Found:
    """What a request asks to draw, in which results folder, what has no trained model, and what could not be read."""

    root: Path
    subjects: Sequence[Subject]
    untrained: Sequence[Stored]
    damaged: Sequence[str]


def find(requested: str, results: Path, datasets: Sequence[str] = ()) -> Found:
    """Return the trials that a text asks for: a model's label, a trial's id or folder, a results folder, "" for all.

    Raises RequestError where none is meant, StoreError where there are no results.
    """
    root, name = _place(requested, results)
    store = Store(root)
    store.check_readable()
    stored, damaged = _read(store)
    if not stored and damaged:
        raise RequestError(f"nothing in {printable(root)} can be read: {damaged[0]}")
    matching = _on(datasets, _chosen(name, stored, root))
    if not matching:
        there = ", ".join(sorted({trial.dataset for trial in stored}))
        raise RequestError(f"no trial on {printable(', '.join(datasets))!r}; expected some of: {printable(there)}")
    stems = Counter(trial.stem for trial in stored)
    trained = [trial for trial in matching if trial.is_trained]
    return Found(root, _grouped(trained, stems), [trial for trial in matching if not trial.is_trained], damaged)


def _place(requested: str, results: Path) -> tuple[Path, str]:
    """Return the results folder that a request is about, and what of it is asked for: "" is everything."""
    path = Path(requested)
    if requested and (record := TrialFolder(path).record()):
        return path.absolute().parents[1], record.id
    if requested and (path / "trials").is_dir():
        return path, ""
    return results, requested


def _read(store: Store) -> tuple[list[Stored], list[str]]:
    """Return the trials of a store, and what is wrong with those that cannot be read."""
    stored, damaged = [], []
    for folder, record in store.all():
        try:
            if isinstance(record, GenbenchError):
                raise record
            stored.append(Stored(folder, readable(record)))
        except GenbenchError as error:
            damaged.append(printable(error))
    return stored, damaged


def _chosen(name: str, stored: Sequence[Stored], root: Path) -> list[Stored]:
    """Return the trials of a name: a label, else a plugin's name with any options, else a trial's folder or id."""
    if not name:
        return list(stored)
    found = called(name, stored, lambda trial: trial.model)
    found = found or called(name, stored, lambda trial: trial.record.model["label"])
    found = found or [trial for trial in stored if trial.folder.path.name == name]
    if found:
        return found
    found = [trial for trial in stored if len(name) >= LEAST_PREFIX and trial.record.id.startswith(name)]
    if len(found) > 1:
        several = ", ".join(f"{trial.record.id} ({trial})" for trial in found)
        raise RequestError(f"several trials begin with {printable(name)!r}: {printable(several)}; give more digits")
    if not found:
        labels = sorted({trial.model for trial in stored})
        near = did_you_mean(name, {*labels, *map(spec.plain, labels)})
        raise RequestError(
            f"no model or trial {printable(name)!r} in {printable(root)}.{near} Expected a "
            f"trial's id or folder, a results folder, or one of: {printable(', '.join(labels))}"
        )
    return found


def _on(datasets: Sequence[str], trials: Sequence[Stored]) -> list[Stored]:
    """Return the trials on one of these datasets, or all where none is given."""
    if not datasets:
        return list(trials)
    found = [trial for name in datasets for trial in called(name, trials, lambda trial: trial.dataset)]
    return list({id(trial): trial for trial in found}.values())


def _grouped(trials: Iterable[Stored], stems: Counter[str]) -> list[Subject]:
    """Return the trials that differ in their seed alone together. A name that several trials have gets the id too."""
    groups: dict[str, list[Stored]] = {}
    for trial in sorted(trials, key=lambda trial: trial.record.seed):
        groups.setdefault(files.digest({**trial.record.identity, "seed": None}), []).append(trial)
    subjects = []
    for group in sorted(groups.values(), key=lambda group: (group[0].stem, group[0].record.id)):
        first = group[0]
        stem = first.stem if stems[first.stem] == 1 else f"{first.stem}-{first.record.id}"
        subjects.append(Subject(group, stem))
    return subjects
