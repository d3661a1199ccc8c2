"""The Python API: planning, running, reading, with the toy plugin."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import genbench
from genbench.errors import DataError, RequestError, StoreError
from genbench.output.tables_csv import read_csv
from genbench.runs import execution, planning, stored
from genbench.runs.settings import RunSettings
from genbench.store.store import Store


@pytest.fixture
def run(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that runs in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def go(models: str = "toy", metrics: str = "brightness", **rest: Any) -> execution.Report:
        return genbench.run(models=models, metrics=metrics, **{"reference": "none", **rest})

    return go


def test_a_run_trains_scores_ranks_and_writes(run) -> None:
    report = run("toy,toy@long", "brightness,parzen")
    assert [board.metric.label for board in report.boards] == ["brightness", "parzen"]
    for board in report.boards:
        assert {row.model for row in board.rows} == {"toy", "toy@long"}
        for row in board.rows:
            assert (row.seeds_done, row.seeds_planned) == (3, 3)
            assert row.summary.low < row.summary.mean < row.summary.high
            assert row.rank_low in (1, 2)
    assert report.failed == 0
    assert len(report.outcomes) == 6
    written = read_csv(Path("results/leaderboard.csv"))
    assert written["mean"].tolist() == report.leaderboard["mean"].tolist()
    assert list(read_csv(Path("results/trials.csv"))["seed"]) == [0, 1, 2] * 4


def test_a_second_run_does_nothing_and_says_the_same(run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run()
    monkeypatch.setattr("genbench.trial.worker.perform_assignment", None)
    second = run()
    assert second.outcomes == {}
    assert second.leaderboard.equals(first.leaderboard)


def test_only_what_is_missing_is_done(run) -> None:
    run(seeds=2)
    assert len(run(seeds=3).outcomes) == 1
    assert len(run(seeds=3, metrics="brightness,parzen").outcomes) == 3
    assert len(run(seeds=3, fresh=True).outcomes) == 3


def test_labels_that_mean_the_same_are_one_trial(run) -> None:
    report = run("toy[epochs=2],toy,toy[lr=0.1,epochs=2]")
    assert [row.model for row in report.boards[0].rows] == ["toy[epochs=2]"]  # the first that was asked for
    assert len(report.outcomes) == 3


def test_settings_are_no_part_of_the_identity(run) -> None:
    run("toy")
    assert run("toy[verbose=true]").outcomes == {}


def test_a_failed_seed_is_never_averaged_away(run) -> None:
    report = run("toy,faulty[fault=raises]", seeds=2)
    rows = {row.model: row for row in report.boards[0].rows}
    failed = rows["faulty[fault=raises]"]
    assert (failed.seeds_done, failed.seeds_planned, failed.summary, failed.rank_low) == (0, 2, None, None)
    assert failed.statuses == {"failed": 2}
    assert "ValueError: no luck today [31m" in failed.reasons[0]
    assert report.failed == 2
    frame = report.leaderboard.set_index("model")
    assert frame.loc["faulty[fault=raises]", "failed"] == 2
    assert run("toy,faulty[fault=raises]", seeds=2).outcomes == {}, "a failed trial is settled until --fresh"


def test_a_refusing_metric_is_not_a_failure(run) -> None:
    report = run("toy", "picky", seeds=2)
    assert report.failed == 0
    assert report.boards[0].rows[0].statuses == {"skipped": 2}


def test_a_failing_metric_is_tried_again_and_others_are_kept(run) -> None:
    report = run("toy", "picky[mood=raises],brightness", seeds=1)
    assert report.failed == 1
    assert [row.summary is None for board in report.boards for row in board.rows] == [True, False]
    assert len(run("toy", "picky[mood=raises]", seeds=1).outcomes) == 1


def test_reference_rows_are_not_ranked(run) -> None:
    report = run(reference=["train-data", "gaussian"], seeds=2)
    assert {row.model: row.rank_low for row in report.boards[0].rows} == {
        "toy": 1,
        "train-data": None,
        "gaussian": None,
    }
    assert list(report.leaderboard["kind"]) == ["ours", "reference", "reference"]


def test_protocols_never_share_a_board(run) -> None:
    run("toy", "brightness", seeds=2)
    run("toy", "brightness[samples=200]", seeds=2)
    run("toy", "brightness", seeds=2, target="valid")
    run("toy", "brightness", seeds=2, budget="5steps")
    found, damaged = stored.read_boards(["results"])
    assert damaged == []
    assert len({board.protocol_id for board in found}) == len(found) == 4


def test_samples_set_every_metric_that_draws(run) -> None:
    report = run("toy", "brightness,parzen", samples=300, seeds=1)
    assert [board.metric.label for board in report.boards] == ["brightness[samples=300]", "parzen[samples=300]"]


def test_options_by_name_win(run) -> None:
    report = run("toy[epochs=9]", options={"toy": {"epochs": 1}}, seeds=1)
    assert report.boards[0].rows[0].model == "toy[epochs=1]"


def test_a_suite_is_the_base_and_arguments_win(run) -> None:
    Path("mine.toml").write_text('models = ["toy"]\nmetrics = ["brightness"]\nseeds = [4]\nreference = []\n')
    by_suite = genbench.run(suite="mine.toml")
    assert [t.seed for t in by_suite.plan.grid.trials()] == [4]
    assert genbench.run(suite="mine.toml", seeds=[7], reference="none").plan.grid.seeds == [7]


def test_a_suite_without_seeds_has_as_many_as_the_command_line(run) -> None:
    Path("mine.toml").write_text('models = ["toy"]\nmetrics = ["brightness"]\nreference = []\n')
    assert (
        planning.plan(RunSettings(suite="mine.toml")).grid.seeds
        == planning.plan(RunSettings(models="toy")).grid.seeds
        == [0, 1, 2]
    )


def test_load_results_gives_data_frames(run) -> None:
    report = run("toy", seeds=2)
    results = genbench.load_results("results")
    assert results.leaderboard["mean"].tolist() == report.leaderboard["mean"].tolist()
    assert results.trials["status"].tolist() == ["done", "done"]
    with pytest.raises(StoreError, match="no results in nowhere"):
        genbench.load_results("nowhere")


def test_folders_of_two_people_make_one_leaderboard(run) -> None:
    run("toy", seeds=[0, 1], results="mine")
    run("toy", seeds=[1, 2], results="theirs")
    (board,), _ = stored.read_boards(["mine", "theirs"])
    assert board.rows[0].seeds_done == 3


def test_conflicting_scores_of_one_trial_are_named(run) -> None:
    from genbench import files

    run("toy", seeds=1, results="mine")
    run("toy", seeds=1, results="theirs")
    ((folder, record),) = Store(Path("theirs")).all()
    (stage,) = (name for name in record.stages if name.startswith("brightness"))
    content = {**folder.read(record, stage, f"metrics/{stage}.json"), "value": 0.5}
    folder.commit(record, stage, {f"metrics/{stage}.json": lambda path: files.write_record(path, content)}, 0.1)
    with pytest.raises(StoreError, match=r"has different scores for brightness .* and 0.5"):
        stored.read_boards(["mine", "theirs"])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"models": ""}, RequestError, "no model given"),
        ({"models": "tooy"}, RequestError, "Did you mean toy"),
        ({"models": "toy@short"}, RequestError, "unknown preset of toy 'short'"),
        ({"models": "faulty@long"}, RequestError, "faulty has no presets"),
        ({"models": "toy[lr=0]"}, RequestError, "option lr is 0; expected float > 0"),
        ({"models": "toy[3]"}, RequestError, "takes no unnamed value"),
        ({"models": "plain-class"}, genbench.GenbenchError, "is no dataclass"),
        ({"metrics": "toy"}, RequestError, "unknown metric 'toy'"),
        ({"datasets": "npz"}, RequestError, "npz needs a path: as in npz:PATH"),
        ({"datasets": "npz:nowhere.npz"}, DataError, "nowhere.npz"),
        ({"seeds": 0}, RequestError, "seeds is 0"),
        ({"seeds": []}, RequestError, "expected whole numbers"),
        ({"seeds": [1, 1]}, RequestError, "given twice"),
        ({"budget": "5"}, RequestError, "--budget '5': expected steps or seconds"),
        ({"budget": "0steps"}, RequestError, "--budget '0steps'"),
        ({"device": "cuda:99"}, RequestError, "this machine has"),
        ({"device": "tpu"}, RequestError, "expected auto, cpu, cuda"),
        ({"engine": "dask"}, RequestError, "unknown engine 'dask'"),
        ({"options": {"gan": {"lr": 1}}}, RequestError, "options are set for 'gan', which is not in this run"),
        ({"options": {"toy": {"lrr": 1}}}, RequestError, "Did you mean lr"),
        ({"against": "nobody"}, RequestError, "unknown claims 'nobody'"),
        ({"suite": "nope"}, RequestError, "unknown suite 'nope'"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(given, error, message, run) -> None:
    with pytest.raises(error, match=message):
        run(**given)
    assert not Path("results").exists()


def test_a_report_prints_as_the_tables_of_the_command(run) -> None:
    """A notebook prints what a cell's last line comes to: never the megabytes of all that was planned."""
    printed = repr(run("toy,toy@long", "brightness,parzen", seeds=2))
    again = subprocess.run(
        [sys.executable, "-m", "genbench", "leaderboard"], env={**os.environ, "COLUMNS": "80", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [line.split() for line in again.stdout.splitlines() if " ± " in line and "toy" in line]
    assert len(rows) == 4
    shown = [line.split() for line in printed.splitlines()]
    assert all(any(row[:5] == line[:5] for line in shown) for row in rows), (rows, printed)
    assert max(map(len, printed.splitlines())) <= 80


def test_what_was_asked_for_is_shown_also_where_it_is_the_default(run) -> None:
    first = run("toy[epochs=3,lr=0.1],toy[epochs=3,lr=0.2]", "brightness[samples=500]")
    swept = ["toy[epochs=3,lr=0.1]", "toy[epochs=3,lr=0.2]"]
    assert set(first.leaderboard["model"]) == set(swept)
    assert first.boards[0].metric.label == "brightness[samples=500]"
    canonical = run("toy[epochs=3],toy[epochs=3,lr=0.2]", "brightness")
    assert canonical.outcomes == {}
    assert [t.id for t in canonical.plan.grid.trials()] == [t.id for t in first.plan.grid.trials()]
    assert canonical.boards[0].protocol_id == first.boards[0].protocol_id
    assert set(canonical.leaderboard["model"]) == {"toy[epochs=3]", swept[1]}
    by_set = run("toy", options={"toy": {"epochs": 3, "lr": 0.1}})
    assert (by_set.outcomes, list(by_set.leaderboard["model"])) == ({}, swept[:1])


def test_a_metric_with_and_without_its_defaults_is_one(run) -> None:
    report = run("toy", "brightness,brightness[samples=500]")
    assert len(report.boards) == 1
    assert len(report.leaderboard) == 1
