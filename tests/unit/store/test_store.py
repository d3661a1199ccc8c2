"""The results folder as a database."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from genbench import files
from genbench.errors import DamagedError, GenbenchError, StoreError
from genbench.ranking.readable import Readable, readable
from genbench.store import locks
from genbench.store.locks import Busy
from genbench.store.records import SCHEMA, TrialRecord
from genbench.store.sealed import SealedFolder
from genbench.store.store import Store
from genbench.store.trial_folder import TrialFolder

MODEL, SAMPLES, SCORE = "model.safetensors", "samples/00000-00000.safetensors", "metrics/brightness-1.json"
FILES = {"fit": MODEL, "samples": SAMPLES, "brightness-1": SCORE}


def record_of(seed: int) -> TrialRecord:
    """Return a record as genbench writes it when a trial begins."""
    identity = {"identity": 1, "model": {"name": "gan"}, "dataset": "d", "seed": seed, "budget": {}, "select": "last"}
    texts = ("label", "name", "distribution", "distribution_version", "target", "source")
    model = {**dict.fromkeys(texts, "gan"), "version": 1, "traits": {"role": "model", "samples_are": "draws"}}
    return TrialRecord(
        id=files.digest(identity, 12),
        identity=identity,
        model=model,
        dataset={"label": "digits", "digest": "d"},
        seed=seed,
        budget={},
        status="interrupted",
    )


RECORD, OTHER = record_of(0), record_of(1)
ID = RECORD.id


def commit(folder: TrialFolder, record: TrialRecord, stage: str, text: str) -> TrialRecord:
    """Commit a stage of one file, called as genbench calls it."""
    details = {"batch": 1, "batches": 1} if stage == "samples" else {}
    return folder.commit(record, stage, {FILES[stage]: lambda path: path.write_text(text)}, 1.5, details=details)


def test_a_record_reads_back(tmp_path: Path) -> None:
    folder = Store(tmp_path).folder(ID, "gan-digits-s0")
    assert folder.record() is None
    record = commit(folder, commit(folder, RECORD, "fit", "a"), "samples", "b")
    writers = {SCORE: lambda path: path.write_text("{}")}
    record = folder.commit(record, "brightness-1", writers, 0.5, {"model": "x"}, {"n": 1})
    assert Store(tmp_path).get(ID) == folder.record() == record
    assert folder.path.name == f"gan-digits-s0-{ID}"


def test_what_records_have_alike_is_held_once(tmp_path: Path) -> None:
    """So that the memory of very many trials is that of what differs between them."""
    store = Store(tmp_path)
    for record in (RECORD, OTHER):
        store.folder(record.id, "gan-digits").write(dataclasses.replace(record, reason=f"{record.seed}"))
    (_, one), (_, two) = (copies[0] for copies in store.read().trials.values())
    assert {one.seed, two.seed} == {0, 1} == {int(one.reason), int(two.reason)}
    assert one.model == RECORD.model
    assert all(getattr(one, part) is getattr(two, part) for part in ("model", "dataset", "wanted", "environment"))
    assert one.identity["model"] is two.identity["model"]
    shown = Readable()
    assert shown.record(one).model is shown.record(two).model
    assert shown.record(one).model == readable(one).model


def test_a_stage_can_grow_by_files(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    record = folder.commit(RECORD, "samples", {"0": lambda path: path.write_text("a")}, 1)
    first = record.stages["samples"]
    record = folder.commit(record, "samples", {"1": lambda path: path.write_text("b")}, 1, keep=first.files)
    assert sorted(record.stages["samples"].files) == ["0", "1"]
    assert record.stages["samples"].digest.startswith(first.digest)


DAMAGE = {
    "removed": lambda path: path.unlink(),
    "flipped": lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"!"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link": lambda path: (path.replace(path.with_name("elsewhere")), path.symlink_to(path.with_name("elsewhere"))),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_noticed_and_its_stage_set_aside(damage: str, tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    record = commit(folder, commit(folder, RECORD, "fit", "aa"), "samples", "bb")
    assert folder.damage(record) == {}
    assert folder.checked(record, "samples", SAMPLES).read_text() == "bb"
    DAMAGE[damage](tmp_path / SAMPLES)
    assert list(folder.damage(record)) == list(folder.damage(record, every_byte=True)) == ["samples"]
    with pytest.raises(DamagedError, match=rf"{SAMPLES} is (missing|damaged|no plain file)") as caught:
        folder.checked(record, "samples", SAMPLES)
    assert caught.value.stage == "samples"
    record = folder.set_aside(record, "samples")
    assert record == folder.record()
    assert list(record.stages) == ["fit"]
    assert not (tmp_path / SAMPLES).exists()
    assert (tmp_path / "samples.damaged-1").is_dir() or damage == "removed"


def test_silent_damage_is_found_when_every_byte_is_read(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    record = folder.commit(RECORD, "fit", {"a": lambda path: path.write_text("aa")}, 1)
    times = (tmp_path / "a").stat()
    (tmp_path / "a").write_text("ab")
    os.utime(tmp_path / "a", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert folder.damage(record) == {}
    assert list(folder.damage(record, every_byte=True)) == ["fit"]
    with pytest.raises(DamagedError, match="a is damaged: its content does not match its checksum"):
        folder.checked(record, "fit", "a")


def test_what_is_set_aside_stands_under_names_of_its_own(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    for text in "xy":
        record = folder.commit(RECORD, "fit", {"a": lambda path, text=text: path.write_text(text)}, 1)
        folder.set_aside(record, "fit")
    assert [(tmp_path / f"fit.damaged-{n}" / "a").read_text() for n in (1, 2)] == ["x", "y"]
    folder.set_all_aside()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.damaged-1", "fit.damaged-2", "trial.damaged-1"]
    assert folder.record() is None


def test_a_damaged_record_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.folder(ID, "a").write(RECORD)
    store.folder(OTHER.id, "b").write(OTHER)
    (store.trials / f"a-{ID}" / "trial.json").write_text("{")
    (store.trials / "stray").mkdir()
    found = [record for _, record in Store(tmp_path).all()]
    assert [isinstance(record, GenbenchError) for record in found] == [True, False]


@pytest.mark.parametrize("schema", [SCHEMA + 1, 0, -1, "2", None, True, 1.0])
def test_a_schema_that_is_not_ours_is_refused_by_name(schema: object, tmp_path: Path) -> None:
    files.write_record(tmp_path / "trial.json", {**RECORD.to_json(), "schema": schema})
    with pytest.raises(StoreError, match=rf"has schema .*; this genbench reads 1 to {SCHEMA}: use the version"):
        TrialFolder(tmp_path).record()


def test_a_record_of_schema_1_is_upgraded_on_reading(tmp_path: Path) -> None:
    old = {**RECORD.to_json(), "schema": 1, "status": "done"}
    del old["attempts"], old["fresh"]
    files.write_record(tmp_path / "trial.json", old)
    before = (tmp_path / "trial.json").read_bytes()
    assert TrialFolder(tmp_path).record() == dataclasses.replace(RECORD, status="done", attempts=1, fresh="")
    assert (tmp_path / "trial.json").read_bytes() == before


def test_a_folder_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no results in .*: expected a folder that genbench run wrote"):
        Store(tmp_path / "nowhere").check_readable()


def test_the_lock_is_held_by_one_at_a_time_and_everyone_sees_by_whom(tmp_path: Path) -> None:
    assert not locks.is_held(tmp_path)
    with TrialFolder(tmp_path).lock():
        assert locks.is_held(tmp_path)
        with pytest.raises(Busy, match=rf"is held by process {os.getpid()} on .* since 20"):
            TrialFolder(tmp_path).lock().__enter__()
    assert not locks.is_held(tmp_path)
    with TrialFolder(tmp_path).lock():
        pass


def test_a_lock_left_by_a_killed_process_blocks_nobody(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from genbench.store.trial_folder import TrialFolder\n"
        f"with TrialFolder(Path({os.fspath(tmp_path)!r})).lock(): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with TrialFolder(tmp_path).lock():
        pass


def stored(root: Path, name: str, record: TrialRecord = RECORD, **content: str) -> TrialFolder:
    """Write a trial's folder with a file per stage."""
    folder = TrialFolder(root / "trials" / f"{name}-{record.id}")
    for stage, text in content.items():
        record = commit(folder, record, stage, text)
    return folder


def test_of_two_folders_of_one_trial_the_one_with_more_counts(tmp_path: Path) -> None:
    stored(tmp_path, "mine", fit="same")
    theirs = stored(tmp_path, "theirs", fit="same", samples="more")
    found = Store(tmp_path).read().find(ID)
    assert found is not None
    assert found[0].path == theirs.path == Store(tmp_path).folder(ID, "any").path


def test_two_folders_of_one_trial_that_differ_are_named(tmp_path: Path) -> None:
    stored(tmp_path, "mine", fit="one")
    stored(tmp_path, "theirs", fit="other", samples="more")
    with pytest.raises(
        StoreError,
        match=rf"trial {ID} lies in two folders that differ in fit: .*theirs-{ID} and .*mine-{ID}; remove one of them$",
    ):
        Store(tmp_path).get(ID)
    ((_, problem),) = Store(tmp_path).all()
    assert isinstance(problem, StoreError)


def test_a_linked_folder_is_not_followed(tmp_path: Path) -> None:
    outside = stored(tmp_path / "outside", "mine", fit="one")
    (tmp_path / "results" / "trials").mkdir(parents=True)
    (tmp_path / "results" / "trials" / f"mine-{ID}").symlink_to(outside.path)
    assert Store(tmp_path / "results").get(ID) is None
    assert list(Store(tmp_path / "results").all()) == []


def test_checkpoints_of_other_conditions_are_removed(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    folder.checkpoints("old", fresh=False).put("loop", 1, lambda path: path.write_text("x"))
    folder.checkpoints("key", fresh=False).put("loop", 1, lambda path: path.write_text("x"))
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-key"]
    folder.checkpoints("key-run1", fresh=True).put("loop", 1, lambda path: path.write_text("x"))
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-key-run1"]
    assert folder.checkpoints("key", fresh=False).newest("loop") is not None
    assert folder.checkpoints("key-run2", fresh=True).newest("loop") is None
    assert list(tmp_path.glob("checkpoint-*")) == []


def test_of_sealed_files_the_newest_whole_one_counts(tmp_path: Path) -> None:
    sealed = SealedFolder(tmp_path / "kept")
    assert sealed.newest("a") is None
    for number in (1, 2):
        sealed.put("a", number, lambda path, number=number: path.write_text(f"a{number}"))
    sealed.put("ab", 1, lambda path: path.write_text("ab"))
    path = sealed.newest("a")
    assert path is not None
    assert path.read_text() == "a2"
    assert len(list((tmp_path / "kept").iterdir())) == 2
    path.write_text("a3")
    assert sealed.newest("a") is None
    assert [p.name for p in (tmp_path / "kept").glob("*.damaged")] == [f"{path.name}.damaged"]
    sealed.clear()
    assert not (tmp_path / "kept").exists()
