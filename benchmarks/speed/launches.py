"""Count kernels and waits of a training step of every built-in model: python benchmarks/speed/launches.py.

No GPU is needed: models train on genbench's stand-in for CUDA, which runs every operation on the CPU and counts it. A
kernel is an operation that is no view, forwards, backwards and in the optimiser; a wait is one that holds the host up
until the device is done, or copies between both. Each is the difference between a run of few steps and one of more,
over the steps between, so that what happens once, before and after, is left out: means of an epoch are read when it
ends, and are no part of a step. kmeans has no steps: of it, an iteration over 10,000 images is counted, which takes as
many kernels for any number of clusters.

What the counts are not: times; the launches that CUDA truly makes, since one operation may be several kernels (a sort,
a product that is split) and a fused one of many tensors is one; and the bytes that kernels move.
"""

import argparse
from collections import Counter
from dataclasses import dataclass

import torch

from genbench.api import Space, Split, TrainingData
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.testing import cuda_standin
from genbench.trial import seeding
from genbench.trial.identity import Budget
from genbench.trial.torch_state import known_state
from genbench.trial.training import TrainingRun

GREY, COLOUR = Space((1, 28, 28), 10), Space((3, 32, 32), 10)
RECIPES = {
    "gan@paper": GREY,
    "gan@figure1": GREY,
    "gan@paper-cifar10-conv[g_hidden=[80],batch=10]": COLOUR,  # a CPU is slow, and sizes change no count
    "conditional-gan@paper": GREY,
    "rbm[algorithm=cd]": GREY,
}
"""What is counted beside each model's defaults."""

FEW, MORE = 1, 3


@dataclass(frozen=True)
class Seen:
    """What a training asked of the device in so many steps."""

    steps: int
    lines: Counter[str]
    kernels: Counter[str]
    waits: Counter[str]


@dataclass(frozen=True)
class Counts:
    """What a step asks of the device, on average: kernels by line and by operation, waits by both."""

    lines: dict[str, float]
    kernels: dict[str, float]
    waits: dict[str, float]

    @property
    def harness(self) -> float:
        """Return how many of the kernels are the harness's own: taking a batch, and adding to the log."""
        return sum(count for line, count in self.lines.items() if line.startswith("genbench.trial."))


def models() -> dict[str, Space]:
    """Return what is counted, and the space of its images: all built-in models, and recipes with other networks."""
    names = {entry.name: GREY for entry in load_registry().entries("model") if entry.plugin.distribution == "genbench"}
    return names | RECIPES


def counts(text: str, space: Space) -> Counts | None:
    """Return the counts of a model's step, or None where it has no loop of steps."""
    data = images(1000, space)  # as many as MORE steps take at most
    few, more = (seen(text, data, steps) for steps in (FEW, MORE))
    return between(few, more) if more.steps == MORE else None


def counts_of_kmeans(n: int, clusters: int) -> Counts:
    """Return the counts of an iteration of kmeans over n images: so many clusters that it goes on for MORE of them."""
    data = images(n, GREY)
    texts = (f"kmeans[clusters={clusters},iterations={count}]" for count in (FEW, MORE))
    few, more = (seen(text, data, None) for text in texts)
    return between(few, more)


def images(n: int, space: Space) -> TrainingData:
    """Return images with values at random, and labels."""
    x = torch.rand(n, *space.shape, generator=torch.Generator().manual_seed(0)).to("cuda")
    split = Split(x, (torch.arange(n) % (space.classes or 1)).to("cuda"))
    return TrainingData(split, split, space)


def seen(text: str, data: TrainingData, steps: int | None) -> Seen:
    """Return what a training of at most so many steps asked for."""
    model = Resolver(load_registry()).resolve("model", text).instantiate()
    device = data.train.images.device
    with known_state(True, 1):
        with seeding.seeded(0, "init"):
            model.build(data.space, device)
        run = TrainingRun(0, device, Budget(steps))
        cuda_standin.counts.reset()
        cuda_standin.counts.on = True
        try:
            with seeding.seeded(0, "fit"):
                model.fit(data, run)
        finally:
            cuda_standin.counts.on = False
    found = cuda_standin.counts
    return Seen(run.step, Counter(found.where), Counter(found.kernels), Counter(found.syncs))


def between(few: Seen, more: Seen) -> Counts:
    """Return what came with a further step, on average."""
    pairs = (few.lines, more.lines), (few.kernels, more.kernels), (few.waits, more.waits)
    return Counts(*({name: count / (MORE - FEW) for name, count in (b - a).items()} for a, b in pairs))


def report(text: str, found: Counts) -> None:
    """Print a row of the table."""
    most = sorted(found.lines.items(), key=lambda item: -item[1])[:2]
    lines = ", ".join(f"`{line}` {count:g}" for line, count in most)
    kernels, waits = (sum(counted.values()) for counted in (found.kernels, found.waits))
    print(f"| `{text}` | {kernels:g} | {waits:g} | {found.harness:g} | {lines} |")


def main() -> None:
    """Count each model, or those that are named, and print a row each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="as 'gan[batch=50]'; all built-in ones where none is named")
    given = parser.parse_args()
    cuda_standin.install()
    torch.cuda.set_device(0)
    print(f"torch {torch.__version__}; operations a step\n")
    print("| | kernels | waits | of the kernels the harness's | most are launched by |\n|---|---:|---:|---:|---|")
    for text, space in (dict.fromkeys(given.models, GREY) or models()).items():
        found = counts(text, space)
        if found is not None:
            report(text, found)
    if not given.models:
        report("kmeans[clusters=100]", counts_of_kmeans(10_000, 100))


if __name__ == "__main__":
    main()
