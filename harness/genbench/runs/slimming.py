"""A copy of results without weights and samples, from which the same tables come."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

from genbench import files
from genbench.errors import RequestError, StoreError, printable
from genbench.runs import stored
from genbench.store import verifications
from genbench.store.layout import RECORD
from genbench.store.records import TrialRecord
from genbench.store.store import Store
from genbench.store.trial_folder import TrialFolder


@dataclass(frozen=True)
class Slimmed:
    """What was copied: how many trials, and the bytes left out."""

    trials: int
    bytes_left_out: int


def slim(results: Path, copy: Path) -> Slimmed:
    """Write a copy of results without weights and samples: records, scores, logs and tables.

    It appears under its name whole or not at all. Raises RequestError where the copy would lie in the results or over
    something, StoreError where there are no results, or damaged ones.
    """
    _check_place(results, copy)
    store = Store(results)
    store.check_readable()
    contents = store.read()
    for problem in contents.problems:
        raise StoreError(f"{problem.error}. No copy was made: genbench run does it again, or move it out of the trials")
    found = [one for copies in contents.trials.values() for one in copies]
    try:
        files.make_folder(copy.absolute().parent)
        with files.aside_folder(copy.absolute()) as aside:
            left_out = sum(_copied(folder, record, aside / "trials" / folder.path.name) for folder, record in found)
            for name, text in stored.tables(Store(aside)).items():
                files.write_text(aside / name, text)
            aside.rename(copy.absolute())
            files.sync_folder(copy.absolute().parent)
    except OSError as error:
        raise StoreError(f"cannot write {printable(copy)}: {error.strerror or error}") from error
    return Slimmed(len(contents.trials), left_out)


def _check_place(results: Path, copy: Path) -> None:
    """Raise RequestError where a copy would lie in the results, or over something that is there."""
    if copy.is_symlink() or (os.path.lexists(copy) and not copy.is_dir()):
        raise RequestError(f"-o {printable(copy)}: something else is there; expected a new folder")
    if copy.is_dir() and any(copy.iterdir()):
        raise RequestError(f"-o {printable(copy)}: the folder is not empty; expected a new one")
    if copy.resolve().is_relative_to(results.resolve()):
        raise RequestError(f"-o {printable(copy)}: it lies in {printable(results)}; expected a folder outside")


def _copied(folder: TrialFolder, record: TrialRecord, place: Path) -> int:
    """Copy a trial without its bulk; return how many bytes were left out. Raises StoreError where it is damaged."""
    bulk = record.bulk("none")
    stamps = {name: (stage, stamp) for stage, kept in record.stages.items() for name, stamp in kept.files.items()}
    for name, (stage, _) in stamps.items():
        if name not in bulk:
            content = folder.content(record, stage, name)
            with files.replacing(place / name, sync=False) as aside:
                aside.write_bytes(content)
    slim = dataclasses.replace(record, dropped=tuple(sorted(bulk)))
    files.write_record(place / RECORD, slim.to_json())
    verifications.copy(folder, TrialFolder(place), record)
    return sum(stamps[name][1]["size"] for name in bulk if name not in record.dropped)
