"""Count kernels and waits of a training step of every built-in model: python benchmarks/speed/launches.py.

No GPU is needed: models train on genbench's stand-in for CUDA, which runs every operation on the CPU and counts it. A
kernel is an operation that is no view, forwards, backwards and in the optimiser; a wait is one that holds the host up
until the device is done, or copies between both. Each is the difference between a run of few steps and one of more,
over the steps between, so that what happens once, before and after, is left out: means of an epoch are read when it
ends, and are no part of a step.

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
from genbench.trial.spec import Budget
from genbench.trial.surroundings import deterministic, enter_device
from genbench.trial.training import TrainingRun

GREY, COLOUR = Space((1, 28, 28), 10), Space((3, 32, 32), 10)
RECIPES = {
    "gan@paper": GREY,
    "gan@figure1": GREY,
    "gan@paper-cifar10-conv": COLOUR,
    "conditional-gan@paper": GREY,
    "rbm[algorithm=cd]": GREY,
    "denoising-autoencoder[walkback=0.5]": GREY,
}
"""What is counted beside each model's defaults."""

FEW, MORE = 2, 6


@dataclass(frozen=True)
class Counts:
    """What a training step asks of the device, on average: kernels, those by line, and waits by operation."""

    kernels: float
    lines: dict[str, float]
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
    device = torch.device("cuda", 0)
    generator = torch.Generator().manual_seed(0)
    n = 250 * (MORE + 1)  # all steps in the first epoch
    x, y = torch.rand(n, *space.shape, generator=generator), torch.arange(n) % 10
    split = Split(x.to(device), y.to(device))
    data = TrainingData(split, Split(split.images[:100], split.labels), space)
    few, more = (_seen(text, data, steps, device) for steps in (FEW, MORE))
    if few is None or more is None:
        return None
    lines, waits = (
        {name: count / (MORE - FEW) for name, count in (after - before).items()}
        for before, after in zip(few, more, strict=True)
    )
    return Counts(sum(lines.values()), lines, waits)


def _seen(text: str, data: TrainingData, steps: int, device: torch.device) -> tuple[Counter[str], Counter[str]] | None:
    """Return the kernels by line and the waits by operation of a training of so many steps."""
    model = Resolver(load_registry()).resolve("model", text).instantiate()
    with deterministic(True, 1):
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
    return (Counter(cuda_standin.counts.where), Counter(cuda_standin.counts.syncs)) if run.step == steps else None


def report(text: str, found: Counts) -> None:
    """Print a row of the table."""
    most = sorted(found.lines.items(), key=lambda item: -item[1])[:2]
    lines = ", ".join(f"`{line}` {count:g}" for line, count in most)
    print(f"| `{text}` | {found.kernels:g} | {sum(found.waits.values()):g} | {found.harness:g} | {lines} |")


def main() -> None:
    """Count each model, or those that are named, and print a row each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="as 'gan[batch=50]'; all built-in ones where none is named")
    given = parser.parse_args()
    cuda_standin.install()
    enter_device(torch.device("cuda", 0))
    print(f"torch {torch.__version__}; operations a step\n")
    print("| | kernels | waits | of these kernels the harness's | most are launched by |\n|---|---:|---:|---:|---|")
    for text, space in models().items() if not given.models else [(text, GREY) for text in given.models]:
        found = counts(text, space)
        if found is not None:
            report(text, found)


if __name__ == "__main__":
    main()
