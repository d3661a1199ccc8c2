"""kill -9 at any moment: the final records equal those of an undisturbed run, bit for bit."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from places import TESTS
from trials import contents_of

from genbench.runs import planning
from genbench.runs.planning import task
from genbench.runs.settings import RunSettings
from genbench.store.store import Store
from genbench.trial.worker import perform_assignment

SHORT = "burn_in=20,thin=2"
BUILTIN = (
    *("gan[epochs=20]", "gan@paper[epochs=4]", "vae[epochs=12]", "conditional-gan[epochs=6]", "autoencoder[epochs=12]"),
    *(f"denoising-autoencoder[epochs=6,{SHORT}]", f"stacked-cae[epochs=[4],{SHORT}]", f"rbm[epochs=6,{SHORT}]"),
    *(f"dbn[epochs=4,{SHORT}]", f"gsn[epochs=2,hidden=[32,32],{SHORT}]", "kmeans", "pca", "gaussian", "train-data"),
)
KILLS = 32


def tasks_of(results: Path) -> list[str]:
    """Return the assignments of a small grid, as a worker gets them."""
    planned = planning.plan(RunSettings("layered[epochs=1]", "brightness,parzen[samples=1000]", seeds=1, reference="none", results=results, checkpoint_every=0))  # fmt: skip
    return [task(planned, trial).spec for trial in planned.todo]


def killed_at(number: int, spec: str, results: Path) -> bool:
    """Perform in a forked process that kills itself at its n-th change of the results; return whether it came so far."""
    child = os.fork()
    if child == 0:
        seen = 0

        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            changes = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod")
            if (changes or (event == "open" and str(arguments[1])[:1] in "wax")) and str(results) in str(arguments[0]):
                seen += 1
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(audit)
        try:
            perform_assignment(spec)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.slow
def test_killed_at_every_change_of_the_disk_in_turn(toy: str, tmp_path: Path) -> None:
    for spec in tasks_of(tmp_path / "undisturbed"):
        perform_assignment(spec)
    expected = contents_of(tmp_path / "undisturbed")
    assert len(expected) == 7
    number, kills = 0, 0
    while True:
        number += 1
        results = tmp_path / f"killed-{number}"
        specs = tasks_of(results)
        if not killed_at(number, specs[0], results):
            break
        kills += 1
        for spec in tasks_of(results):  # none where only the tidying up was left to do
            perform_assignment(spec)
        assert contents_of(results) == expected
        assert tasks_of(results) == []
    assert kills > 60


@pytest.fixture
def command(toy: str, tmp_path: Path) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Return a function that makes the arguments of Popen for a run of every built-in model."""
    path = os.pathsep.join([str(TESTS / "toy_plugin"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("GENBENCH_ENGINE")

    def make(results: str) -> dict[str, Any]:
        arguments = ["--models", ",".join(["layered", *BUILTIN]), "--reference", "none", "--seeds", "2", "--jobs", "2"]
        metrics = ["--metric", "brightness,parzen[samples=2000]", "--checkpoint-every", "0", "--results", results]
        return {
            "args": [sys.executable, "-m", "genbench", "run", *arguments, *metrics],
            "env": environment,
            "cwd": tmp_path,
            "start_new_session": True,
            "stdout": subprocess.DEVNULL,
            "stderr": said,
        }

    with (tmp_path / "stderr.txt").open("a") as said:
        yield make


@pytest.mark.slow
def test_killed_at_random_again_and_again(command: Callable[..., Any], tmp_path: Path) -> None:
    assert subprocess.run(**command("undisturbed"), check=False).returncode == 0
    expected = contents_of(tmp_path / "undisturbed")
    rng, kills, folder = random.Random(3), Counter[str](), 0
    while kills.total() < KILLS:
        folder += 1
        results = f"killed-{folder}"
        while True:
            process = subprocess.Popen(**command(results))
            while process.poll() is None and kills.total() < KILLS:
                time.sleep(rng.uniform(0.3, 4.5))
                victim = rng.choice(("worker", "worker", "driver", "group"))
                if process.poll() is None and kill(process, victim, rng):
                    kills[f"{victim} in {stage(tmp_path / results)}"] += 1
            assert process.wait(timeout=300) in (0, 1, -signal.SIGKILL)
            if is_done(tmp_path / results):
                break
        found = contents_of(tmp_path / results)
        assert found.keys() == expected.keys()
        assert [name for name in expected if found[name] != expected[name]] == []
    print(dict(kills))
    assert {key.split()[0] for key in kills} == {"worker", "driver", "group"}
    assert "Traceback" not in (tmp_path / "stderr.txt").read_text()


def kill(process: subprocess.Popen[bytes], victim: str, rng: random.Random) -> bool:
    """Kill a worker, the driver, or all; return whether there was one."""
    if victim == "group":
        for each in [*psutil.Process(process.pid).children(recursive=True), process]:
            each.kill()
    elif victim == "driver":
        process.kill()
    else:
        workers = psutil.Process(process.pid).children()
        if not workers:
            return False
        rng.choice(workers).kill()
    return True


def stage(results: Path) -> str:
    """Return roughly what was under way: the newest thing in the trials' folders."""
    paths = [path for path in results.glob("trials/*/**/*") if path.is_file() and not path.name.startswith(".holder")]
    if not paths:
        return "start"
    newest = max(paths, key=lambda path: path.stat().st_mtime_ns if path.exists() else 0)
    return "fit" if "checkpoint" in str(newest) else "samples or scores"


def is_done(results: Path) -> bool:
    records = [record for _, record in Store(results).all()]
    return len(records) == 2 * (len(BUILTIN) + 1) and all(getattr(record, "status", "") == "done" for record in records)
