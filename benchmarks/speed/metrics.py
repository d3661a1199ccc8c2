"""Time the image metrics beside their peers: python benchmarks/speed/metrics.py [frechet] [neighbours] [kernel].

frechet     from statistics of 2048 values, beside torch-fidelity and clean-fid
neighbours  precision, recall, density and coverage of two sets of 10,000 rows of 2048 values, beside prdc,
            torch-fidelity (precision and recall alone) and the three matrix products alone
kernel      100 subsets of 1000 of the same rows, beside torch-fidelity, which in float32 sums in float32 too

All get the same features, of positive numbers with a falling spectrum, and run in turn in one process; times are
medians over the repetitions, memory is the highest above what was held before the call, in any of them. Every line says
how far its values are from ours, relatively. prdc starts eight threads of its own, whatever --threads says.
"""

import argparse
import contextlib
import io
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from genbench.numerics.frechet import Gaussian, frechet_distance, gaussian
from genbench.numerics.kernels import kernel_distance
from genbench.numerics.neighbours import neighbourhoods

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import cleanfid.fid as clean_fid
    from prdc import compute_prdc
    from torch_fidelity import metric_fid, metric_kid, metric_prc

Values = list[float]
K = 5


def features(n: int, width: int, seed: int) -> Tensor:
    """Return rows (n, width) float32 like those of a network's last layer: positive, correlated, of unequal size."""
    mixing = torch.randn(width, width, generator=torch.Generator().manual_seed(9)) / width**0.5
    rows = torch.randn(n, width, generator=torch.Generator().manual_seed(seed)) * torch.logspace(0, -2, width)
    return (rows @ mixing + 0.02 * seed).relu_()


# What is timed -------------------------------------------------------------------------------------------------------


def as_statistics(fitted: Gaussian) -> dict[str, np.ndarray]:
    """Return what torch-fidelity takes."""
    return {"mu": fitted.mean.numpy(), "sigma": fitted.covariance.numpy()}


def by_clean_fid(first: Gaussian, second: Gaussian) -> Values:
    """Return clean-fid's distance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arrays = (first.mean.numpy(), first.covariance.numpy(), second.mean.numpy(), second.covariance.numpy())
        return [float(clean_fid.frechet_distance(*arrays))]


def frechet(n: int, width: int) -> dict[str, Callable[[], Values]]:
    """Return ways to the Frechet distance."""
    first, second = (gaussian(features(n, width, seed)) for seed in (0, 1))
    peer = metric_fid.fid_statistics_to_metric
    return {
        "genbench": lambda: [frechet_distance(first, second)],
        "torch-fidelity": lambda: list(peer(as_statistics(first), as_statistics(second), False).values()),
        "clean-fid": lambda: by_clean_fid(first, second),
    }


def by_prdc(real: Tensor, fake: Tensor) -> Values:
    """Return prdc's four scores."""
    with contextlib.redirect_stdout(io.StringIO()):
        found = compute_prdc(real.numpy(), fake.numpy(), K)
    return [float(found[name]) for name in ("precision", "recall", "density", "coverage")]


def by_torch_fidelity(real: Tensor, fake: Tensor) -> Values:
    """Return torch-fidelity's precision and recall."""
    options = {"prc_neighborhood": K, "prc_batch_size": 10_000, "save_cpu_ram": False, "verbose": False}
    found = metric_prc.prc_features_to_metric(fake, real, **options)
    return [found["precision"], found["recall"]]


def ours(real: Tensor, fake: Tensor) -> Values:
    """Return our four scores."""
    found = neighbourhoods(real, fake, K, K)
    return [float(part.mean()) for part in (found.precision, found.recall, found.density, found.coverage)]


def products(real: Tensor, fake: Tensor) -> Values:
    """Perform the three matrix products, and nothing else."""
    buffer = torch.empty(1000, len(fake))
    for x, y in ((real, real), (fake, fake), (real, fake)):
        for block in torch.split(x, 1000):
            torch.mm(block, y.T, out=buffer[: len(block)])
    return []


def neighbours(n: int, width: int) -> dict[str, Callable[[], Values]]:
    """Return ways to precision, recall, density and coverage."""
    real, fake = features(n, width, 0), features(n, width, 1)
    return {
        "genbench": lambda: ours(real, fake),
        "bare matrix products": lambda: products(real, fake),
        "torch-fidelity, precision and recall": lambda: by_torch_fidelity(real, fake),
        "prdc": lambda: by_prdc(real, fake),
    }


def kernel(n: int, width: int) -> dict[str, Callable[[], Values]]:
    """Return ways to the kernel distance, of torch-fidelity's own subsets."""
    first, second = features(n, width, 0), features(n, width, 1)
    size = min(1000, n // 2)
    options = {"kid_subsets": 100, "kid_subset_size": size, "rng_seed": 2020, "verbose": False, "kid_kernel": "poly"}
    options |= {"kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1}

    def subsets() -> list[tuple[Tensor, Tensor]]:
        draw = np.random.RandomState(2020)
        drawn = [[torch.from_numpy(draw.choice(n, size, replace=False)) for _ in range(2)] for _ in range(100)]
        return [(i, j) for i, j in drawn]

    def our_kernel() -> Values:
        found = kernel_distance(first, second, subsets())
        return [found.value, found.spread]

    return {
        "genbench, with its standard error": our_kernel,
        "torch-fidelity": lambda: list(metric_kid.kid_features_to_metric(first, second, **options).values()),
        "torch-fidelity, given float64": lambda: list(
            metric_kid.kid_features_to_metric(first.double(), second.double(), **options).values()
        ),
    }


# Measuring -----------------------------------------------------------------------------------------------------------


@dataclass
class Measured:
    """Seconds and MiB of each call, and the values of the last."""

    seconds: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)
    values: Values = field(default_factory=list)

    def call(self, work: Callable[[], Values]) -> None:
        """Call once and note what it took."""
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts again from here
        before, start = resident("VmRSS"), time.perf_counter()
        self.values = work()
        self.seconds.append(time.perf_counter() - start)
        self.mib.append(resident("VmHWM") - before)


def resident(name: str) -> float:
    """Return a line of this process's status, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name + ":"))


def report(title: str, results: dict[str, Measured]) -> None:
    """Print medians, each as a multiple of ours, memory, and the greatest relative difference from our values."""
    own = next(iter(results.values()))
    print(f"\n{title}\n{'':40}{'seconds':>9}{'/ genbench':>12}{'MiB':>8}  off ours by")
    for name, result in results.items():
        median = statistics.median(result.seconds)
        off = [abs(a / b - 1) for a, b in zip(result.values, own.values, strict=False)]
        last = f"{max(off):.0e}" if off else ""
        print(f"{name:40}{median:9.2f}{median / statistics.median(own.seconds):12.2f}{max(result.mib):8.0f}  {last}")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["frechet", "neighbours", "kernel"])
    parser.add_argument("--threads", type=int, default=1, help="threads for torch and numpy")
    parser.add_argument("--quick", action="store_true", help="1000 rows of 256 values")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    n, width = (1000, 256) if given.quick else (10_000, 2048)
    print(f"torch {torch.__version__}, {given.threads} thread(s), {n:,} rows of {width} values, float32")
    ways = {"frechet": frechet, "neighbours": neighbours, "kernel": kernel}
    with threadpool_limits(given.threads):
        for what in given.what:
            work = ways[what](n, width)
            results = {name: Measured() for name in work}
            for _ in range(given.repeats):
                for name, call in work.items():
                    results[name].call(call)
            report(what, results)


if __name__ == "__main__":
    main()
