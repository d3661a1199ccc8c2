"""Time annealed importance sampling beside a plain loop: python benchmarks/speed/ais.py [--full].

An RBM of 784 and 500 units with random weights. The plain loop follows the paper term by term, as one would write it:
free energies of each state under two neighbouring machines, then a step of Gibbs sampling, all chains at once. The
other takes chain by chain. All run in turn in one process for a few steps, whose times are scaled up to a whole run of
10,000 temperatures. `--full` performs one of ours.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from genbench.numerics.annealing import Machine, log_weights

D, H, TEMPERATURES = 784, 500, 10_000


def machine() -> Machine:
    """Return a machine of MNIST's size, its units far from certain."""
    g = torch.Generator().manual_seed(0)
    W = 0.05 * torch.randn(H, D, generator=g)
    return Machine(W, -W.sum(0) / 2, -W.sum(1) / 2)


def free_energy(m: Machine, v: Tensor, beta: float) -> Tensor:
    """Return -log of the sum over h of p_beta, (chains,)."""
    return -(v @ m.b) - softplus(m.c + beta * (v @ m.W.T)).sum(1)


def plain(m: Machine, chains: int, steps: int, generator: torch.Generator) -> Tensor:
    """Return log weights of the first steps, without the constant of the start."""
    v = torch.bernoulli(m.b.sigmoid().expand(chains, -1), generator=generator)
    log_w = torch.zeros(chains, dtype=torch.float64)
    for k in range(steps):
        beta, to = k / TEMPERATURES, (k + 1) / TEMPERATURES
        log_w += free_energy(m, v, beta) - free_energy(m, v, to)
        h = torch.bernoulli((m.c + to * (v @ m.W.T)).sigmoid(), generator=generator)
        v = torch.bernoulli((m.b + to * (h @ m.W)).sigmoid(), generator=generator)
    return log_w


def one_by_one(m: Machine, chains: int, steps: int, generator: torch.Generator) -> Tensor:
    """Return the same, chain by chain."""
    return torch.cat([plain(m, 1, steps, generator) for _ in range(chains)])


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Time all in turn and print seconds of a whole run, and each as a multiple of ours."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--full", action="store_true", help="perform a whole run of ours, once")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    m, g, few = machine(), torch.Generator().manual_seed(0), max(1, given.chains // 100)
    work: dict[str, tuple[Callable[[], object], float]] = {
        "genbench": (lambda: log_weights(m, given.chains, given.steps, g), 1),
        "plain loop": (lambda: plain(m, given.chains, given.steps, g), 1),
        "chain by chain": (lambda: one_by_one(m, few, given.steps, g), given.chains / few),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(given.repeats):
        for name, (call, scale) in work.items():
            times[name].append(seconds(call) * scale * TEMPERATURES / given.steps)
    print(f"{given.chains} chains, {TEMPERATURES:,} temperatures, torch {torch.__version__}, {given.threads} thread(s)")
    for name, values in times.items():
        ratio = statistics.median(t / o for t, o in zip(values, times["genbench"], strict=True))
        print(f"{name:16}{statistics.median(values):8.0f} s, from {given.steps} steps; {ratio:.2f} times genbench's")
    if given.full:
        print(f"{'a whole run':16}{seconds(lambda: log_weights(m, given.chains, TEMPERATURES, g)):10.0f} s")


if __name__ == "__main__":
    main()
