"""What somebody does to stored trials who knows how they are written: every checksum is right again afterwards."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genbench import files

Record = dict[str, Any]


def record_of(trial: Path) -> Record:
    content: Record = json.loads((trial / "trial.json").read_text())
    content.pop("sha256")
    return content


def reseal(trial: Path, record: Record) -> None:
    files.write_record(trial / "trial.json", record)


def edit(trial: Path, change: Callable[[Record], object]) -> None:
    """Change a record; its id is that of its identity again, and so is its checksum."""
    record = record_of(trial)
    change(record)
    reseal(trial, {**record, "id": files.digest(record["identity"], 12)})


def restamp(trial: Path) -> None:
    """List every file as it is now; scores name the model and the samples that lie there."""
    record = record_of(trial)
    for stage in record["stages"].values():
        there = [name for name in stage["files"] if (trial / name).is_file()]
        stage["files"] |= {name: files.stamp(trial / name) for name in there}
    shards = record["stages"]["samples"]["files"]
    digests = {
        "model": record["stages"]["fit"]["files"]["model.safetensors"]["sha256"],
        "samples": ",".join(shards[name]["sha256"] for name in sorted(shards)),
    }
    for stage in record["stages"].values():
        stage["inputs"] |= {name: digest for name, digest in digests.items() if name in stage["inputs"]}
    reseal(trial, record)


def score_file(trial: Path) -> Path:
    return next(trial.glob("metrics/*.json"))


def edit_score(trial: Path, **changed: Any) -> None:
    path = score_file(trial)
    content = json.loads(path.read_text())
    content.pop("sha256")
    path.write_text(files.sealed({**content, **changed}))
    restamp(trial)


def take(from_trial: Path, to_trial: Path, pattern: str) -> None:
    """Put files of one trial in the place of another's."""
    for source in from_trial.glob(pattern):
        shutil.copy(source, to_trial / source.relative_to(from_trial))
