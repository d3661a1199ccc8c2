"""The numerics on CUDA: the CPU's values, in few kernels, by operations that have a deterministic form everywhere.

On the stand-in for CUDA, in a process of its own, where float cumsum is refused as torch 2.6 does.
"""

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest

SCRIPT = """
import json
import torch
from genbench.testing import cuda_standin
from genbench.testing.cuda_standin import refusals
from genbench.trial.torch_state import known_state

cuda_standin.install()
torch.cuda.set_device(0)
refusals._cumsum_is_deterministic = lambda: False

from genbench.numerics.annealing import Machine, log_weights
from genbench.numerics.chains import autocorrelation_time, effective_sample_size, potential_scale_reduction
from genbench.numerics.checks import check_finite
from genbench.numerics.clusters import k_means, nearest_centres
from genbench.numerics.copying import copying_z, mann_whitney_z, two_nearest_squared_distances
from genbench.numerics.distances import paired_squared_distances, squared_distances
from genbench.numerics.frechet import frechet_at_infinity, frechet_distance_of_features, gaussian
from genbench.numerics.kernels import kernel_distance, random_subsets
from genbench.numerics.neighbours import neighbourhoods
from genbench.numerics.parzen import choose_sigma, log_likelihoods
from genbench.numerics.prd import clustered_curve
from genbench_plugins.metrics.features import some
from genbench_plugins.metrics.ms_ssim import disjoint_pairs

def normal(n, d, seed):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))

def generator(device):
    return torch.Generator(device).manual_seed(0)  # the stand-in's draws are the CPU's

x, y, few = normal(5000, 64, 0), normal(5000, 64, 1) * 1.1, normal(200, 64, 2)
walks = normal(400, 4, 3).cumsum(0) * 0.1 + normal(400, 4, 4)
work = {
    "pairs": lambda at: paired_squared_distances(at(x), at(torch.arange(5000)), at(y), at(torch.arange(5000))),
    "nearest": lambda at: two_nearest_squared_distances(at(few), at(x)),
    "finite": lambda at: check_finite(at(x), "x") or torch.zeros(1),
    "likelihoods": lambda at: log_likelihoods(at(x), at(few), [0.5, 1.0]),
    "sigma": lambda at: torch.tensor(choose_sigma(at(x), at(few), None).sigma),
    "neighbours": lambda at: neighbourhoods(at(x[:500]), at(y[:500])).density,
    "copies": lambda at: torch.tensor(copying_z(at(x), at(y[:500]), at(few), 3, generator(at(few).device))),
    "ranks": lambda at: torch.tensor(mann_whitney_z(at(x[0].round()), at(y[0].round()))),
    "kernel": lambda at: torch.tensor(kernel_distance(at(x), at(y), random_subsets(5000, 5000, generator(at(x).device), 3, 99)).standard_error),
    "frechet": lambda at: torch.tensor(frechet_distance_of_features(at(x), at(y))),
    "at infinity": lambda at: torch.tensor(frechet_at_infinity(gaussian(at(x)), at(y), generator(at(x).device), 3).value),
    "cells": lambda at: nearest_centres(at(x), k_means(at(x), 4, generator(at(x).device))),
    "curve": lambda at: clustered_curve(at(x[:500]), at(y[:500]), generator(at(x).device), 5, 2, 101).recall,
    "time": lambda at: torch.tensor(autocorrelation_time(at(walks))),
    "time of a constant": lambda at: torch.tensor(autocorrelation_time(at(torch.ones(50, 2)))),
    "size": lambda at: torch.tensor(effective_sample_size(at(walks))),
    "reduction": lambda at: torch.tensor(potential_scale_reduction(at(walks))),
    "some": lambda at: some(at(x), 7, generator(at(x).device)),
    "some by the CPU": lambda at: some(at(x), 7, generator("cpu")),
    "annealed": lambda at: log_weights(Machine(at(x[:9]), at(y[0]), at(y[1, :9])), 5, 20, generator(at(x).device)),
    "class pairs": lambda at: disjoint_pairs(torch.arange(40) % 3, generator(at(x).device))[0],
}
counts, found = cuda_standin.counts, {}
for name, function in work.items():
    with known_state(True, 1):
        expected = function(lambda values: values)
        counts.reset()
        counts.on = True
        seen = function(lambda values: values.to("cuda"))
        counts.on = False
    seen = seen.cpu()
    found[name] = {
        "error": ((seen - expected).double().abs().max() / expected.double().abs().max().clamp_min(1e-300)).item(),
        "kernels": sum(counts.kernels.values()),
        "waits": sum(counts.syncs.values()),
    }
print(json.dumps(found))
"""

Found = Mapping[str, Mapping[str, float]]

MOST = {"pairs": 10, "finite": 10, "nearest": 30, "likelihoods": 50, "frechet": 80}
"""Kernels; in blocks of a CPU's size there are 35, 35, 36, 54 and 124."""


@pytest.fixture(scope="module")
def found() -> Found:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    values: Found = json.loads(done.stdout)
    return values


def test_values_are_those_of_the_cpu(found: Found) -> None:
    assert {name: told["error"] for name, told in found.items() if not told["error"] < 1e-9} == {}


def test_blocks_of_a_gpu_take_few_kernels(found: Found) -> None:
    assert {name: found[name]["kernels"] for name, most in MOST.items() if found[name]["kernels"] > most} == {}


def test_annealing_waits_for_no_step(found: Found) -> None:
    """Its inputs are moved four times, whatever the number of its steps."""
    assert found["annealed"]["waits"] == 4


def test_a_subset_of_a_kernel_distance_is_read_at_once(found: Found) -> None:
    assert found["kernel"]["waits"] < 3 * 6
