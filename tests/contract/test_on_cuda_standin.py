"""What holds of the whole house on a GPU, on the stand-in: models, metrics, options, commands, a killed worker.

Every command runs in a process of its own, several in one where nothing is asked of their engines.
"""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from choices import builtin, choices, joined, presets, shortened
from places import TESTS
from trials import contents_of

from genbench.store.store import Store

HERE = TESTS
SEVERAL = """
import json, sys
from genbench.cli import main
commands, expected = json.loads(sys.argv[1])
for arguments in commands:
    if (code := main(arguments)) != expected:
        sys.exit(f"{code}: {arguments}")
"""
BESIDE = ("denoising-autoencoder[batch=500,burn_in=1,epochs=1,thin=1,walkback=0.5]",)
"""What trains by other code where a number is above 0, and is in no preset."""


# Running the command -------------------------------------------------------------------------------------------------


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a process that has the stand-in, and data and plugins of its own."""
    given = {name: value for name, value in os.environ.items() if name != "GENBENCH_ENGINE"}
    own = {"GENBENCH_DATA": str(folder / "data"), "GENBENCH_CACHE": str(folder / "cache"), "GENBENCH_PLUGINS": ""}
    return given | own | {"PYTHONPATH": str(HERE / "standin"), "GENBENCH_STANDIN": "1"}


def python(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run Python on the stand-in in a folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(folder) | more,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def run(folder: Path, device: str, results: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `genbench run` with two workers."""
    where = ["--device", device, "--results", results, "--jobs", "2", "--seeds", "1", "--reference", "none"]
    return python(folder, "-m", "genbench", "run", *arguments, *where)


def several(folder: Path, *commands: str, code: int = 0, **more: str) -> None:
    """Run commands one after another in one process, without workers; each must end with the exit code."""
    given = json.dumps([[command.split() for command in commands], code])
    done = python(folder, "-c", SEVERAL, given, GENBENCH_ENGINE="inline", **more)
    assert done.returncode == 0, done


def rows(results: Path) -> list[dict[str, str]]:
    """Return the scores of every seed, without the trials' ids."""
    with (results / "trials.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


# Tests ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def on_both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the results of every model, short, by every metric: on the CPU and on cuda."""
    folder = tmp_path_factory.mktemp("both")
    models = joined(map(shortened, builtin("model")))
    metrics = joined(map(shortened, builtin("metric")))
    for device in ("cpu", "cuda"):
        done = run(folder, device, device, "--models", models, "--metric", metrics, "--samples", "100")
        assert done.returncode == 0, done
    return folder


@pytest.mark.slow
def test_every_model_has_the_cpus_scores_by_every_metric(on_both: Path) -> None:
    """Bit for bit: the stand-in rounds and draws as the CPU does."""
    on_cpu, on_cuda = rows(on_both / "cpu"), rows(on_both / "cuda")
    assert on_cuda == on_cpu
    assert {row["model"].partition("[")[0] for row in on_cuda} == {entry.name for entry in builtin("model")}
    assert {row["status"] for row in on_cuda} == {"done", "skipped"}
    assert {record.environment["device"] for _, record in Store(on_both / "cuda").all()} == {"cuda"}


@pytest.mark.slow
def test_metrics_that_know_the_density_have_the_cpus_scores(on_both: Path, undisturbed: Path) -> None:
    on_cuda = rows(undisturbed / "known-cuda")
    assert on_cuda == rows(undisturbed / "known-cpu")
    done = [row for row in [*on_cuda, *rows(on_both / "cuda")] if row["status"] == "done" and row["value"]]
    assert {row["metric"].partition("[")[0] for row in done} == {entry.name for entry in builtin("metric")}


@pytest.mark.slow
def test_a_model_that_draws_and_keeps_state_in_every_way_has_the_cpus_scores(tmp_path: Path) -> None:
    toy = {
        "GENBENCH_PLUGINS": "genbench-toy",
        "PYTHONPATH": os.pathsep.join([str(HERE / "standin"), str(HERE / "toy_plugin")]),
    }
    for device in ("cpu", "cuda"):
        command = (
            f"run --models layered[epochs=1] --metric parzen[samples=200] --seeds 1 --reference none --device {device}"
        )
        several(tmp_path, f"{command} --results {device}", **toy)
    assert rows(tmp_path / "cuda") == rows(tmp_path / "cpu")
    assert [row["status"] for row in rows(tmp_path / "cuda")] == ["done"]


@pytest.mark.slow
def test_every_choice_and_preset_of_a_model_trains(tmp_path: Path) -> None:
    texts = [text for entry in builtin("model") for text in (*choices(entry), *presets(entry))]
    done = run(
        tmp_path, "cuda", "results", "--models", joined([*texts, *BESIDE]), "--metric", "parzen[samples=50,valid=50]"
    )
    assert done.returncode == 0, done
    records = [record for _, record in Store(tmp_path / "results").all()]
    assert len(records) == len({*texts, *BESIDE}) > 30
    assert {record.status for record in records} == {"done"}


@pytest.fixture
def many_labels(tmp_path: Path) -> str:
    """Return a dataset of small images of 60 classes."""
    rng = np.random.default_rng(0)
    parts = {"train": 300, "valid": 120, "test": 120}
    arrays = {f"x_{part}": rng.random((n, 1, 6, 6), np.float32) for part, n in parts.items()}
    np.savez(tmp_path / "many.npz", **arrays, **{f"y_{part}": np.arange(n) % 60 for part, n in parts.items()})
    return "npz:many.npz"


@pytest.mark.slow
def test_many_labels(many_labels: str, tmp_path: Path) -> None:
    """The extractor is trained on the device too, by these labels."""
    command = (
        f"run --dataset {many_labels} --models conditional-gan[epochs=2] --metric mode-coverage,is,ms-ssim "
        "--samples 120 --seeds 1 --reference none --device {0} --results {0}"
    )
    several(tmp_path, *(command.format(device) for device in ("cpu", "cuda")))
    assert rows(tmp_path / "cuda") == rows(tmp_path / "cpu")
    assert {row["status"] for row in rows(tmp_path / "cuda")} == {"done"}


KILLED = "gan[epochs=8]"
"""Its 80 steps, a checkpoint after each, are what a worker is killed in."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of what several commands made without workers, on cuda and on the CPU."""
    folder = tmp_path_factory.mktemp("commands")
    images = np.random.default_rng(0).random((200, 1, 8, 8), np.float32)
    np.savez(folder / "theirs.npz", images=images)
    evaluate = "evaluate theirs=theirs.npz --metric parzen,fid,kid,coverage,memorisation --reference none --samples 100"
    known = "run --models gan[epochs=1],gaussian --dataset gaussian1d --metric jsd,discriminator-gap --samples 1000"
    calibrate = "response precision[pixels,samples=50] --draws 2"
    several(
        folder,
        f"run --models {KILLED},vae[epochs=2] --metric parzen[samples=200],fid[samples=200] --seeds 1 "
        "--reference none --checkpoint-every 0 --device cuda --results results",
        "figures vae[epochs=2] --results results --device cuda --output drawn",
        *(f"{evaluate} --device {device} --results theirs-{device}" for device in ("cpu", "cuda")),
        *(
            f"{known} --seeds 1 --reference none --device {device} --results known-{device}"
            for device in ("cpu", "cuda")
        ),
        *(f"{calibrate} --device {device} --output calibrated-{device}" for device in ("cpu", "cuda")),
    )
    return folder


@pytest.mark.slow
def test_figures_are_drawn(undisturbed: Path) -> None:
    drawn = {path.stem.rpartition("-")[2] for path in (undisturbed / "drawn").rglob("*.png")}
    assert drawn == {"samples", "walk", "reconstructions", "denoising", "curves"}


@pytest.mark.slow
def test_images_made_elsewhere_have_the_cpus_scores(undisturbed: Path) -> None:
    on_cuda = rows(undisturbed / "theirs-cuda")
    assert on_cuda == rows(undisturbed / "theirs-cpu")
    assert len([row for row in on_cuda if row["value"]]) == 5


@pytest.mark.slow
def test_calibration_is_that_of_the_cpu(undisturbed: Path) -> None:
    on_cpu, on_cuda = (next((undisturbed / f"calibrated-{device}").glob("*.csv")) for device in ("cpu", "cuda"))
    assert on_cuda.read_text() == on_cpu.read_text()


@pytest.mark.slow
def test_a_killed_worker_goes_on_to_the_same_bits(undisturbed: Path, tmp_path: Path) -> None:
    """Workers give the bits of no workers, and one that is killed in training those of one that is not."""
    arguments = ["--models", f"{KILLED},vae[epochs=2]", "--metric", "parzen[samples=200],fid[samples=200]"]
    where = ["--seeds", "1", "--reference", "none", "--device", "cuda", "--jobs", "1", "--checkpoint-every", "0"]
    command = [sys.executable, "-m", "genbench", "run", *arguments, *where]
    with (tmp_path / "said.txt").open("w") as said:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment(tmp_path), stdout=said, stderr=said)
        while not list((tmp_path / "results" / "trials").glob("gan*/checkpoint*/*")):
            assert process.poll() is None, (tmp_path / "said.txt").read_text()
            time.sleep(0.01)  # leaves the cores to the worker
        (worker,) = psutil.Process(process.pid).children()
        worker.kill()
        assert process.wait(timeout=500) == 0, (tmp_path / "said.txt").read_text()
    assert contents_of(tmp_path / "results") == contents_of(undisturbed / "results")
    attempts = {record.model["name"]: record.attempts for _, record in Store(tmp_path / "results").all()}
    assert attempts == {"gan": 2, "vae": 1}


@pytest.mark.slow
def test_the_kit_passes_sound_plugins(tmp_path: Path) -> None:
    done = python(tmp_path, "-m", "genbench", "check", "vae", "parzen", "pixels", "--device", "cuda")
    assert done.returncode == 0, done
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines if line[1:2] == ["works-on-cuda"]] == ["ok", "ok", "ok"]
    assert "failed" not in done.stdout


@pytest.mark.slow
def test_planted_mistakes_are_caught_on_the_gpu_alone(tmp_path: Path) -> None:
    file = HERE / "standin" / "planted.py"
    models = joined(f"{file}:{name}" for name in ("Mean", "NoDevice", "Arrays"))
    command = f"run --models {models} --metric {file}:HostDraws,parzen[samples=50] --seeds 1 --reference none"
    several(tmp_path, f"{command} --device cpu --results cpu")
    several(tmp_path, f"{command} --device cuda --results cuda", code=1)
    assert set(became(tmp_path / "cpu").values()) == {("done", "", "")}
    on_cuda = became(tmp_path / "cuda")
    draws = "RuntimeError: Expected a {0!r} device type for generator but found {1!r} (in aten::{2})"
    assert on_cuda["mean"] == ("done", "", draws.format("cuda", "cpu", "randint"))
    assert on_cuda["no-device"] == ("failed", draws.format("cpu", "cuda", "rand"), "")
    status, reason, _ = on_cuda["arrays"]
    assert (status, reason.partition(".")[0]) == (
        "failed",
        "TypeError: can't convert cuda:0 device type tensor to numpy",
    )


def became(results: Path) -> dict[str, tuple[str, str, str]]:
    """Return by model its status, the reason, and what was wrong with the metric that draws."""
    found = {}
    for _, record in Store(results).all():
        problems = {told["metric"]["name"]: told["problem"] for told in record.wanted.values()}
        assert problems["parzen"] == ""
        found[record.model["name"]] = record.status, record.reason, problems["host-draws"]
    return found
