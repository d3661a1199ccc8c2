"""Time the whole Parzen protocol beside its bare matrix products and scikit-learn: python benchmarks/speed/parzen.py.

Random data at the paper's size: 10,000 samples of 784 values, ten sigmas on 1,000 points, one sigma on 10,000. All run
in turn in one process; times are medians over the repetitions. scikit-learn evaluates one sigma only, on a few points,
and its time is scaled up to the 10,000 of the test: it takes each point by itself, in one thread. Its tree as it comes
rounds the values by hundreds of nats in so many dimensions; a tree of one leaf is exact, and faster too.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from sklearn.neighbors import KernelDensity
from torch import Tensor

from genbench.numerics.parzen import choose_sigma, log_likelihoods

DIM, BLOCK = 784, 1000


def ours(samples: Tensor, valid: Tensor, test: Tensor) -> Tensor:
    """Return the log-likelihoods of the test points, by the paper's whole protocol."""
    return log_likelihoods(samples, test, [choose_sigma(samples, valid).sigma])[0]


def products(samples: Tensor, valid: Tensor, test: Tensor) -> None:
    """Perform the matrix products of that protocol, and nothing else."""
    buffer = torch.empty(min(BLOCK, len(test)), len(samples))
    for points in (valid, test):
        for block in torch.split(points, BLOCK):
            torch.mm(block, samples.T, out=buffer[: len(block)])


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Parse the options, time all in turn and print the table."""
    parser = argparse.ArgumentParser(description="Speed of the Parzen log-likelihood.")
    parser.add_argument("--threads", type=int, default=1, help="threads for torch (scikit-learn always uses one)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, three repetitions")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    n, repeat, few = (1000, 3, 20) if options.quick else (10_000, 5, 50)
    generator = torch.Generator().manual_seed(0)
    samples, valid, test = (torch.rand(size, DIM, generator=generator) for size in (n, n // 10, n))
    sigma = choose_sigma(samples, valid).sigma
    fitted = [KernelDensity(bandwidth=sigma, leaf_size=leaf).fit(samples.double().numpy()) for leaf in (40, n)]
    scored = test[:few].double().numpy()
    work: dict[str, Callable[[], object]] = {
        "genbench, whole protocol": lambda: ours(samples, valid, test),
        "bare matrix products": lambda: products(samples, valid, test),
        f"scikit-learn, one sigma, {few} points scaled to {n:,}": lambda: fitted[0].score_samples(scored),
        "scikit-learn, likewise, with a tree of one leaf": lambda: fitted[1].score_samples(scored),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeat):
        for name, call in work.items():
            times[name].append(seconds(call) * (n / few if name.startswith("scikit") else 1))
    report({name: statistics.median(values) for name, values in times.items()}, options.threads)


def report(medians: dict[str, float], threads: int) -> None:
    """Print seconds, and each as a multiple of ours."""
    first = next(iter(medians.values()))
    print(f"torch {torch.__version__}, {threads} thread(s), float32\n{'':56}{'seconds':>10}{'/ genbench':>12}")
    for name, value in medians.items():
        print(f"{name:56}{value:10.3f}{value / first:12.2f}")


if __name__ == "__main__":
    main()
