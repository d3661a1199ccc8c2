"""Trials in Slurm's jobs: by a stub that really runs them, and by a real Slurm where there is one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import slurm_cluster
from places import TESTS
from slurm_cluster import SlurmCluster
from slurm_stub import SlurmStub
from trials import contents_of
from waiting_for import wait_for

from genbench.runs import execution
from genbench.store.store import Store

pytestmark = pytest.mark.slow

Cli = Callable[[str], tuple[int, str, str]]
Start = Callable[..., subprocess.Popen[str]]
RUN = "run --engine slurm[poll=0.2] --metric brightness --reference none --seeds 1 --results res"


@pytest.fixture
def work(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, in which jobs find the toy plugin too."""
    path = os.pathsep.join([str(TESTS / "toy_plugin"), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stub(work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmStub]:
    stub = SlurmStub(work, monkeypatch.setenv)
    yield stub
    stub.close()


@pytest.fixture
def start(work: Path) -> Iterator[Start]:
    """Return a function that starts the command in a process; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def go(line: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "genbench", *line.split(" ")]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield go
    for process in started:
        process.kill()
        process.communicate()


def inline(models: str) -> None:
    execution.run(models, metrics="brightness", reference="none", engine="inline", results="inline", seeds=1)


def of_stages(results: str) -> dict[str, str]:
    """Return the checksums of all stored files by trial and name."""
    return {
        f"{record.id}/{name}": file["sha256"]
        for _, record in Store(Path(results)).all()
        for stage in record.stages.values()
        for name, file in stage.files.items()
    }


def heard(kind: str) -> list[dict[str, Any]]:
    """Return the lines of such a kind that all jobs have said."""
    lines = [line for path in Path("res").rglob("*.events") for line in path.read_text().splitlines()]
    return [line["data"] for each in lines if (line := json.loads(each))["kind"] == kind]


def is_training() -> bool:
    return any(beat.get("epoch") for beat in heard("beat"))


def arrays(stub: SlurmStub) -> int:
    return len(list(stub.folder.glob("array-*")))


LONG = "toy[epochs=300]"
"""A training of some seconds: what stops it comes before it ends."""


def test_the_bits_are_those_of_one_process(stub: SlurmStub, cli: Cli) -> None:
    models = "layered,gaussian,kmeans"
    code, _, said = cli(f"{RUN} --models {models}")
    assert code == 0, said
    assert [*stub.jobs] == ["1_0", "1_1", "1_2"]
    inline(models)
    assert contents_of(Path("res")) == contents_of(Path("inline"))
    assert [path.name for path in Path("res/.slurm").iterdir()] == [".lock"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_has_a_trial_saved_and_queued_again(number: int, stub: SlurmStub, start: Start) -> None:
    process = start(f"{RUN} --models {LONG}")
    wait_for(lambda: Path("res").exists() and is_training())
    if number == signal.SIGTERM:
        stub.preempt("1")
    else:
        stub.signal("1", number)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert stub.jobs["1"]["restarts"] == 1
    assert "waits to be queued again: it is saved" in said
    ((_, record),) = Store(Path("res")).all()
    assert record.attempts == 2
    inline(LONG)
    assert of_stages("res") == of_stages("inline")


def test_what_dies_is_begun_again_and_what_an_operator_cancels_is_not(stub: SlurmStub, start: Start) -> None:
    process = start(f"{RUN} --models {LONG}")
    wait_for(lambda: Path("res").exists() and is_training())
    stub.end("1", "NODE_FAIL")
    wait_for(lambda: len(heard("started")) == 2)
    stub.end("2", "CANCELLED")
    out, said = process.communicate()
    assert process.returncode == 1
    assert "its job 2 was cancelled in Slurm" in said + out
    assert [*stub.jobs] == ["1", "2"]


def test_the_driver_killed_costs_nothing_and_two_of_them_follow_one_job(
    stub: SlurmStub, start: Start, cli: Cli, work: Path
) -> None:
    (work / "held").mkdir()
    line = f'{RUN} --models held[folder="{work}/held"]'
    process = start(line)
    wait_for(lambda: list((work / "held").iterdir()))
    code, out, _ = cli(line.replace('"', '\\"') + " --detach")
    assert code == 0
    assert "1 are queued or running" in out
    process.kill()
    process.communicate()
    status = cli("status res")[1]
    assert status.startswith("1 trial: 1 running\nrunning")
    (work / "held" / "go").touch()
    code, out, said = cli(line.replace('"', '\\"'))
    assert code == 0, said
    assert arrays(stub) == 1
    assert cli("status res")[1].startswith("1 trial: 1 done")
    inline("held")
    assert of_stages("res") == of_stages("inline")


def test_ctrl_c_saves_and_takes_the_job_out_of_the_queue(stub: SlurmStub, start: Start) -> None:
    process = start(f"{RUN} --models toy[epochs=100000]")
    wait_for(lambda: Path("res").exists() and is_training())
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert "what was under way is saved" in said
    assert stub.states() == ["CANCELLED"]
    ((folder, record),) = Store(Path("res")).all()
    assert record.status == "interrupted"
    assert [*folder.path.glob("checkpoint*")]


def test_without_slurm_jobs_are_processes_here(work: Path, cli: Cli) -> None:
    code, _, said = cli(f"{RUN.replace('poll=0.2', 'poll=0.2,local=true')} --models layered")
    assert code == 0, said
    inline("layered")
    assert contents_of(Path("res")) == contents_of(Path("inline"))


# A real Slurm


@pytest.fixture(scope="module")
def cluster() -> Iterator[SlurmCluster]:
    if reason := slurm_cluster.why_not():
        pytest.skip(reason)
    with SlurmCluster() as cluster:
        yield cluster


@pytest.fixture
def real(cluster: SlurmCluster, work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmCluster]:
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    yield cluster
    cluster.ask("scancel", "--user=root")


def test_a_real_slurm_comes_to_the_same_bits_in_a_folder_of_any_name(real: SlurmCluster, work: Path) -> None:
    engine = 'slurm[poll=0.2,partition=some,time="30"]'
    results = "r's $(touch x) `touch x` results"
    execution.run("layered,kmeans", metrics="brightness", reference="none", engine=engine, results=results, seeds=1)
    inline("layered,kmeans")
    assert contents_of(Path(results)) == contents_of(Path("inline"))
    assert not (work / "x").exists()


def test_a_real_slurm_preempts_and_begins_again(real: SlurmCluster, start: Start) -> None:
    process = start(f"{RUN} --models {LONG}")
    wait_for(lambda: Path("res").exists() and is_training())
    real.ask("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=true")
    wait_for(lambda: heard("saved"))
    real.release()
    _, said = process.communicate()
    assert process.returncode == 0, said
    ((_, record),) = Store(Path("res")).all()
    assert record.attempts == 2
    inline(LONG)
    assert of_stages("res") == of_stages("inline")


def test_a_real_slurm_queues_again_what_asks_for_it_and_forgets_what_an_operator_cancels(
    real: SlurmCluster, start: Start, cli: Cli
) -> None:
    line = f"{RUN} --models toy[epochs=100000]"
    assert cli(f"{line} --detach")[0] == 0
    wait_for(is_training)
    real.ask("scancel", "--signal=USR1", "--user=root")
    wait_for(lambda: heard("saved"))
    wait_for(lambda: "PENDING" in real.ask("squeue", "--noheader", "--format=%T"))
    process = start(line)
    assert process.stderr is not None
    wait_for(lambda: "waits in Slurm's queue: BeginTime" in process.stderr.readline())
    real.ask("scancel", "--user=root")
    out, said = process.communicate()
    assert process.returncode == 1
    assert "was cancelled in Slurm" in out + said
