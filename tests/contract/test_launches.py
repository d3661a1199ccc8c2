"""No training step makes the host wait for the device: counted on the stand-in for CUDA, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest
from places import ROOT

pytestmark = pytest.mark.slow  # a step of every model, by every operation that there is

FOLDER = ROOT / "benchmarks" / "speed"

OPTIONS = (
    "autoencoder[optimiser=rmsprop]",
    "autoencoder[optimiser=adadelta]",
    "dbn@paper[hidden=[30,30]]",
    "denoising-autoencoder[corruption=masking,likelihood=bernoulli]",
    "denoising-autoencoder[corruption=salt-and-pepper]",
    "gan@paper-tfd[g_hidden=[50,50],g_below=[50,100],d_hidden=[50],below_from=0]",
    "gan@paper-cifar10[g_hidden=[50,50],d_hidden=[50]]",
    "gsn[optimiser=momentum,noisy=hidden]",
    "rbm@gaussian",
    "stacked-cae[optimiser=sgd]",
    "vae[decoder=bernoulli]",
)
"""What trains by other operations than a model's defaults."""

SCRIPT = """
import dataclasses, json, sys
import launches, torch
from genbench.testing import cuda_standin

cuda_standin.install()
torch.cuda.set_device(0)
small = {text: launches.Space((space.shape[0], 12, 12), 10) for text, space in launches.models().items()}
small |= {text: launches.Space((1, 12, 12), 10) for text in [*json.loads(sys.argv[1]), "denoising-autoencoder[walkback=0.5]"]}
found = {text: launches.counts(text, space) for text, space in small.items()}
found |= {f"kmeans {clusters}": launches.counts_of_kmeans(2000, clusters) for clusters in (5, 100)}
print(json.dumps({text: counts and dataclasses.asdict(counts) for text, counts in found.items()}))
"""

Found = Mapping[str, Mapping[str, Mapping[str, float]]]


@pytest.fixture(scope="module")
def found() -> Found:
    """Return the counts of a step of every model that has steps."""
    command = [sys.executable, "-c", SCRIPT, json.dumps(OPTIONS)]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {text: counts for text, counts in json.loads(done.stdout).items() if counts is not None}


def test_no_training_step_waits_for_the_device(found: Found) -> None:
    waits = {text: counts["waits"] for text, counts in found.items() if "walkback" not in text and "kmeans" not in text}
    assert {"gan", "vae", "gsn", "rbm", "dbn", "dbm", "mp-dbm", "stacked-cae", "gan@paper", *OPTIONS} <= set(waits)
    assert {text: seen for text, seen in waits.items() if seen} == {}


def test_waits_are_seen(found: Found) -> None:
    """Walkback must know which images go on: once for each of its steps, and nothing else waits."""
    (wait,) = found["denoising-autoencoder[walkback=0.5]"]["waits"]
    assert wait.startswith("aten::nonzero at genbench_plugins.models.denoising_autoencoder:")


def test_maxout_scatters_and_sorts_nothing(found: Found) -> None:
    for text, counts in found.items():
        assert not [name for name in counts["kernels"] if "scatter" in name or "sort" in name], text


def test_an_iteration_of_kmeans_takes_as_few_kernels_for_many_clusters(found: Found) -> None:
    few, many = (sum(found[f"kmeans {clusters}"]["kernels"].values()) for clusters in (5, 100))
    assert few == many
