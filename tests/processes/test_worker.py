"""A trial performed by the one function that every engine calls: stages, records, and what misbehaves."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from genbench.data.cache import prepare
from genbench.data.folders import cache_folder
from genbench.errors import StoreError
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.runs.grid import Dataset, Grid, missing
from genbench.store.records import TrialRecord
from genbench.store.store import Store
from genbench.store.trial_folder import TrialFolder
from genbench.trial import sampling
from genbench.trial.identity import Assignment, Budget, TrialSpec
from genbench.trial.worker import answer, perform_assignment

Assign = Callable[..., Assignment]


@pytest.fixture
def assign(toy: str, tmp_path: Path) -> Assign:
    """Return a function that makes assignments for the toy plugin's models."""

    def make(model: str = "toy", metrics: tuple[str, ...] = ("brightness",), seed: int = 0, **rest: Any) -> Assignment:
        resolver = Resolver(load_registry(), cache_folder())
        dataset = resolver.resolve("dataset", "digits")
        data = prepare(dataset.instantiate(), dataset.identity)
        budget = rest.pop("budget", Budget())
        trial = TrialSpec(resolver.resolve("model", model), dataset, data.digest, seed, budget)
        resolved = tuple(resolver.resolve("metric", metric) for metric in metrics)
        return Assignment(trial, resolved, str(tmp_path / "results"), **rest)

    return make


def record_of(assignment: Assignment) -> TrialRecord:
    record = Store(Path(assignment.results)).get(assignment.trial.id)
    assert record is not None
    return record


def folder_of(assignment: Assignment) -> Path:
    trial = assignment.trial
    return Store(Path(assignment.results)).folder(trial.id, trial.folder_name).path


def contents(folder: Path) -> dict[str, bytes]:
    """Return what a trial came to: all its stored numbers, without times and places."""
    found = {p.name: p.read_bytes() for p in folder.rglob("*.safetensors") if ".damaged-" not in str(p)} | {
        "log": (folder / "log.jsonl").read_bytes()
    }
    scores = {p.name: json.loads(p.read_text()) for p in (folder / "metrics").glob("*.json")}
    return found | {name: json.dumps(score).encode() for name, score in scores.items()}


def test_an_assignment_travels_as_text(assign: Assign) -> None:
    assignment = assign(
        "toy[lr=0.5]", ("brightness", "parzen"), seed=3, budget=Budget(steps=7), target="valid", threads=2
    )
    assert Assignment.from_json(assignment.to_json()) == assignment


def test_stages_are_committed_with_their_files(assign: Assign) -> None:
    assignment = assign("toy", ("brightness", "parzen"))
    assert perform_assignment(assignment.to_json()) == {"status": "done", "reason": "", "notes": []}
    record, folder = record_of(assignment), folder_of(assignment)
    assert record.status == "done"
    assert {name.partition("-")[0] for name in record.stages} == {"fit", "samples", "brightness", "parzen"}
    for stage in record.stages.values():
        for name, stamp in stage.files.items():
            assert (folder / name).stat().st_size == stamp["size"]
    assert record.stages["fit"].details["steps"] == 20
    assert record.stages["fit"].details["parameters"] == 4 * 64 + 64
    assert record.environment["threads"] == 1
    assert len((folder / "log.jsonl").read_text().splitlines()) == 2
    assert not (folder / "output.txt").exists()


def test_the_same_trial_elsewhere_has_the_same_bits(assign: Assign, tmp_path: Path) -> None:
    one = assign(metrics=("brightness", "parzen"))
    perform_assignment(one.to_json())
    torch.manual_seed(99)  # what came before in the process must not matter
    torch.rand(7)
    other = assign(metrics=("parzen", "brightness"))
    other = Assignment(other.trial, other.metrics, str(tmp_path / "elsewhere"))
    perform_assignment(other.to_json())
    first = contents(folder_of(one))
    assert len(first) == 6
    assert contents(folder_of(other)) == first


def test_another_seed_has_other_bits(assign: Assign) -> None:
    for seed in (0, 1):
        perform_assignment(assign(seed=seed).to_json())
    first, second = (contents(folder_of(assign(seed=seed))) for seed in (0, 1))
    assert first["model.safetensors"] != second["model.safetensors"]


def test_a_metric_added_later_trains_nothing_and_keeps_the_samples(assign: Assign) -> None:
    perform_assignment(assign(metrics=("brightness",)).to_json())
    before = record_of(assign())
    perform_assignment(assign(metrics=("parzen", "brightness[samples=2500]")).to_json())
    after = record_of(assign())
    assert after.stages["fit"] == before.stages["fit"]
    assert before.stages["samples"].files.items() <= after.stages["samples"].files.items()
    brightness = next(name for name in before.stages if name.startswith("brightness"))
    assert after.stages[brightness] == before.stages[brightness]
    assert len(after.stages) == len(before.stages) + 2


def test_the_first_samples_do_not_depend_on_how_many_were_drawn(assign: Assign, tmp_path: Path) -> None:
    few, many = assign(metrics=("brightness[samples=700]",)), assign(metrics=("brightness[samples=2500]",))
    many = Assignment(many.trial, many.metrics, str(tmp_path / "elsewhere"))
    drawn = []
    for assignment in (few, many):
        perform_assignment(assignment.to_json())
        drawn.append(sampling.load_shards(sorted((folder_of(assignment) / "samples").iterdir())))
    assert [len(x) for x in drawn] == [1000, 3000]
    assert torch.equal(drawn[0], drawn[1][:1000])


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ("raises", "failed", "ValueError: no luck today [31m"),
        ("exits", "failed", "SystemExit: leaving"),
        ("nan-loss", "diverged", "loss is nan in epoch 1 of loop 1"),
        ("nan-sample", "diverged", "samples are not finite"),
        ("wrong-shape", "failed", "ValueError: sample returned (1000, 64) torch.float32; expected (1000, 1, 8, 8)"),
        ("out-of-range", "failed", "expected within [0, 1]"),
        ("no-memory", "out-of-memory", "MemoryError: all eaten"),
        ("unstorable", "failed", "TypeError: path_ is a"),
    ],
)
def test_a_misbehaving_model_costs_its_own_trial(fault: str, status: str, reason: str, assign: Assign) -> None:
    assignment = assign(f"faulty[fault={fault}]")
    outcome = perform_assignment(assignment.to_json())
    assert outcome["status"] == status
    assert reason in outcome["reason"]
    record = record_of(assignment)
    assert (record.status, record.reason) == (status, outcome["reason"])
    assert "Error" in (folder_of(assignment) / "traceback.txt").read_text() or status == "diverged" or fault == "exits"
    assert not any(stage.startswith("brightness") for stage in record.stages)
    assert any(stage.startswith("brightness") for stage in record.wanted)


def test_what_a_trial_prints_goes_to_its_folder(assign: Assign, capsys: pytest.CaptureFixture[str]) -> None:
    assignment = assign("faulty[fault=prints]")
    assert perform_assignment(assignment.to_json())["status"] == "done"
    assert capsys.readouterr() == ("", "")
    output = (folder_of(assignment) / "output.txt").read_text()
    assert "hello from fit" in output
    assert "mind this" in output


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("raises", "RuntimeError: cannot look at this"),
        ("nan", 'ValueError: picky[mood="nan"] returned value nan; expected a number of less than 1e+100 in size'),
    ],
)
def test_a_metric_that_fails_costs_its_own_score(mood: str, reason: str, assign: Assign) -> None:
    assignment = assign("toy", (f"picky[mood={mood}]", "brightness"))
    assert perform_assignment(assignment.to_json()) == {"status": "done", "reason": reason, "notes": []}
    assert any(stage.startswith("brightness") for stage in record_of(assignment).stages)


def test_a_metric_that_refuses_is_noted(assign: Assign) -> None:
    assignment = assign("toy", ("picky",))
    assert perform_assignment(assignment.to_json()) == {"status": "done", "reason": "", "notes": []}
    assert [wanted["skipped"] for wanted in record_of(assignment).wanted.values()] == ["not in the mood"]


def test_fresh_trains_again(assign: Assign) -> None:
    perform_assignment(assign().to_json())
    before = record_of(assign())
    perform_assignment(assign().to_json())
    assert record_of(assign()) == before
    perform_assignment(assign(fresh="run").to_json())
    after = record_of(assign())
    assert after.stages["fit"].seconds != before.stages["fit"].seconds
    assert after.stages["fit"].files == before.stages["fit"].files


def test_a_budget_bounds_training_and_is_another_trial(assign: Assign) -> None:
    bounded = assign(budget=Budget(steps=7))
    assert bounded.trial.id != assign().trial.id
    perform_assignment(bounded.to_json())
    assert record_of(bounded).stages["fit"].details["steps"] == 7


def flip(path: Path, silently: bool = False) -> None:
    """Flip a bit in the middle of a file; silently leaves its time as it was."""
    content, times = bytearray(path.read_bytes()), path.stat()
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    if silently:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


STORED = ("trial.json", "model.safetensors", "log.jsonl", "samples/*.safetensors", "metrics/*.json", "metrics/parzen*.safetensors")  # fmt: skip


@pytest.mark.parametrize("name", STORED)
def test_a_flipped_bit_in_any_stored_file_costs_its_stage_alone(name: str, assign: Assign) -> None:
    assignment = assign(metrics=("brightness", "parzen"))
    perform_assignment(assignment.to_json())
    before, folder = contents(folder_of(assignment)), folder_of(assignment)
    path = sorted(folder.glob(name))[0]
    flip(path)
    grid = Grid([assignment.trial.model], [Dataset(assignment.trial.dataset, assignment.trial.dataset_digest, assignment.metrics)], [0])  # fmt: skip
    assert missing(grid, Store(Path(assignment.results)), fresh="") == [assignment.trial]
    told = perform_assignment(assignment.to_json())
    assert told["status"] == "done"
    (note,) = told["notes"]
    assert path.name in note
    assert "damaged" in note
    assert "set aside" in note
    assert contents(folder) == before
    (aside,) = folder.glob("*.damaged-1")
    assert list(aside.rglob(path.name)), "what was damaged is still there to be looked at"
    if name != "trial.json":
        assert aside.name.partition("-")[0].partition(".")[0] in {"fit", "samples", "brightness", "parzen"}
    assert missing(grid, Store(Path(assignment.results)), fresh="") == []


@pytest.mark.parametrize("name", ["model.safetensors", "samples/*.safetensors"])
def test_silent_damage_is_noticed_when_the_file_is_read(name: str, assign: Assign) -> None:
    perform_assignment(assign().to_json())
    folder = folder_of(assign())
    before = contents(folder)
    flip(sorted(folder.glob(name))[0], silently=True)
    told = perform_assignment(assign(metrics=("brightness[samples=2500]",)).to_json())
    assert told["status"] == "done"
    assert len(told["notes"]) == 1
    assert contents(folder).items() >= {k: v for k, v in before.items() if "samples" not in k and k != "00000-00000.safetensors"}.items()  # fmt: skip


def test_a_fresh_training_keeps_the_old_results_until_its_own_are_there(assign: Assign) -> None:
    perform_assignment(assign().to_json())
    before = record_of(assign())
    told = perform_assignment(assign(fresh="run1").to_json(), stop=lambda: True)
    assert told["status"] == "interrupted"
    assert record_of(assign()) == before
    perform_assignment(assign(fresh="run1").to_json())
    after = record_of(assign())
    assert (after.fresh, after.status) == ("run1", "done")
    assert after.stages["fit"].files == before.stages["fit"].files
    perform_assignment(assign(fresh="run1").to_json())
    assert record_of(assign()) == after, "the same run does not train it twice"


def test_a_link_in_a_trials_folder_is_not_written_through(assign: Assign, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("mine")
    folder = folder_of(assign("faulty[fault=prints]"))
    folder.mkdir(parents=True)
    (folder / "output.txt").symlink_to(tmp_path / "outside.txt")
    with pytest.raises(StoreError, match=r"output.txt is a link; expected what genbench wrote"):
        perform_assignment(assign("faulty[fault=prints]").to_json())
    assert (tmp_path / "outside.txt").read_text() == "mine"


def test_a_folder_that_another_trial_has_got_meanwhile_is_not_worked_in(assign: Assign) -> None:
    perform_assignment(assign().to_json())
    folder = folder_of(assign())
    before = contents(folder)
    with pytest.raises(StoreError, match="holds another trial since the run was planned; start the run again"):
        perform_assignment(assign(seed=1, folder=folder.name).to_json())
    assert contents(folder) == before


@pytest.mark.parametrize("change", [{"threads": 2}, {}])
def test_an_interrupted_training_goes_on_under_the_same_conditions_alone(
    change: dict[str, int], assign: Assign
) -> None:
    assignment = assign("toy[epochs=3]")
    asked = iter([False] * 15 + [True] * 99)
    assert perform_assignment(assignment.to_json(), stop=lambda: next(asked))["status"] == "interrupted"
    (kept,) = folder_of(assignment).glob("checkpoint-*/loop00000-*")
    assert kept.name.startswith("loop00000-000000016-")
    (folder_of(assignment) / f".model.safetensors.{os.getpid()}.0badf00d").touch()  # as a killed process leaves it
    steps = []
    perform_assignment(dataclasses.replace(assignment, **change).to_json(), stop=lambda: bool(steps.append(1)))
    assert len([1 for _ in steps]) - 3 == (30 if change else 14), "steps, and three times between stages"
    assert list(folder_of(assignment).glob("checkpoint-*")) == []
    assert list(folder_of(assignment).glob(".model*")) == []


def test_an_answer_is_plain_data_whatever_happens(assign: Assign) -> None:
    assignment = assign()
    with TrialFolder(folder_of(assignment)).lock():
        told = answer(assignment.to_json(), lambda progress: None, lambda: False)
    assert told["status"] == "busy"
    assert "held by process" in told["reason"]
    changed = dataclasses.replace(assignment, trial=dataclasses.replace(assignment.trial, dataset_digest="0"))
    told = answer(changed.to_json(), lambda progress: None, lambda: False)
    assert told == {"status": "error", "error": "DataError", "reason": "digits changed while the run was going on; start the run again"}  # fmt: skip
