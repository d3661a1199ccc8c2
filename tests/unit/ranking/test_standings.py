"""How trials stand while others work on them: planned, running, done, failed, damaged; and tables that are not theirs."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import genbench
from genbench.cli import main
from genbench.engines.schedule import Outcome, Silent
from genbench.output.board_table import tables
from genbench.output.terminal import as_text
from genbench.ranking.standings import standings
from genbench.runs import execution, planning, stored
from genbench.runs.settings import RunSettings
from genbench.store import locks, plans, progress_file
from genbench.store.store import Store

RUN = ["run", "--metric", "brightness", "--reference", "none", "--quiet", "--engine", "inline"]


HUGE = '{"stage": "fit", "epoch": 1, "epochs": 2, "log": {"loss": 1' + "0" * 400 + "}}"


@pytest.fixture
def here(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(models: str = "toy", **rest) -> execution.Report:
    return genbench.run(models=models, metrics="brightness", engine="inline", **{"reference": "none", **rest})


def scores(results: Path) -> list[Path]:
    return sorted(results.rglob("metrics/brightness-*.json"))


def test_a_trial_under_way_in_another_process_reads_running_with_its_epoch(here: Path, capsys) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "genbench", *RUN, "--models", "toy[epochs=100000000],toy", "--seeds", "2"]
    other = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not any("epoch" in path.read_text() for path in here.rglob(progress_file.PROGRESS) if path.exists()):
            assert other.poll() is None
            time.sleep(0.05)
        assert main(["status"]) == 0
        told = capsys.readouterr().out.splitlines()
        assert told[0] == "4 trials: 1 running, 3 planned"
        assert "toy[epochs=100000000] on digits, seed 0: epoch " in told[1]
        assert "/100000000 " in told[1]
        assert f"process {other.pid} on " in told[1]
        (board,), _ = stored.read_boards(["results"])
        assert board.rows[0].statuses == {"running": 1}
        assert "running: epoch" in " ".join(as_text(tables([board]), 200).split())
        assert "interrupted" not in as_text(tables([board]))
    finally:
        other.kill()
        other.wait()
    (standing,) = standings(Store(Path("results")))
    assert (standing.state, plans.planned(Path("results"))) == ("interrupted", {})
    assert run().failed == 0
    assert not Path("results", plans.PLANS).exists(), "what a killed run announced is forgotten"


def test_what_is_done_failed_and_damaged(here: Path, capsys) -> None:
    run("toy,faulty[fault=raises]", seeds=2)
    os.truncate(scores(Path("results"))[0], 5)
    (here / "results" / "trials" / "odd-abc").mkdir()
    (here / "results" / "trials" / "odd-abc" / "trial.json").write_text("{")
    assert main(["status", "results"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "5 trials: 2 failed, 2 damaged, 1 done"
    assert Counter(line.split()[0] for line in told[1:]) == {"failed": 2, "damaged": 2, "done": 1}
    assert sum("no luck today" in line for line in told) == 2


def test_nowhere_is_no_folder_of_results(here: Path, capsys) -> None:
    assert main(["status", "nowhere"]) == 2
    assert "no trials in nowhere, and no run at work there" in capsys.readouterr().err


def test_a_damaged_score_leaves_a_seed_less_and_the_reason(here: Path, capsys) -> None:
    run(seeds=3)
    score = scores(Path("results"))[0]
    os.truncate(score, 5)
    assert main(["leaderboard"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert " 2/3 " in out
    assert f"s0 damaged: {score} is damaged".replace(" ", "") in out.replace(" ", "")
    (row,) = stored.read_boards(["results"])[0][0].rows
    assert (row.seeds_done, row.seeds_planned, row.statuses) == (2, 3, {"damaged": 1})
    assert genbench.load_results().leaderboard["damaged"].tolist() == [1]
    assert run(seeds=3).boards[0].rows[0].seeds_done == 3


@pytest.mark.parametrize("name", ["leaderboard.csv", "trials.csv"])
def test_doctor_notices_a_table_that_the_store_does_not_give(name: str, here: Path, capsys) -> None:
    run(seeds=2)
    assert main(["doctor", "--verify"]) == 0
    table = Path("results", name)
    table.write_text(table.read_text().replace("toy", "joy"))
    with locks.held(next(Path("results/trials").iterdir())):
        assert main(["doctor", "--verify"]) == 0, "someone is at work there, and will write it"
    capsys.readouterr()
    assert main(["doctor", "--verify"]) == 1
    assert f"results/{name} is not what the stored trials give" in " ".join(capsys.readouterr().out.split())
    run(seeds=2)
    assert main(["doctor", "--verify"]) == 0


@pytest.mark.parametrize(
    "content", ["", "[]", '{"stage": "fit"}', '{"stage": "fit", "epoch": 1, "epochs": 2, "log": 3}', HUGE]
)
def test_progress_that_anyone_may_have_written_is_only_words(content: str, tmp_path: Path) -> None:
    (tmp_path / progress_file.PROGRESS).write_text(content)
    assert progress_file.in_words(tmp_path) == "another process"


def test_a_plan_that_anyone_may_have_written_is_read_with_care(tmp_path: Path) -> None:
    one, two = "0" * 12, "f" * 12
    with plans.announced(tmp_path, {one: "x on y, seed 0", two: "x on y, seed 1"}) as over:
        (folder,) = (tmp_path / plans.PLANS).iterdir()
        assert plans.planned(tmp_path) == {one: "x on y, seed 0", two: "x on y, seed 1"}
        over(one)
        over(one)
        assert plans.planned(tmp_path) == {two: "x on y, seed 1"}
        (folder / two).write_bytes(b"\xff" * 2000)
        (folder / "thesis.txt").write_text("mine")
        (folder / one).symlink_to(folder / "thesis.txt")
        assert plans.planned(tmp_path) == {}
        assert locks.is_held(folder)
    assert list(tmp_path.iterdir()) == []


def test_what_killed_runs_left_of_their_plans_is_removed_by_a_later_one(tmp_path: Path) -> None:
    left = [tmp_path / plans.PLANS / name for name in ("new", "old", "begun")]
    for folder in left:
        folder.mkdir(parents=True)
    os.utime(left[1], (1, 1))
    (left[2] / ("0" * 12)).write_text("x on y, seed 0")
    assert plans.planned(tmp_path) == {}
    with plans.announced(tmp_path, {}):
        assert [folder.exists() for folder in left] == [True, False, False], "a new one may be about to be taken"


@pytest.mark.parametrize("again", ["scored again", "failed", "damaged"])
def test_what_a_live_run_is_to_do_again_reads_planned(again: str, here: Path) -> None:
    report = run("faulty[fault=raises]" if again == "failed" else "toy", seeds=1)
    ((folder, record),) = (copies[0] for copies in report.plan.store.read().trials.values())
    if again == "damaged":
        os.truncate(next((folder.path / "metrics").glob("*.json")), 5)

    def state() -> str:
        (standing,) = standings(Store(Path("results")))
        return standing.state

    with plans.announced(Path("results"), {record.id: "toy on digits, seed 0"}) as over:
        assert state() == "planned"
        over(record.id)
        assert state() == {"scored again": "done"}.get(again, again)


def test_a_run_takes_out_of_its_plan_what_is_over(here: Path) -> None:
    ahead: list[int] = []

    class Looking(Silent):
        def ended(self, task: str, outcome: Outcome) -> None:
            ahead.append(len(plans.planned(Path("results"))))

    given = {"engine": "inline", "reference": "none", "seeds": 2}
    execution.execute(planning.plan(RunSettings("toy,toy[epochs=7]", "brightness", **given)), Looking())
    assert ahead == [3, 2, 1, 0]
