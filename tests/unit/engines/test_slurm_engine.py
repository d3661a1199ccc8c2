"""The Slurm engine on a queue that starts nothing: what it submits, what it makes of what Slurm says, what it refuses."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm_stub import SlurmStub
from waiting_for import wait_for

from genbench.api import Engine, Event, Task
from genbench.engines.schedule import Silent, perform_all
from genbench.errors import GenbenchError, RequestError
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.runs.settings import RunSettings, make_engine
from genbench.store import plans
from genbench_plugins.engines import slurm_engine, slurm_folder, slurm_queue
from genbench_plugins.engines.slurm_engine import SlurmEngine
from genbench_plugins.engines.slurm_folder import ArrayFolder, Mailbox
from genbench_plugins.engines.slurm_local import LocalQueue
from genbench_plugins.engines.slurm_queue import Wishes

Cli = Callable[[str], tuple[int, str, str]]
Make = Callable[..., SlurmEngine]


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmStub]:
    stub = SlurmStub(tmp_path, monkeypatch.setenv)
    stub.let("hold")
    yield stub
    stub.close()


@pytest.fixture
def make(stub: SlurmStub) -> Iterator[Make]:
    made: list[SlurmEngine] = []

    def go(**options: object) -> SlurmEngine:
        made.append(SlurmEngine(**{"poll": 0.01, **options}))
        return made[-1]

    yield go
    for engine in made:
        engine.close()


def task(tmp_path: Path, name: str = "t", **rest: object) -> Task:
    return Task(name, f'{{"of":"{name}"}}', **{"results": str(tmp_path / "res ults"), **rest})


def submitted(engine: Engine, *tasks: Task) -> list[Event]:
    for each in tasks:
        engine.submit(each, 1)
    return list(engine.events(0.0))


def heard(engine: Engine) -> list[tuple[str, str]]:
    """Return the events until the engine has nothing under way."""
    return [(event.kind, str(event.data.get("reason", event.data.get("status", "")))) for event in engine.events(60)]


def array(tmp_path: Path) -> ArrayFolder:
    (found,) = slurm_folder.known(tmp_path / "res ults" / ".slurm")
    return found


def calls(stub: SlurmStub, command: str) -> list[list[str]]:
    lines = (stub.folder / "calls").read_text().splitlines()
    return [call for line in lines if (call := json.loads(line))[0] == command]


# What is submitted


def test_what_is_missing_is_one_array_of_what_was_asked_for(make: Make, stub: SlurmStub, tmp_path: Path) -> None:
    wishes = {"partition": "gpu,long", "account": "lab", "gres": "gpu:a100:1", "time": "1-02:00:00", "memory": 4096}
    engine = make(**wishes, qos="low", constraint="ib&a100", jobs=2)
    submitted(engine, *(task(tmp_path, name, cpus=3) for name in "abc"))
    assert [*stub.jobs] == ["1_0", "1_1", "1_2"]
    options = json.loads((stub.folder / "array-1").read_text())
    expected = {"partition": "gpu,long", "account": "lab", "gres": "gpu:a100:1", "time": "1-02:00:00", "mem": "4096M"}
    expected |= {"qos": "low", "constraint": "ib&a100", "array": "0-2%2", "cpus-per-task": "3", "requeue": ""}
    assert expected.items() <= options.items()
    assert "wckey" not in options
    assert options["signal"] == "USR2@90"


def test_what_was_not_asked_for_is_left_to_slurm(make: Make, stub: SlurmStub, tmp_path: Path) -> None:
    submitted(make(), task(tmp_path))
    options = json.loads((stub.folder / "array-1").read_text())
    assert {"partition", "account", "qos", "constraint", "gres", "time", "mem", "array"} & options.keys() == set()


def test_a_trial_on_a_gpu_asks_for_one(make: Make, stub: SlurmStub, tmp_path: Path) -> None:
    submitted(make(), task(tmp_path, gpus=1.0))
    assert json.loads((stub.folder / "array-1").read_text())["gres"] == "gpu:1"


def test_other_users_cannot_change_what_jobs_load(make: Make, tmp_path: Path) -> None:
    submitted(make(), task(tmp_path))
    assert array(tmp_path).path.stat().st_mode & 0o077 == 0


def test_this_machine_is_given_no_more_than_it_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(7)))
    assert [LocalQueue(Wishes(jobs=jobs)).slots(cpus) for jobs, cpus in [(None, 2), (2, 2), (9, 2), (None, 8)]] == [3, 2, 3, 1]  # fmt: skip


# What is there already


def test_what_is_queued_is_not_submitted_again(make: Make, stub: SlurmStub, tmp_path: Path) -> None:
    first, second = make(), make()
    submitted(first, task(tmp_path, "a"), task(tmp_path, "b"))
    first.leave()
    first.close()
    submitted(second, task(tmp_path, "b"), task(tmp_path, "c"))
    assert [*stub.jobs] == ["1_0", "1_1", "2"]
    (of_both,) = (each for each in slurm_folder.known(tmp_path / "res ults" / ".slurm") if len(each.tasks) == 2)
    of_both.mailbox(1).say("started", {})
    of_both.mailbox(1).say("done", {"status": "done", "reason": "", "notes": []})
    assert wait_for(lambda: [(e.task, e.kind) for e in second.events(0.0)]) == [("b", "started"), ("b", "done")]


def test_another_request_of_the_same_trial_is_a_job_of_its_own(make: Make, stub: SlurmStub, tmp_path: Path) -> None:
    submitted(make(), task(tmp_path, "a"))
    submitted(make(), Task("a", "{}", results=str(tmp_path / "res ults")))
    assert [*stub.jobs] == ["1", "2"]


def test_jobs_whose_run_died_before_it_noted_them_are_found_by_name(
    make: Make, stub: SlurmStub, tmp_path: Path
) -> None:
    submitted(make(), task(tmp_path, "a"), task(tmp_path, "b"))
    (array(tmp_path).path / "jobs.json").unlink()
    submitted(make(), task(tmp_path, "a"), task(tmp_path, "b"))
    assert [*stub.jobs] == ["1_0", "1_1"]


def test_a_made_up_folder_has_no_job_followed_or_cancelled(make: Make, stub: SlurmStub, tmp_path: Path) -> None:
    submitted(make(), task(tmp_path / "other", "a"))
    forged = tmp_path / "res ults" / ".slurm" / ("0" * 16)
    forged.mkdir(parents=True)
    (forged / "tasks.json").write_text(json.dumps([{"id": "a", "digest": slurm_folder.digest(task(tmp_path, "a"))}]))
    (forged / "jobs.json").write_text('["1"]')
    engine = make()
    submitted(engine, task(tmp_path, "a"))
    engine.close()
    assert stub.states() == ["PENDING", "CANCELLED"]


@pytest.mark.parametrize("text", ["", "[", "[[]]", '{"a": 1}', "[1]", '["--all"]', '["1; rm"]', "[" * 10**5])
def test_odd_files_of_arrays_say_nothing(text: str, tmp_path: Path) -> None:
    folder = ArrayFolder.new(tmp_path, [task(tmp_path)])
    (folder.path / "jobs.json").write_text(text)
    assert folder.jobs == []
    (folder.path / "tasks.json").write_text(text)
    assert all(len(each) == 2 for each in folder.tasks)


def test_half_a_line_is_left_for_later_and_an_odd_one_passed_over(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path / "0.events")
    mailbox.say("started", {})
    with mailbox.path.open("ab") as file:
        file.write(b'nothing\n[]\n{"kind":"beat"}\n{"kind":"done","data"')
    lines, offset = mailbox.heard(0)
    assert [line["kind"] for line in lines] == ["started"]
    with mailbox.path.open("ab") as file:
        file.write(b':{"status":"done"}}\n')
    assert [line["data"] for line in mailbox.heard(offset)[0]] == [{"status": "done"}]


# What Slurm says


@pytest.mark.parametrize(
    ("state", "status", "again", "reason"),
    [
        ("OUT_OF_MEMORY", "out-of-memory", False, "Slurm killed its job for want of memory"),
        ("NODE_FAIL", "interrupted", True, "its job 1 ended as NODE_FAIL in Slurm"),
        ("TIMEOUT", "interrupted", True, "its job 1 ended as TIMEOUT in Slurm"),
        ("PREEMPTED", "interrupted", True, "its job 1 ended as PREEMPTED in Slurm"),
        ("FAILED", "interrupted", True, "its job 1 ended as FAILED and did not say why"),
        ("CANCELLED", "interrupted", False, "its job 1 was cancelled in Slurm"),
    ],
)
def test_a_job_that_ended_without_a_word_is_lost(make: Make, stub: SlurmStub, tmp_path: Path, state: str, status: str, again: bool, reason: str) -> None:  # fmt: skip
    engine = make()
    submitted(engine, task(tmp_path))
    if state in ("NODE_FAIL", "CANCELLED"):  # the others squeue still shows
        stub.let("forget")
    stub.end("1", state)
    *_, last = engine.events(60)
    assert (last.kind, dict(last.data)) == ("lost", {"status": status, "reason": reason, "again": again})


def test_what_an_operator_cancelled_in_the_queue_is_not_begun_again(
    make: Make, stub: SlurmStub, tmp_path: Path
) -> None:
    class Cancels(Silent):
        def progressed(self, task: str, progress: object) -> None:
            for job in stub.jobs:
                stub.end(job, "CANCELLED")

    outcomes = perform_all(make(), [task(tmp_path)], Cancels())
    assert outcomes["t"].status == "interrupted"
    assert outcomes["t"].reason == "its job 1 was cancelled in Slurm"
    assert [*stub.jobs] == ["1"]


def test_what_another_run_was_stopped_for_is_begun_again(make: Make, stub: SlurmStub, tmp_path: Path) -> None:
    submitted(first := make(), task(tmp_path))
    submitted(second := make(), task(tmp_path))
    first.close()
    (last,) = second.events(60)
    assert last.kind == "lost"
    assert last.data["again"]


def test_it_tells_why_a_trial_waits(make: Make, tmp_path: Path) -> None:
    engine, told = make(), []
    engine.listen(lambda event: told.append(event.data))
    submitted(engine, task(tmp_path))
    list(engine.events(0.05))
    assert told == [{"stage": "waits in Slurm's queue: Resources"}]


def test_a_cancelled_task_ends_also_in_the_queue(make: Make, stub: SlurmStub, tmp_path: Path) -> None:
    engine = make()
    submitted(engine, task(tmp_path))
    engine.cancel("t")
    assert [kind for kind, _ in heard(engine)] == ["lost"]
    assert stub.states() == ["CANCELLED"]


def test_a_controller_that_is_away_for_a_while_is_waited_for(make: Make, stub: SlurmStub, tmp_path: Path) -> None:
    engine = make()
    submitted(engine, task(tmp_path))
    stub.let("fail-squeue", "slurm_load_jobs error: Unable to contact slurm controller")
    assert list(engine.events(0.1)) == []
    stub.no_more("fail-squeue")
    stub.end("1", "NODE_FAIL")
    assert [kind for kind, _ in heard(engine)] == ["lost"]


def test_one_that_stays_away_is_said_in_a_line_and_jobs_go_on(
    make: Make, stub: SlurmStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm_engine, "AWAY", 0.0)
    engine = make()
    stub.let("fail-squeue", "Unable to contact slurm controller\n")
    with pytest.raises(GenbenchError, match="^engine slurm: squeue fails: Unable to contact slurm controller; jobs go on, and the same command goes on with them$"):  # fmt: skip
        submitted(engine, task(tmp_path))
        list(engine.events(60))
    engine.close()
    assert stub.states() == ["PENDING"]


@pytest.mark.parametrize("said", ["\x1b[2Jhello", "1|running|None|a", "x" * 10**5])
def test_odd_answers_of_squeue_are_said_in_a_line(make: Make, stub: SlurmStub, tmp_path: Path, said: str) -> None:
    engine = make()
    submitted(engine, task(tmp_path))
    stub.let("say-squeue", said)
    with pytest.raises(GenbenchError, match=r"^engine slurm: squeue answers '[^\x1b\n]{1,90}'; expected JOB\|STATE\|REASON\|NAME; jobs go on"):  # fmt: skip
        list(engine.events(60))


def test_what_squeue_says_of_other_jobs_is_no_matter(make: Make, stub: SlurmStub, tmp_path: Path) -> None:
    stub.let("say-squeue", "7_[0-9%2]|PENDING|None|a|b\n9+1|RUNNING|None|het\n1|PENDING|(Nodes: a, b)|\n")
    assert submitted(make(), task(tmp_path)) == []


def test_odd_answers_of_sacct_are_said_in_a_line(make: Make, stub: SlurmStub, tmp_path: Path) -> None:
    engine = make()
    submitted(engine, task(tmp_path))
    stub.let("forget")
    stub.let("say-sacct", "<html>\x1b")
    stub.end("1", "FAILED")
    with pytest.raises(GenbenchError, match="engine slurm: sacct answers '<html>'; expected a state"):
        list(engine.events(60))


@pytest.mark.parametrize("where", ["say", "fail"])
def test_where_sbatch_refuses_it_is_said_in_a_line_and_nothing_is_left(
    make: Make, stub: SlurmStub, tmp_path: Path, where: str
) -> None:
    stub.let(f"{where}-sbatch", "sbatch: error: invalid partition\x1b[31m specified")
    with pytest.raises(GenbenchError, match=r"^engine slurm: sbatch refuses: [^\n\x1b]*invalid partition \[31m specified"):  # fmt: skip
        submitted(make(), task(tmp_path))
    assert [path.name for path in (tmp_path / "res ults" / ".slurm").iterdir()] == [".lock"]


# What is refused


ODD = ["a b", "a\nrm -rf ~", "a'b", 'a"b', "$(touch x)", "`id`", "", "a;b", "a\\b"]


@pytest.mark.parametrize("name", ["partition", "account", "qos", "constraint", "gres", "time"])
def test_what_does_not_belong_in_a_script_is_refused(stub: SlurmStub, name: str) -> None:
    for value in ODD:
        with pytest.raises(
            GenbenchError, match=f"^engine slurm: {name} [\"'].*: expected what sbatch takes, no blanks or"
        ):
            SlurmEngine(**{name: value}).submit(Task("t", "{}"), 1)


def test_a_part_of_a_gpu_is_refused(make: Make) -> None:
    with pytest.raises(GenbenchError, match="each trial has a whole GPU of its job; leave --jobs-per-gpu out"):
        make().submit(Task("t", "{}", gpus=0.5), 1)


def test_a_path_that_slurm_would_change_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(GenbenchError, match="Slurm replaces % in paths; give another name"):
        submitted(make(), task(tmp_path, results=str(tmp_path / "100%j")))


RUN = "run --engine slurm --models gaussian --seeds 1 --reference none --results {}/results"


def test_without_submitit_a_line_says_how_to_install_it(
    stub: SlurmStub, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm_queue, "find_spec", lambda name: None)
    code, _, said = cli(RUN.format(tmp_path))
    assert code == 2
    assert said.splitlines()[-1] == (
        "genbench: engine slurm: submitit is not installed; run: python -m pip install 'genbench[slurm]'"
    )


@pytest.mark.parametrize("command", ["sbatch", "squeue", "scancel", "srun"])
def test_without_slurm_a_line_says_so(
    stub: SlurmStub, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "slurm-bin" / command).unlink()
    monkeypatch.setenv("PATH", str(tmp_path / "slurm-bin"))
    code, _, said = cli(RUN.format(tmp_path))
    assert code == 2
    assert said.splitlines()[-1] == (
        f"genbench: engine slurm: {command} is not on the PATH; expected a machine from which Slurm takes jobs"
    )


@pytest.mark.parametrize("engine", ["process", "inline"])
def test_what_ends_with_its_command_cannot_be_left(engine: str, tmp_path: Path) -> None:
    resolver = Resolver(load_registry(), tmp_path)
    with pytest.raises(RequestError, match=f"--detach: trials of engine {engine} end with this command; use --engine"):
        make_engine(resolver, RunSettings(engine=engine, detach=True), 1, False)


def test_nobody_keeps_a_deadline_of_what_was_left(tmp_path: Path) -> None:
    resolver = Resolver(load_registry(), tmp_path)
    with pytest.raises(RequestError, match="--timeout 60: with --detach nobody is there to keep it"):
        make_engine(resolver, RunSettings(engine="slurm", detach=True, timeout=60), 1, False)


def test_local_jobs_cannot_be_left() -> None:
    with pytest.raises(GenbenchError, match="local=true is no queue"):
        SlurmEngine(local=True).leave()


# Left


def test_detach_submits_once_and_the_same_command_says_how_things_stand(
    stub: SlurmStub, cli: Cli, tmp_path: Path
) -> None:
    command = f"{RUN.format(tmp_path)} --detach"
    for _ in range(2):
        code, out, said = cli(command)
        assert code == 0, said
        assert "1 are queued or running; the same command says how they stand, and goes on" in out
    assert len(calls(stub, "sbatch")) == 1
    assert "waits in Slurm's queue: Resources" in said
    assert stub.states() == ["PENDING"]
    _, out, _ = cli(f"status {tmp_path}/results")
    assert out.startswith("1 trial: 1 planned\nplanned")
    stub.end("1", "NODE_FAIL")
    assert cli(command)[0] == 0
    assert len(calls(stub, "sbatch")) == 2


def test_what_was_left_is_planned_until_a_run_takes_it_over(tmp_path: Path) -> None:
    trials = {"0" * 12: "gan s0", "1" * 12: "gan s1"}
    plans.leave(tmp_path, trials)
    assert plans.planned(tmp_path) == trials
    with plans.announced(tmp_path, {"0" * 12: "gan s0"}) as over:
        assert plans.planned(tmp_path) == trials
        over("0" * 12)
        assert plans.planned(tmp_path) == {"1" * 12: "gan s1"}
    assert plans.planned(tmp_path) == {"1" * 12: "gan s1"}
    with plans.announced(tmp_path, {"1" * 12: "gan s1"}) as over:
        over("1" * 12)
    with plans.announced(tmp_path, {}):
        pass
    assert not (tmp_path / plans.PLANS).exists()


def test_importing_it_imports_neither_submitit_nor_torch() -> None:
    import subprocess

    code = "import sys, genbench_plugins.engines.slurm_engine; print({'submitit', 'torch'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
