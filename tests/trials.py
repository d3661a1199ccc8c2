"""What the tests of trials share: results made once for several tests, and all that they came to but times and places."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TIMED = ("seconds", "peak_memory_mib", "environment", "attempts", "sha256")


@contextlib.contextmanager
def shared_by_tests(factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make what outlives a test as a test would: away from the user's cache and plugins, without worker processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENBENCH_CACHE", str(factory.getbasetemp() / "cache"))
        patch.setenv("GENBENCH_PLUGINS", "")
        patch.setenv("GENBENCH_ENGINE", "inline")
        yield


def contents_of(results: Path) -> dict[str, Any]:
    """Return every stored file of a results folder by its path; of trial.json what is no circumstance."""
    found: dict[str, Any] = {}
    for path in sorted((results / "trials").rglob("*")):
        name = str(path.relative_to(results))
        if path.is_dir() or path.name.startswith(".") or ".damaged" in name or path.name == "output.txt":
            continue
        found[name] = _record(path) if path.name == "trial.json" else path.read_bytes()
    return found


def _record(path: Path) -> dict[str, Any]:
    record = json.loads(path.read_text(encoding="utf-8"))
    stages = {
        name: _without(stage) | {"details": _without(stage["details"])} for name, stage in record["stages"].items()
    }
    return _without(record) | {"stages": stages}


def _without(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in TIMED}
