"""A trial's folder carried to another machine and back."""

from pathlib import Path

import pytest

from genbench import Task, TrialFiles
from genbench.errors import StoreError
from genbench.runs import planning
from genbench.runs.settings import RunSettings


@pytest.fixture
def task(tmp_path: Path) -> Task:
    planned = planning.plan(RunSettings("gaussian", seeds=1, reference="none", results=tmp_path / "here"))
    return planning.task(planned, planned.todo[0])


@pytest.fixture
def here(task: Task, tmp_path: Path) -> Path:
    """Return the trial's folder, with a record, a checkpoint and what is nobody else's business."""
    folder = tmp_path / "here" / "trials" / f"gaussian-digits-s0-{task.id}"
    (folder / "checkpoint-1").mkdir(parents=True)
    for name in ("trial.json", "model.safetensors", "checkpoint-1/loop0", ".lock", ".holder", "checkpoint-1/.loop0.12"):
        (folder / name).write_text(name)
    return folder


def elsewhere(task: Task, tmp_path: Path) -> TrialFiles:
    return TrialFiles(TrialFiles(task).elsewhere(tmp_path / "there"))


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_it_is_sent_whole_and_then_what_changed(task: Task, here: Path, tmp_path: Path) -> None:
    files, there = TrialFiles(task), elsewhere(task, tmp_path)
    first = files.changes()
    assert {*first} == {"trial.json", "model.safetensors", "checkpoint-1/loop0"}
    assert files.changes() == {}
    there.take(first)
    assert contents(tmp_path / "there" / "trials" / here.name) == {name: name for name in first}
    assert there.changes() == {}  # what was taken in is not sent back
    (here / "model.safetensors").write_text("another")
    (here / "checkpoint-1" / "loop0").unlink()
    second = files.changes()
    assert second == {"checkpoint-1/loop0": None, "model.safetensors": b"another"}
    there.take(second)
    there.take(second)
    assert contents(tmp_path / "there" / "trials" / here.name) == {
        "trial.json": "trial.json",
        "model.safetensors": "another",
    }
    assert not (tmp_path / "there" / "trials" / here.name / "checkpoint-1").exists()


def test_the_record_is_read_first_and_written_last(task: Task, here: Path, tmp_path: Path) -> None:
    sent = TrialFiles(task).changes()
    assert next(iter(sent)) == "trial.json"
    folder = tmp_path / "there" / "trials" / here.name
    (folder / "model.safetensors").mkdir(parents=True)  # in the way
    with pytest.raises(StoreError, match="cannot write .*model.safetensors"):
        elsewhere(task, tmp_path).take(sent)
    assert not (folder / "trial.json").exists()


@pytest.mark.parametrize("name", ["../x", "/etc/x", ".lock", "a/../../x", "", "a/.b"])
def test_a_name_that_leads_elsewhere_is_refused(name: str, task: Task) -> None:
    with pytest.raises(StoreError, match="a node sent a file named .*; expected one of a trial's folder"):
        TrialFiles(task).take({name: b""})


def test_a_trial_that_is_carried_is_held_here(task: Task, here: Path) -> None:
    first, second = TrialFiles(task), TrialFiles(task)
    assert first.hold() is None
    refusal = second.hold()
    assert refusal is not None
    assert refusal["status"] == "busy"
    first.release()
    assert second.hold() is None
    second.release()


def test_a_folder_that_holds_a_link_ends_the_run(task: Task, here: Path) -> None:
    (here / "log.jsonl").symlink_to("/etc/hostname")
    refusal = TrialFiles(task).hold()
    assert refusal is not None
    assert (refusal["status"], refusal["error"]) == ("error", "StoreError")
    assert "is a link; expected what genbench wrote there" in refusal["reason"]
