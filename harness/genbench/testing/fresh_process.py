"""Questions that only a new process can answer: what survives in files, what is stable, what is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from genbench.errors import printable
from genbench.registry import loading
from genbench.testing.fixtures import scratch
from genbench.testing.outcomes import CheckSkipped, fail
from genbench.testing.subject import Subject

PATIENCE = 600.0
"""Seconds after which a new process is given up."""


def ask(subject: Subject, question: str, *, plugins: str | None = None, **details: Any) -> Any:
    """Return what a new process, without any GPU, answers to one of the questions of `genbench.testing.fresh`.

    plugins is what it finds in GENBENCH_PLUGINS, if not what is set here. Raises CheckFailed where it fails.
    """
    if not subject.is_importable:
        raise CheckSkipped(
            f"{subject.cls.__qualname__} is made inside a function or a test, so no other process can import it"
        )
    digest = loading.source_digest(subject.target)
    query = {"kind": subject.kind.name, "target": subject.target, "digest": digest, "options": subject.options}
    with scratch() as folder:
        (folder / "asked.json").write_text(json.dumps({**query, **details}), encoding="utf-8")
        # -P: what lies in the working folder must not stand in for what is installed
        command = [sys.executable, "-P", "-m", "genbench.testing.fresh", question, str(folder)]
        done = _run(command, _environment(plugins))
        answer = folder / "answer.json"
        if done.returncode or not answer.exists():
            _complain(done)
        return json.loads(answer.read_text(encoding="utf-8"))


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        fail(f"a new process did not answer in {PATIENCE:g} s", "an answer", "Look for what waits or hangs in it.")


def _environment(plugins: str | None) -> dict[str, str]:
    """Return this process's environment, its import path included, with GPUs hidden."""
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    changed = {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "", "PYTHONHASHSEED": "0"}
    return {**os.environ, **changed, **({} if plugins is None else {"GENBENCH_PLUGINS": plugins})}


def _complain(done: subprocess.CompletedProcess[str]) -> None:
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    fail(
        f"a new process without GPUs failed: {printable(lines[-1])}",
        "the same as in this one",
        "What a plugin needs must be in its fields, its state or its files, not in the process that trained it.",
    )
