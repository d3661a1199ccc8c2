"""The results folder as a database."""

import dataclasses
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from genbench.errors import GenbenchError, StoreError
from genbench.store.folder import TrialFolder
from genbench.store.records import TrialRecord
from genbench.store.store import Store

RECORD = TrialRecord("abc", {}, {}, {}, seed=0, budget={}, status="interrupted")


def test_a_record_reads_back(tmp_path: Path) -> None:
    folder = Store(tmp_path).folder("abc", "gan-digits-s0")
    assert folder.record() is None
    record = folder.commit(RECORD, "fit", {"sub/a.txt": lambda path: path.write_text("a")}, 1.5, {"x": "y"}, {"n": 1})
    assert Store(tmp_path).get("abc") == folder.record() == record
    assert folder.path.name == "gan-digits-s0-abc"


def test_only_the_id_is_read_from_a_folders_name(tmp_path: Path) -> None:
    Store(tmp_path).folder("abc", "old-name").write(RECORD)
    assert Store(tmp_path).folder("abc", "new-name").path.name == "old-name-abc"


def test_a_stage_can_grow_by_files(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    record = folder.commit(RECORD, "samples", {"0": lambda path: path.write_text("a")}, 1)
    first = record.stages["samples"]
    record = folder.commit(record, "samples", {"1": lambda path: path.write_text("b")}, 1, keep=first.files)
    assert sorted(record.stages["samples"].files) == ["0", "1"]
    assert record.stages["samples"].digest.startswith(first.digest)


@pytest.mark.parametrize("damage", [lambda p: p.unlink(), lambda p: p.write_text("b"), lambda p: p.write_text("aa")])
def test_a_damaged_file_is_noticed(damage, tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    record = folder.commit(RECORD, "fit", {"a": lambda path: path.write_text("a")}, 1)
    assert folder.checked(record.stages["fit"], "a").read_text() == "a"
    damage(tmp_path / "a")
    with pytest.raises(StoreError, match="--fresh"):
        folder.checked(record.stages["fit"], "a")


def test_a_damaged_record_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.folder("abc", "a").write(RECORD)
    store.folder("def", "b").write(dataclasses.replace(RECORD, id="def"))
    (store.trials / "a-abc" / "trial.json").write_text("{")
    (store.trials / "stray").mkdir()
    found = [record for _, record in Store(tmp_path).all()]
    assert [isinstance(record, GenbenchError) for record in found] == [True, False]


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    from genbench import files

    files.write_record(tmp_path / "trial.json", {**RECORD.to_json(), "schema": 99})
    with pytest.raises(StoreError, match="has schema 99; this genbench reads 1"):
        TrialFolder(tmp_path).record()


def test_a_folder_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no results in .*: expected a folder that genbench run wrote"):
        Store(tmp_path / "nowhere").check_readable()


def test_the_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    order = []

    def second() -> None:
        with TrialFolder(tmp_path).lock():
            order.append("second")

    with TrialFolder(tmp_path).lock():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_left_by_a_killed_process_blocks_nobody(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from genbench.store.folder import TrialFolder\n"
        f"with TrialFolder(Path({os.fspath(tmp_path)!r})).lock(): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with TrialFolder(tmp_path).lock():
        pass
