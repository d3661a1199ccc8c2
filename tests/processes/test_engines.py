"""Where trials run: warm worker processes, and what they do to each other, which is nothing."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from places import TESTS
from trials import contents_of
from waiting_for import interrupted_twice, wait_for

from genbench.engines.process import ProcessEngine, why_lost
from genbench.engines.schedule import Outcome
from genbench.errors import RequestError, StoreError
from genbench.runs import execution, planning
from genbench.runs.settings import RunSettings
from genbench.store.progress_file import PROGRESS
from genbench.store.store import Store

Run = Callable[..., execution.Report]


@pytest.fixture
def run(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs toy models on worker processes, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENBENCH_ENGINE", "process")

    def go(models: str, **rest: Any) -> execution.Report:
        return execution.run(models, **{"metrics": "brightness", "reference": "none", "seeds": 1, **rest})

    return go


def outcomes(report: execution.Report) -> dict[str, Outcome]:
    """Return how each model's first trial ended, by the model's label."""
    names = {trial.id: trial.model.label for trial in report.plan.grid.trials()}
    return {names[trial]: outcome for trial, outcome in report.outcomes.items()}


def workers() -> list[psutil.Process]:
    """Return the worker processes of this process; one that has ended and was not waited for yet is none."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [child] if "genbench.engines.worker_main" in child.cmdline() else []
    return found


@pytest.mark.slow
def test_the_records_are_the_same_bits_whatever_the_engine_and_the_number_of_jobs(run: Run) -> None:
    models = "layered,toy,gan[epochs=3],vae[epochs=2],kmeans,pca,gaussian,train-data"
    for name, given in (("one", {"jobs": 1}), ("two", {"jobs": 2}), ("inline", {"engine": "inline"})):
        report = run(models, metrics="brightness,parzen[samples=1000]", seeds=2, results=name, **given)
        assert {outcome.status for outcome in report.outcomes.values()} == {"done"}
    one, two, inline = (contents_of(Path(name)) for name in ("one", "two", "inline"))
    assert len(one) == 16 * 7  # a model, a log, a file of samples, two scores, the examples of one, and trial.json
    assert one == two == inline


@pytest.mark.slow
def test_workers_are_warm_and_end_with_the_run(run: Run) -> None:
    report = run("toy", seeds=6, jobs=2)
    environments = [record.environment for _, record in Store(Path("results")).all()]
    assert len(environments) == 6
    assert report.plan.engine.settings["jobs"] == 2
    assert workers() == []


FAULTS = {
    "raises": ("failed", "ValueError: no luck"),
    "exits": ("failed", "SystemExit: leaving"),
    "leaves-with-0": ("failed", "it ended its process with exit code 0"),
    "leaves-with-3": ("failed", "it ended its process with exit code 3"),
    "crashes": ("failed", "its process died of SIGSEGV; see output.txt"),
    "nan-loss": ("diverged", "loss is nan"),
    "wrong-shape": ("failed", "ValueError: sample returned (1000, 64)"),
    "out-of-range": ("failed", "expected within [0, 1]"),
    "eats": ("out-of-memory", "RuntimeError"),
    "prints-deep": ("done", ""),
}


@pytest.mark.slow
def test_a_model_that_misbehaves_costs_its_own_trial_alone(run: Run) -> None:
    models = [f"faulty[fault={fault}]" for fault in FAULTS]
    report = run(",".join([*models, "toy"]), engine="process[memory=1500]", jobs=2)
    ended = {re.sub(r".*fault=(.*)\]", r"\1", label): outcome for label, outcome in outcomes(report).items()}
    assert ended.pop("toy").status == "done"
    assert {fault: outcome.status for fault, outcome in ended.items()} == {f: status for f, (status, _) in FAULTS.items()}  # fmt: skip
    for fault, (_, reason) in FAULTS.items():
        assert reason in ended[fault].reason
    rows = {row.model: row for row in report.boards[0].rows}
    assert rows["toy"].seeds_done == 1
    assert rows["faulty[fault=crashes]"].statuses == {"failed": 1}
    assert rows["faulty[fault=eats]"].statuses == {"out-of-memory": 1}
    said = {path.parent.name.split("-digits")[0]: path.read_text() for path in Path("results").rglob("output.txt")}
    assert "hello from the depths" in said["faulty-fault-prints-deep"]
    assert "Fatal Python error: Segmentation fault" in said["faulty-fault-crashes"]
    assert "no luck" in next(Path("results").rglob("faulty-fault-raises-digits*/traceback.txt")).read_text()


@pytest.mark.slow
def test_a_trial_that_hangs_is_ended_by_its_deadline_and_one_that_trains_is_saved(run: Run) -> None:
    report = run("faulty[fault=hangs],toy[epochs=1000000],toy", timeout=30, jobs=2)  # a busy machine does toy in less
    ended = outcomes(report)
    assert {label: outcome.status for label, outcome in ended.items()} == {"faulty[fault=hangs]": "timeout", "toy[epochs=1000000]": "timeout", "toy": "done"}  # fmt: skip
    assert "not done after 30 s; the same command goes on from there" in ended["faulty[fault=hangs]"].reason
    records = {record.model["label"]: record for _, record in Store(Path("results")).all()}
    assert records["toy[epochs=1000000]"].status == records["faulty[fault=hangs]"].status == "timeout"
    assert list(Path("results").rglob("checkpoint-*/loop00000-*")), "what was trained is kept"
    assert workers() == []


@pytest.mark.slow
def test_a_killed_worker_goes_on_from_its_checkpoint(run: Run, tmp_path: Path) -> None:
    (tmp_path / "kills").mkdir()
    model = f'killed[times=2,folder="{tmp_path}/kills"]'
    report = run(f"{model},toy", checkpoint_every=0)
    assert {outcome.status for outcome in report.outcomes.values()} == {"done"}
    assert len(list((tmp_path / "kills").iterdir())) == 2
    run(model, checkpoint_every=0, results="undisturbed", engine="inline")
    expected = contents_of(Path("undisturbed"))
    assert {name: content for name, content in contents_of(Path("results")).items() if name in expected} == expected
    (record,) = (record for _, record in Store(Path("results")).all() if record.model["name"] == "killed")
    assert record.attempts == 3


@pytest.mark.slow
def test_a_worker_killed_too_often_leaves_its_trial_to_the_next_run(run: Run, tmp_path: Path) -> None:
    (tmp_path / "kills").mkdir()
    model = f'killed[times=3,folder="{tmp_path}/kills"]'
    (outcome,) = run(model).outcomes.values()
    assert (outcome.status, outcome.reason) == ("interrupted", "its process was killed by SIGKILL 3 times")
    (outcome,) = run(model).outcomes.values()
    assert outcome.status == "done"


@pytest.mark.slow
def test_what_a_model_leaves_behind_touches_no_later_trial(run: Run) -> None:
    report = run("rude,toy,layered", seeds=1, jobs=1)
    assert {outcome.status for outcome in report.outcomes.values()} == {"done"}
    run("toy,layered", seeds=1, engine="inline", results="alone")
    expected = contents_of(Path("alone"))
    assert {name: content for name, content in contents_of(Path("results")).items() if name in expected} == expected


@pytest.mark.slow
def test_a_process_that_ends_because_of_an_earlier_trial_costs_no_other(run: Run) -> None:
    report = run("rude[bomb=true],toy[epochs=600]", seeds=1, jobs=1)
    assert {label: outcome.status for label, outcome in outcomes(report).items()} == {"rude[bomb=true]": "done", "toy[epochs=600]": "done"}  # fmt: skip


@pytest.mark.slow
def test_an_interrupted_fresh_run_is_gone_on_with_and_a_failed_one_keeps_the_old_results(run: Run) -> None:
    run("toy", seeds=2, engine="inline")
    before = {record.seed: record for _, record in Store(Path("results")).all()}
    Store(Path("results")).keep_fresh_mark("mark")
    assert len(planning.plan(RunSettings("toy", "brightness", seeds=2, reference="none", fresh=True)).todo) == 2
    report = run("toy", seeds=2, fresh=True, jobs=2)
    after = {record.seed: record for _, record in Store(Path("results")).all()}
    assert {record.fresh for record in after.values()} == {"mark"}
    assert report.failed == 0
    assert before.keys() == after.keys()
    assert Store(Path("results")).fresh_mark() == ""


@pytest.mark.parametrize(
    ("code", "oom_killed", "status", "reason", "again"),
    [
        (-9, True, "out-of-memory", "want of memory", False),
        (-9, False, "interrupted", "killed by SIGKILL", True),
        (-15, False, "interrupted", "killed by SIGTERM", True),
        (-2, False, "interrupted", "killed by SIGINT", True),
        (-11, True, "failed", "died of SIGSEGV", False),
        (-6, False, "failed", "died of SIGABRT", False),
        (-64, False, "failed", "died of SIGRTMAX", False),
        (0, False, "failed", "exit code 0", False),
        (7, False, "failed", "exit code 7", False),
    ],
)
def test_an_exit_code_says_what_became_of_a_trial(code: int, oom_killed: bool, status: str, reason: str, again: bool) -> None:  # fmt: skip
    told = why_lost(code, oom_killed)
    assert (told["status"], told["again"]) == (status, again)
    assert reason in told["reason"]


def test_each_worker_is_pinned_to_its_gpu_before_torch_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-1f,5")
    engine = ProcessEngine(jobs=4, device="cuda", threads=2)
    environments = [engine._environment(slot) for slot in range(4)]
    assert [env["CUDA_VISIBLE_DEVICES"] for env in environments] == ["3", "GPU-1f", "5", "3"]
    assert {env["OMP_NUM_THREADS"] for env in environments} == {"2"}
    assert environments[0]["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert ProcessEngine(device="cuda:1")._environment(3)["CUDA_VISIBLE_DEVICES"] == "GPU-1f"
    assert ProcessEngine(device="cpu")._environment(0)["CUDA_VISIBLE_DEVICES"] == "3, GPU-1f,5"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"engine": "inline", "jobs": 2}, "--jobs 2: engine inline performs one trial after another"),
        ({"engine": "inline", "timeout": 5}, "--timeout 5: engine inline cannot stop a trial; use --engine process"),
        ({"engine": "proces"}, "unknown engine 'proces'. Did you mean process?"),
        ({"engine": "process[jobs=0]"}, "jobs"),
        ({"engine": "process[memory=1]"}, "memory"),
    ],
)
def test_what_an_engine_cannot_do_is_refused_before_anything_trains(given: dict[str, Any], message: str, run: Run) -> None:  # fmt: skip
    with pytest.raises(RequestError, match=re.escape(message)):
        run("toy", **given)
    assert not Path("results").exists()


def test_trials_take_workers_also_where_there_is_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENBENCH_ENGINE")
    planned = [planning.plan(RunSettings("toy", seeds=seeds, reference="none")) for seeds in (1, 2)]
    assert [plan.engine.name for plan in planned] == ["process", "process"]
    assert planned[0].engine.settings["jobs"] == 1
    assert planned[1].engine.settings["jobs"] == min(2, len(os.sched_getaffinity(0)))


@pytest.mark.slow
def test_an_error_of_the_disk_ends_the_run_and_says_so(run: Run) -> None:
    trial = planning.plan(RunSettings("toy", seeds=3, reference="none")).todo[1]
    Path("results/trials").mkdir(parents=True)
    Path(f"results/trials/{trial.folder_name}-{trial.id}").write_text("in the way")
    with pytest.raises(StoreError, match=rf"cannot write to .*{trial.id}: File exists"):
        run("toy", seeds=3)
    assert workers() == []


# The command, its signals, and what others do meanwhile ---------------------------------------------------------------


@pytest.fixture
def start(toy: str, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts the command in tmp_path; what is still running at the end is killed."""
    started: list[subprocess.Popen[str]] = []
    path = os.pathsep.join([str(TESTS / "toy_plugin"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("GENBENCH_ENGINE")

    def go(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "genbench", "run", "--metric", "brightness", "--reference", "none", *arguments]
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield go
    for process in started:
        process.kill()
        process.communicate()


def children_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_once_it_stops_after_saving(number: signal.Signals, start: Any, tmp_path: Path) -> None:
    process = start("--models", "toy,toy[epochs=1000000]", "--seeds", "1")
    wait_for(lambda: '"status": "done"' in "".join(p.read_text() for p in tmp_path.rglob("toy-digits*/trial.json")))
    wait_for(lambda: list(tmp_path.rglob("toy-epochs*/trial.json")))
    process.send_signal(number)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    assert "Ctrl-C again stops at once. Saving what is under way." in said
    assert "interrupted: 1 of 2 trials are done; what was under way is saved" in said
    assert "give the same command again" in said
    assert list(tmp_path.rglob("checkpoint-*/loop00000-*"))
    assert (tmp_path / "results" / "leaderboard.csv").exists()


@pytest.mark.slow
def test_asked_twice_it_stops_at_once(start: Any, tmp_path: Path) -> None:
    process = start("--models", "toy,faulty[fault=hangs]", "--seeds", "1", "--jobs", "2")
    wait_for(lambda: list(tmp_path.rglob("faulty*/trial.json")))
    inside = children_of(process)
    said = interrupted_twice(process)  # the model sleeps for 600 s
    assert "interrupted at once; finished stages and the last checkpoints are kept" in said
    assert not any(child.is_running() for child in inside)


@pytest.mark.slow
def test_workers_end_when_their_driver_is_killed_and_save_before(start: Any, tmp_path: Path) -> None:
    process = start("--models", "toy[epochs=1000000]", "--seeds", "2", "--jobs", "2")
    wait_for(lambda: sum("epoch" in path.read_text() for path in tmp_path.rglob(PROGRESS) if path.exists()) == 2)
    inside = children_of(process)
    assert len(inside) == 2
    process.kill()
    wait_for(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in inside))
    assert len(list(tmp_path.rglob("checkpoint-*/loop00000-*"))) == 2


@pytest.mark.slow
def test_two_processes_on_one_folder_do_each_trial_once(start: Any, tmp_path: Path) -> None:
    first, second = (start("--models", "toy[epochs=40],layered", "--seeds", "4", "--jobs", "1") for _ in range(2))
    said = [process.communicate(timeout=500)[1] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    assert [record.attempts for _, record in Store(tmp_path / "results").all()] == [1] * 8
    assert all("8/8" in each for each in said)


@pytest.mark.slow
def test_who_holds_what_is_seen(start: Any, tmp_path: Path) -> None:
    process = start("--models", "toy[epochs=1000000]", "--seeds", "1")
    wait_for(lambda: list(tmp_path.rglob("trial.json")))
    command = [sys.executable, "-m", "genbench", "doctor", "--results", str(tmp_path / "results")]
    told = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})
    (worker,) = children_of(process)
    assert re.search(rf"toy-epochs-1000000-digits-s0-\w+ by process {worker.pid} on \S+ since 20", told.stdout)
    process.kill()
    process.wait()
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    told = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})
    assert "by process" not in told.stdout
    assert json.loads((next(tmp_path.rglob("trial.json"))).read_text())["status"] == "interrupted"
