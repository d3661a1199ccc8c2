"""What a trial runs in: its device and its own output file; and what is recorded of the machine."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import torch

from genbench import files
from genbench.errors import RequestError, StoreError, printable
from genbench.trial import git_commit


def resolve_device(name: str) -> torch.device:
    """Return the device of a name: auto, cpu, cuda or cuda:N. Raises RequestError where it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    match = re.fullmatch(r"cpu|cuda(?::(0|[1-9][0-9]{0,3}))?", name)
    if match is None:
        raise RequestError(f"--device {printable(name)!r}: expected auto, cpu, cuda or cuda:N")
    if name != "cpu" and int(match[1] or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise RequestError(f"--device {name}: this machine has {count} CUDA devices. Use --device cpu or auto")
    return torch.device(name)


@contextlib.contextmanager
def output_to(path: Path, descriptors: bool = False) -> Iterator[None]:
    """Send what is printed and warned to a file, which is removed again when nothing was.

    descriptors sends what compiled code prints too, and what Python says when it crashes: for a process that does
    nothing else.
    """
    with opened(path) as file, warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = lambda *warning, **_: print(warnings.formatwarning(*warning[:4]), file=file, end="")
        with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file), _descriptors_to(file, descriptors):
            yield
    if path.stat().st_size == 0:
        path.unlink()


def opened(path: Path) -> TextIO:
    """Open a file to append to. Raises StoreError; for a link too: it may lead out of the results folder."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)

    try:
        files.check_plain(path, in_place=True)
        return open(path, "a", encoding="utf-8", errors="backslashreplace", buffering=1, opener=opener)
    except OSError as error:
        raise StoreError(f"cannot write {printable(path)}: {error.strerror or error}") from error


@contextlib.contextmanager
def _descriptors_to(file: TextIO, is_enabled: bool) -> Iterator[None]:
    if not is_enabled:
        yield
        return
    saved = {number: os.dup(number) for number in (1, 2)}
    for number in saved:
        os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        for number, before in saved.items():
            os.dup2(before, number)
            os.close(before)


def reset_peak_memory(device: torch.device) -> None:
    """Begin a new measurement of the peak memory."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mib(device: torch.device) -> float | None:
    """Return the peak since the last reset in MiB: of the GPU, or of this process where Linux gives it, else None."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    return None


def describe(device: torch.device, threads: int, version: str, share: float = 1.0) -> dict[str, Any]:
    """Return what is recorded of where a trial ran; none of it is part of its identity.

    git is the commit of genbench's own source tree.
    """
    return {
        **({"gpu_share": round(share, 3)} if device.type == "cuda" else {}),
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "threads": threads,
        "genbench": version,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "git": _commit_of_genbench(),
    }


@functools.cache
def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return printable(line.partition(":")[2].strip())
    return platform.processor() or platform.machine()


@functools.cache
def _commit_of_genbench() -> str | None:
    """Return the commit of genbench's source tree, marked as `git_commit.of` does, or None outside one."""
    tree = Path(__file__).resolve().parents[3]
    return git_commit.of(tree) if (tree / ".git").exists() and "site-packages" not in tree.parts else None
