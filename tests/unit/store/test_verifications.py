"""Marks in trials' folders: they count for what was looked at alone, and for nothing in a file that is not ours."""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genbench import files
from genbench.errors import StoreError
from genbench.runs.slimming import slim
from genbench.store import locks, verifications
from genbench.store.records import TrialRecord
from genbench.store.store import Store
from genbench.store.trial_folder import TrialFolder
from genbench.store.verifications import Check, Mark

AT = "2026-01-31T12:00:00+00:00"
WHERE = {"device": "cpu", "device_name": "AMD EPYC", "threads": 1, "torch": "2"}
STAGE = "parzen-0123abcd"
SAME = Mark({step: Check("same", "", AT, WHERE) for step in verifications.STEPS})


@pytest.fixture
def stored(tmp_path: Path) -> tuple[TrialFolder, TrialRecord]:
    """Return a trial that has a score, written as genbench writes it."""
    identity = {"model": {}, "dataset": "d1g", "seed": 0, "budget": {}}
    model = {
        "label": "gan", "name": "gan", "version": 1, "distribution": "genbench", "distribution_version": "1",
        "target": "genbench:Model", "source": "", "traits": {"role": "model", "samples_are": "draws"},
    }  # fmt: skip
    metric = {
        "label": "parzen", "name": "parzen", "options": {},
        "traits": {"title": "Parzen", "unit": "nats", "higher_is_better": True, "caption_extras": []},
    }  # fmt: skip
    record = TrialRecord(
        files.digest(identity, 12), identity, model, {"label": "digits", "digest": "d1g"}, 0, {}, "done",
        wanted={STAGE: {"id": "0123abcd", "words": "", "problem": "", "skipped": "", "metric": metric}},
    )  # fmt: skip
    folder = TrialFolder(tmp_path / "results" / "trials" / f"gan-digits-s0-{record.id}")
    record = folder.commit(record, "fit", {"model.safetensors": lambda path: path.write_text("weights")}, 1.0)
    shard = {"samples/00000-00000.safetensors": lambda path: path.write_text("samples")}
    model_digest = record.stages["fit"].digest
    record = folder.commit(
        record, "samples", shard, 1.0, inputs={"model": model_digest}, details={"batch": 1, "batches": 1}
    )
    score = files.sealed({"value": 1.0, "extras": {}, "samples": 1})
    inputs = {"model": model_digest, "samples": record.stages["samples"].digest}
    return folder, folder.commit(
        record, STAGE, {f"metrics/{STAGE}.json": lambda path: path.write_text(score)}, 1.0, inputs=inputs
    )


def test_what_was_kept_is_read_by_protocol_and_by_trial(stored: tuple[TrialFolder, TrialRecord]) -> None:
    folder, record = stored
    assert verifications.marks(folder, record) == {}
    assert verifications.keep(folder, record, {STAGE: SAME})
    assert verifications.marks(folder, record) == {"0123abcd": SAME}
    store = Store(folder.path.parents[1])
    assert verifications.of_store(store) == {(record.id, "0123abcd"): SAME}
    assert folder.record() == record, "the record is as it was"


def test_a_mark_says_in_words_what_was_found() -> None:
    assert SAME.verdict == "verified"
    assert SAME.in_words == "verified 2026-01-31: trained, drawn and scored again, on AMD EPYC"
    untrained = Mark({step: check for step, check in SAME.steps.items() if step != "fit"})
    assert untrained.in_words == "verified 2026-01-31: drawn and scored again, on AMD EPYC"
    undrawn = Mark({**untrained.steps, "samples": Check("unchecked", "its weights were not kept", AT, WHERE)})
    assert (undrawn.verdict, undrawn.in_words) == ("partly", "partly verified 2026-01-31: scored again, on AMD EPYC")
    alone = Mark({"score": Check("close", "", AT, {})})
    assert alone.in_words == "verified 2026-01-31: scored again"
    assert Mark({"score": Check("unchecked", "gone", AT)}).verdict == ""
    assert Mark({"score": Check("unchecked", "gone", AT)}).in_words == ""
    differs = Mark({**SAME.steps, "samples": Check("differs", "1 of 2 samples", AT, WHERE)})
    assert (differs.verdict, differs.in_words) == ("differs", "differs: 1 of 2 samples")


def later(folder: TrialFolder, record: TrialRecord, **parts: Any) -> TrialRecord:
    return folder.write(dataclasses.replace(record, **parts))


def trained_again(folder: TrialFolder, record: TrialRecord) -> TrialRecord:
    return folder.commit(record, "fit", {"model.safetensors": lambda path: path.write_text("others")}, 1.0)


def drawn_again(folder: TrialFolder, record: TrialRecord) -> TrialRecord:
    other = {"samples/00000-00000.safetensors": lambda path: path.write_text("other samples")}
    return folder.commit(record, "samples", other, 1.0, inputs=record.stages["samples"].inputs, details={"batch": 1, "batches": 1})  # fmt: skip


def scored_again(folder: TrialFolder, record: TrialRecord) -> TrialRecord:
    score = files.sealed({"value": 2.0, "extras": {}, "samples": 1})
    inputs = record.stages[STAGE].inputs
    return folder.commit(record, STAGE, {f"metrics/{STAGE}.json": lambda path: path.write_text(score)}, 1.0, inputs=inputs)  # fmt: skip


def called_otherwise(folder: TrialFolder, record: TrialRecord) -> TrialRecord:
    return later(folder, record, model={**record.model, "label": "better"})


def turned(folder: TrialFolder, record: TrialRecord) -> TrialRecord:
    metric = record.wanted[STAGE]["metric"]
    other = {**metric, "traits": {**metric["traits"], "higher_is_better": False}}
    return later(folder, record, wanted={STAGE: {**record.wanted[STAGE], "metric": other}})


def set_aside(folder: TrialFolder, record: TrialRecord) -> TrialRecord:
    return folder.set_aside(record, STAGE)


@pytest.mark.parametrize("change", [trained_again, drawn_again, scored_again, called_otherwise, turned, set_aside])
def test_a_later_change_makes_a_mark_void(
    stored: tuple[TrialFolder, TrialRecord], change: Callable[[TrialFolder, TrialRecord], TrialRecord]
) -> None:
    folder, record = stored
    verifications.keep(folder, record, {STAGE: SAME})
    assert verifications.marks(folder, change(folder, record)) == {}


def test_samples_drawn_later_behind_those_leave_it(stored: tuple[TrialFolder, TrialRecord]) -> None:
    folder, record = stored
    verifications.keep(folder, record, {STAGE: SAME})
    more = {"samples/00001-00001.safetensors": lambda path: path.write_text("more")}
    before = record.stages["samples"]
    record = folder.commit(record, "samples", more, 1.0, inputs=before.inputs, details={"batch": 1, "batches": 2}, keep=before.files)  # fmt: skip
    assert verifications.marks(folder, record) == {"0123abcd": SAME}


def test_what_changed_meanwhile_is_not_marked(stored: tuple[TrialFolder, TrialRecord]) -> None:
    folder, record = stored
    scored_again(folder, record)
    assert not verifications.keep(folder, record, {STAGE: SAME})
    assert not (folder.path / "verification.json").exists()


def test_it_is_written_under_the_trials_lock(stored: tuple[TrialFolder, TrialRecord]) -> None:
    folder, record = stored
    with folder.lock(), pytest.raises(locks.Busy, match="is held by"):
        verifications.keep(folder, record, {STAGE: SAME})


def test_it_is_written_whole_or_not_at_all(
    stored: tuple[TrialFolder, TrialRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the file layer, whose every change of the disk is struck by a kill elsewhere: nothing is written in place."""
    folder, record = stored
    verifications.keep(folder, record, {STAGE: SAME})
    before = (folder.path / "verification.json").read_bytes()
    files.read_record(folder.path / "verification.json")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    other = Mark({"score": Check("differs", "9", AT, WHERE)})
    with pytest.raises(StoreError, match="No space left on device"):
        verifications.keep(folder, record, {STAGE: other})
    assert (folder.path / "verification.json").read_bytes() == before
    assert [path.name for path in folder.path.iterdir() if ".verification" in path.name] == []


def resealed(**changed: Any) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        content = json.loads(path.read_text())
        del content["sha256"]
        files.write_record(path, {**content, **changed})

    return change


def score(**changed: Any) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        content = json.loads(path.read_text())["scores"]
        content[STAGE] |= changed
        resealed(scores=content)(path)

    return change


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHECK = dataclasses.asdict(Check("same", "", AT, WHERE))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text(path.read_text().replace("same", "near")),
        lambda path: path.write_bytes(b"\xff\x00"),
        lambda path: path.write_text("[" * 10_000),
        resealed(schema=2),
        resealed(trial="000000000000"),
        resealed(more=1),
        resealed(scores=[]),
        score(of="0" * 64),
        score(of="everything"),
        score(steps={"score": {**CHECK, "outcome": "splendid"}}),
        score(steps={"score": {**CHECK, "at": "yesterday"}}),
        score(steps={"score": {**CHECK, "words": "x" * 5000}}),
        score(steps={"score": {**CHECK, "where": {"device": ["cpu"]}}}),
        score(steps={"luck": CHECK}),
        linked,
        piped,
    ],
)
def test_nothing_counts_of_a_file_that_is_damaged_or_not_ours(
    stored: tuple[TrialFolder, TrialRecord], damage: Callable[[Path], object]
) -> None:
    folder, record = stored
    verifications.keep(folder, record, {STAGE: SAME})
    damage(folder.path / "verification.json")
    assert verifications.marks(folder, record) == {}
    assert verifications.of_store(Store(folder.path.parents[1])) == {}


def test_what_is_damaged_is_replaced(stored: tuple[TrialFolder, TrialRecord]) -> None:
    folder, record = stored
    (folder.path / "verification.json").write_text("nothing")
    assert verifications.keep(folder, record, {STAGE: SAME})
    assert verifications.marks(folder, record) == {"0123abcd": SAME}


def test_foreign_words_are_safe_to_show(stored: tuple[TrialFolder, TrialRecord]) -> None:
    folder, record = stored
    bad = Check("differs", "\x1b[31mred\n", AT, {"device_name": "\x1b[2Jcpu"})
    verifications.keep(folder, record, {STAGE: Mark({"score": bad})})
    (mark,) = verifications.marks(folder, record).values()
    assert mark.in_words == "differs: [31mred"
    assert mark.steps["score"].where == {"device_name": "[2Jcpu"}


def test_an_earlier_step_that_held_is_kept_where_it_was_not_looked_at(
    stored: tuple[TrialFolder, TrialRecord],
) -> None:
    folder, record = stored
    verifications.keep(folder, record, {STAGE: SAME})
    now = Mark({"fit": Check("unchecked", "not trained again", AT), "score": Check("differs", "value", AT)})
    verifications.keep(folder, record, {STAGE: now})
    (mark,) = verifications.marks(folder, record).values()
    assert {step: check.outcome for step, check in mark.steps.items()} == {
        "record": "same", "fit": "same", "samples": "same", "score": "differs",
    }  # fmt: skip


def test_a_slim_copy_and_a_merged_folder_have_the_marks_that_count(
    stored: tuple[TrialFolder, TrialRecord], tmp_path: Path
) -> None:
    folder, record = stored
    verifications.keep(folder, record, {STAGE: SAME})
    slim(tmp_path / "results", tmp_path / "copy")
    assert verifications.of_store(Store(tmp_path / "copy")) == {(record.id, "0123abcd"): SAME}
    other = shutil.copytree(folder.path, folder.path.with_name("another"))
    (other / "verification.json").unlink()
    assert verifications.of_store(Store(tmp_path / "results")) == {(record.id, "0123abcd"): SAME}
    scored = folder.path / f"metrics/{STAGE}.json"
    assert scored.exists()


def test_what_a_run_tidies_and_sweeps_leaves_it(stored: tuple[TrialFolder, TrialRecord]) -> None:
    folder, record = stored
    verifications.keep(folder, record, {STAGE: SAME})
    left = folder.path / ".verification.json.7.0123abcd"
    left.write_text("half")
    folder.tidy()
    assert not left.exists()
    dropped = folder.drop(record, "none")
    assert dropped.dropped
    assert verifications.marks(folder, dropped) == {"0123abcd": SAME}
