"""Disks that are full, or may not be written: a clear error, and everything finished still there."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from genbench.errors import StoreError
from genbench.runs import execution, stored
from genbench.store.store import Store

RUN = [sys.executable, "-m", "genbench", "run", "--models", "gaussian", "--reference", "none", "--quiet"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 4 MiB: room for one trial with its 10,000 samples of 8x8, not for two."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "genbench-test", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk cannot be mounted without the rights to")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)  # its files may still be mapped


def statuses(results: Path) -> list[str]:
    return sorted(record.status for _, record in Store(results).all())  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["inline", "process"])
def test_a_full_disk_ends_the_run_and_keeps_what_is_finished(engine: str, small_disk: Path) -> None:
    results = small_disk / "results"
    command = [*RUN, "--results", str(results), "--seeds", "2", "--engine", engine, "--jobs", "1"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert told.stderr.splitlines()[-1].startswith("genbench: cannot write ")
    assert told.stderr.count("genbench: ") == 1
    assert "No space left on device" in told.stderr
    assert "What was stored is kept." in told.stderr
    assert statuses(results) == ["done", "interrupted"]
    assert list(results.rglob(".*.safetensors.*")) == [], "nothing half-written is left in the way"
    (row,) = stored.read_boards([results])[0][0].rows
    assert (row.seeds_done, row.seeds_planned) == (1, 2)
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert statuses(results) == ["done", "done"]


@pytest.mark.slow
def test_a_limit_on_file_sizes_is_told_like_a_full_disk(tmp_path: Path) -> None:
    bound = 200_000

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bound, bound))

    command = [*RUN, "--results", str(tmp_path / "results"), "--seeds", "1"]
    subprocess.run(
        [*RUN, "--results", str(tmp_path / "other"), "--seeds", "1"], check=True, capture_output=True
    )  # fills the cache
    told = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit)
    assert told.returncode == 2
    assert told.stderr.splitlines()[-1].startswith("genbench: cannot write ")
    assert "File too large" in told.stderr


@pytest.fixture
def read_only(toy: str, small_disk: Path) -> Path:
    """Give a folder with a finished trial on a disk that nobody may write to, not even root."""
    execution.run("toy", "brightness", seeds=1, reference="none", results=small_disk / "results")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    return small_disk / "results"


def test_a_read_only_folder_is_read_and_what_is_to_be_written_is_refused(read_only: Path) -> None:
    (board,), damaged = stored.read_boards([read_only])
    assert (board.rows[0].seeds_done, damaged) == (1, [])
    with pytest.raises(StoreError, match=r"cannot write to .*results.*(Permission denied|Read-only)"):
        execution.run("toy", "brightness", seeds=2, reference="none", results=read_only)
    (board,), _ = stored.read_boards([read_only])
    assert board.rows[0].seeds_done == 1
