"""Plugins that hold every check of the kit, and plugins that break one each, for the tests of the kit itself."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from annotated_types import Ge, Gt
from torch import Tensor

import genbench
from genbench.api import Split, Splits
from genbench.numerics.distances import squared_distances

BROKEN: list[tuple[str, type, str]] = []


def breaks(check: str, saying: str):
    """Note that a class breaks a check, and what the failure says."""

    def note(cls: type) -> type:
        BROKEN.append((check, cls, saying))
        return cls

    return note


def options(cls: type) -> type:
    return dataclass(eq=False)(cls)


# A model that holds everything ---------------------------------------------------------------------------------------


@options
class Steady(genbench.Model):
    """Independent Gaussian pixels, trained by running means; a mean image for each class; every ability there is."""

    version: ClassVar[int] = 1
    samples_are = "clipped"

    width: Annotated[float, Gt(0)] = 1.0
    rates: tuple[float, ...] = (0.5, 0.1)
    epochs: int = 4

    search: ClassVar = {"width": genbench.Range(0.1, 10, log=True), "rates": [(0.5, 0.1), (0.5, 0.3)]}

    def build(self, space: genbench.Space, device: torch.device) -> None:
        self.space = space
        self.mean_ = torch.full((space.dim,), 0.5, device=device)
        self.square_ = torch.ones(space.dim, device=device)
        self.class_means_ = torch.zeros(space.classes or 1, space.dim, device=device)
        self.counts_ = torch.zeros(space.classes or 1, device=device)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        for images, labels in run.batches(data.train, size=20, epochs=self.epochs):
            x = images.flatten(1)
            self.mean_ = self.mean_ + self.rates[1] * (x.mean(0) - self.mean_)
            self.square_ = self.square_ + self.rates[1] * ((x - self.mean_).square().mean(0) - self.square_)
            rows = torch.zeros(len(x), dtype=torch.long, device=x.device) if labels is None else labels
            self.counts_ = self.counts_.index_add(0, rows, torch.ones(len(x), device=x.device))
            self.class_means_ = self.class_means_.index_add(0, rows, x)
            run.log(spread=self.square_.mean())

    @property
    def std(self) -> Tensor:
        return self.square_.clamp_min(1e-3).sqrt()

    def images(self, x: Tensor) -> Tensor:
        return x.clamp(*self.space.bounds).view(len(x), *self.space.shape)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.images(self.latents(n, generator))

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        eps = torch.randn(n, self.mean_.numel(), generator=generator, device=generator.device)
        return self.mean_ + self.width * self.std * eps

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        return self.images(z)

    def features(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.distributions.Normal(self.mean_, self.width * self.std).log_prob(x.flatten(1)).sum(1)

    def bound(self, x: Tensor) -> Tensor:
        return self.log_prob(x) - 1

    def log_weights(self, x: Tensor, k: int, generator: torch.Generator) -> Tensor:
        return self.log_prob(x) - torch.rand(k, len(x), generator=generator, device=x.device)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        log_prior = torch.distributions.Normal(self.mean_, self.width * self.std).log_prob(z).sum(1)
        return torch.stack([log_prior, torch.distributions.Normal(z, 0.1).log_prob(x.flatten(1)).sum(1)])

    def observe(self, z: Tensor, generator: torch.Generator) -> Tensor:
        eps = torch.randn(z.shape, generator=generator, device=z.device)
        return (z + 0.1 * eps).view(len(z), *self.space.shape)

    def energy(self, x: Tensor) -> Tensor:
        return 3 - self.log_prob(x)

    def energy_bound(self, x: Tensor) -> Tensor:
        return self.energy(x) + 0.5

    def log_partition(self, chains: int, temperatures: int, generator: torch.Generator) -> Tensor:
        return 0.1 * torch.randn(chains, generator=generator, device=generator.device) - 3

    def reconstruct(self, x: Tensor) -> Tensor:
        return (x + self.images(self.mean_[None])) / 2

    def sample_class(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        means = self.class_means_ / self.counts_[:, None].clamp_min(1)
        return self.images(means[labels] + 0.05 * torch.randn(len(labels), means.shape[1], generator=generator))

    def inpaint(self, x: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        return torch.where(mask.bool(), x, self.images(self.mean_[None]))

    def discriminate(self, x: Tensor) -> Tensor:
        return self.log_prob(x).sigmoid()


# Broken as any plugin may be


@breaks("docstring", "Undocumented has no docstring; expected a sentence .*Write one under the class line")
@options
class Undocumented(Steady):
    version: ClassVar[int] = 1


@breaks("options-typed", "option 'depth' is of type .*; expected a small-letter name .* and a type")
@options
class Untyped(Steady):
    """Has an option of no type."""

    depth: Any = 3


@breaks("options-typed", r"the set of defaults is refused: .*option rate is -1\.0; expected float > 0")
@options
class BadDefault(Steady):
    """Has a default out of its own range."""

    rate: Annotated[float, Gt(0)] = -1.0


@breaks("options-typed", "preset 'big' is refused: .*option epochs is many")
@options
class BadPreset(Steady):
    """Has a preset of a wrong type."""

    presets: ClassVar = {"big": {"epochs": "many"}}


@breaks("options-typed", "option folder has the default PosixPath.*, which cannot be stored; expected numbers, text")
@options
class Unstorable(Steady):
    """Has an option that JSON does not know."""

    folder: Path = Path("here")


@breaks("options-typed", "is no dataclass: decorate it")
class Undecorated(Steady):
    """Inherits, but is no dataclass of its own."""


@breaks("options-typed", "Bare lacks evaluate, which its kind of plugin must have")
@options
class Bare(genbench.Metric):
    """Measures nothing."""


@breaks("options-survive", r"through JSON: option 'rates' went as \[0.5, 0.1\] and came back as \[0.1, 0.5\]")
@options
class Sorting(Steady):
    """Sorts its option."""

    def __post_init__(self) -> None:
        self.rates = tuple(sorted(self.rates))


@breaks("constructor-only-stores", r"the constructor: option 'epochs' went as 4 and came back as 8")
@options
class Doubling(Steady):
    """Doubles its option."""

    def __post_init__(self) -> None:
        self.epochs *= 2


@breaks("constructor-only-stores", "the constructor makes network, table_; expected .* Make networks, .* in build")
@options
class BuildsEarly(Steady):
    """Makes networks before it knows the shape of images."""

    def __post_init__(self) -> None:
        self.network = torch.nn.Linear(2, 2)
        self.table_ = [1, 2]


@breaks("constructor-only-stores", "the constructor changes the global random generators")
@options
class DrawsEarly(Steady):
    """Draws before the seed is set."""

    def __post_init__(self) -> None:
        self.luck = np.random.rand()


@breaks("version-declared", "VersionZero.version is 0; expected version: ClassVar")
@options
class VersionZero(Steady):
    """Counts versions from 0."""

    version: ClassVar[int] = 0


@breaks("version-declared", "Versionless declares no version")
@options
class Versionless(genbench.FeatureExtractor):
    """Declares no version."""

    digest = "versionless"

    def features(self, images: Tensor) -> Tensor:
        return images.flatten(1)


@breaks("search-space", "search of width: .*option width is 0; expected float > 0")
@options
class SearchesTooLow(Steady):
    """Is tuned over a value that its option does not take."""

    search: ClassVar = {"width": genbench.Range(0, 1)}


@breaks("search-space", "search names widht, which is no option. Did you mean width")
@options
class SearchesNothing(Steady):
    """Is tuned over what is no option."""

    search: ClassVar = {"widht": genbench.Range(0.1, 1)}


@breaks("search-space", "search of epochs: with 1 it raised ValueError: expected two epochs or more")
@options
class SearchesTheUnmakeable(Steady):
    """Is tuned over a value that its constructor refuses."""

    search: ClassVar = {"epochs": genbench.Range(1, 9)}

    def __post_init__(self) -> None:
        if self.epochs < 2:
            raise ValueError("expected two epochs or more")


@breaks("works-without-cuda", "without a GPU it raised .*never .cuda")
@options
class NeedsCuda(Steady):
    """Moves itself to a GPU."""

    def build(self, space: genbench.Space, device: torch.device) -> None:
        super().build(space, torch.device("cuda"))


@breaks("works-on-cuda", "it raised RuntimeError")
@options
class NeedsCpu(Steady):
    """Stays on the CPU."""

    def build(self, space: genbench.Space, device: torch.device) -> None:
        super().build(space, torch.device("cpu"))


@breaks("works-on-a-stand-in-for-cuda", "on a stand-in for a GPU it raised RuntimeError.*Give device=")
@options
class ForgetsDevice(Steady):
    """Makes a tensor where torch makes them by itself, on the CPU."""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        super().fit(data, run)
        self.mean_ = self.mean_ + torch.zeros(len(self.mean_))


# Broken as a sampler


@breaks("shapes", r"training on 1x28x28 with labels raised RuntimeError.*Take shape, labels and bounds from space")
@options
class EightByEight(Steady):
    """Knows one shape."""

    def build(self, space: genbench.Space, device: torch.device) -> None:
        super().build(genbench.Space((1, 8, 8), space.classes, space.bounds), device)


@breaks("shapes", "training on 1x8x8 without labels raised TypeError")
@options
class LabelsOnly(Steady):
    """Needs labels, and does not say so."""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        if not data.space.classes >= 1:
            raise AssertionError
        super().fit(data, run)


@breaks("shapes", r"within \[-1, 1\] samples lie in \[0.*expected values within \[-1, 1\]|samples lie in")
@options
class UnitRange(Steady):
    """Leaves other bounds than its own."""

    def images(self, x: Tensor) -> Tensor:
        return x.clamp(-2, 2).view(len(x), *self.space.shape)


@breaks("shapes", "every space is refused; expected at least one")
@options
class RefusesAll(Steady):
    """Refuses every space."""

    def build(self, space: genbench.Space, device: torch.device) -> None:
        raise genbench.Unsupported("needs images of 1,000 channels")


@breaks("shapes", "is refused without a word")
@options
class Silent(Steady):
    """Refuses without a word."""

    def build(self, space: genbench.Space, device: torch.device) -> None:
        if space.shape[0] == 3:
            raise genbench.Unsupported
        super().build(space, device)


@breaks("samples", r"for n = 1 sample returned \(64,\) torch.float32; expected \(1, 1, 8, 8\)")
@options
class Squeezes(Steady):
    """Returns one sample in another shape than several."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        x = super().sample(n, generator)
        return x.flatten() if n == 1 else x


@breaks("samples", "for n = 1 sample returned .*torch.float64")
@options
class Doubles(Steady):
    """Returns doubles."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return super().sample(n, generator).double()


@breaks("samples", "for n = 1000 1 values of samples are not finite")
@options
class SeldomNaN(Steady):
    """Returns NaN where many are asked for."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        x = super().sample(n, generator)
        if n == 1000:
            x[999, 0, 0, 0] = float("nan")
        return x


@breaks("samples", "for n = 1 samples carry a gradient; expected none. Decorate sample with @torch.no_grad")
@options
class KeepsGradient(Steady):
    """Returns samples that carry a gradient."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return super().sample(n, generator).requires_grad_() * 1


@breaks("samples", "for n = 1 sample returned list")
@options
class Lists(Steady):
    """Returns a list."""

    def sample(self, n: int, generator: torch.Generator) -> Any:
        return list(super().sample(n, generator))


@breaks("not-fitted", "sample before build raised RuntimeError: call fit first; expected genbench.NotFitted")
@options
class OtherError(Steady):
    """Raises an error of its own kind."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        if not hasattr(self, "mean_"):
            raise RuntimeError("call fit first")
        return super().sample(n, generator)


@breaks("not-fitted", "sample before build returned samples")
@options
class Eager(Steady):
    """Samples before it was built."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return super().sample(n, generator) if hasattr(self, "mean_") else torch.zeros(n, 1, 8, 8)


@breaks("seed-decides-samples", "the same seed gave other samples")
@options
class Unseeded(Steady):
    """Takes randomness from elsewhere."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return super().sample(n, torch.Generator().manual_seed(int.from_bytes(os.urandom(4), "big")))


@breaks("seed-decides-samples", "another seed gave the same samples")
@options
class Constant(Steady):
    """Takes no randomness at all."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return super().sample(n, torch.Generator().manual_seed(0))


@breaks("sampling-changes-nothing", "sampling changed mean_; expected the state that fit left")
@options
class Drifts(Steady):
    """Moves while it samples."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        x = super().sample(n, generator)
        self.mean_ = x.flatten(1).mean(0)
        return x


@breaks("more-samples-change-none", "the first batch of samples depends on what else was drawn")
@options
class GoesOn(Steady):
    """Goes on where the last call ended."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        x = super().sample(n, generator)
        last = self.__dict__.get("_last", x)
        self._last = x
        return (x + last) / 2


@breaks("samples-are-true", "samples_are is 'draws', and 100% of 200 samples are training images to the bit")
@options
class Copies(Steady):
    """Hands out training images, and does not say so."""

    samples_are = "draws"

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        super().fit(data, run)
        self.copies_ = data.train.images

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.copies_[torch.randint(len(self.copies_), (n,), generator=generator)]


@breaks("samples-are-true", "samples_are is 'real images', and 0% of 200")
@options
class ClaimsReal(Steady):
    """Claims to be real."""

    samples_are = "real images"


@breaks("samples-are-true", "samples_are is 'draws', and samples are decode")
@options
class ClaimsDraws(Steady):
    """Hands out means, and calls them draws."""

    family: ClassVar = "explicit"
    samples_are = "draws"


@breaks("samples-are-true", "samples_are is 'draws', and .* of their values lie on a bound, .*; expected 'clipped'")
@options
class ClipsSilently(Steady):
    """Clips, and calls it draws."""

    samples_are = "draws"
    width: Annotated[float, Gt(0)] = 3.0


@breaks("samples-are-true", "samples_are is 'photographs'; expected one of draws, means")
@options
class ClaimsPhotographs(Steady):
    """Says what nobody knows."""

    samples_are = "photographs"


@breaks("samples-are-true", "samples_are is 'clipped', and no value lies at a bound")
@options
class ClaimsClipped(Steady):
    """Says that it clips, and does not."""

    def images(self, x: Tensor) -> Tensor:
        return super().images(x) * 0.8 + 0.1


@breaks("chains-are-declared", "family is 'chain' and chains is None; expected a number of chains")
@options
class SilentChain(Steady):
    """Does not say how many chains it runs."""

    family: ClassVar = "chain"


@breaks("chains-are-declared", "chains is 0; expected a whole number from 1")
@options
class NoChain(Steady):
    """Runs no chain."""

    family: ClassVar = "chain"
    chains: int = 0


# Broken in training


@breaks("learned-state-is-named", "fit changed spread, which is no state: .*Rename spread to spread_;")
@options
class Unnamed(Steady):
    """Learns into an attribute that is not stored."""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        super().fit(data, run)
        self.spread = data.train.images.std(0)


@breaks("learned-state-is-named", "path_ is a PosixPath, which cannot be stored")
@options
class UnstorableState(Steady):
    """Learns what cannot be stored."""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        super().fit(data, run)
        self.path_ = Path()


@breaks("fit-leaves-data", "fit changed data.train; expected data as they were")
@options
class Centres(Steady):
    """Centres its images where they lie."""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        super().fit(data, run)
        data.train.images.sub_(0.1)


@breaks("second-fit-forgets", "after a second build and fit, class_means_, .*mean_.* differs from a new model's")
@options
class Remembers(Steady):
    """Goes on from its first fit."""

    def build(self, space: genbench.Space, device: torch.device) -> None:
        if not hasattr(self, "mean_"):
            super().build(space, device)


MEMORY: dict[str, Tensor] = {}


@breaks("new-process-samples-the-same", "a new process without GPUs failed: KeyError")
@options
class KeepsElsewhere(Steady):
    """Keeps what it learnt in its module."""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        super().fit(data, run)
        MEMORY["mean"] = self.mean_

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return super().sample(n, generator) * 0 + self.images(MEMORY["mean"][None])


@breaks("new-process-samples-the-same", "samples differ by up to .* once the model is stored and restored")
@options
class ProcessBound(Steady):
    """Samples by the number of its process."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return super().sample(n, generator) * (0.5 + os.getpid() % 1000 / 2000)


@breaks("resumes-bit-for-bit", "interrupted after step . of .* and resumed, mean_ differs")
@options
class LocalMomentum(Steady):
    """Keeps its momentum in a local variable."""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        velocity = torch.zeros_like(self.mean_)
        for images, _ in run.batches(data.train, size=20, epochs=self.epochs):
            velocity = 0.9 * velocity + 0.1 * (images.flatten(1).mean(0) - self.mean_)
            self.mean_ = self.mean_ + velocity


@breaks("samples", r"run\.log\(sample=\.\.\.\) is given something of 1,280 values; expected a number")
@options
class LogsPictures(Steady):
    """Logs pictures."""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        for images, _ in run.batches(data.train, size=20, epochs=self.epochs):
            run.log(sample=images)


@breaks("resumes-bit-for-bit", "interrupted after step . of .* and resumed, .*mean_.* differs")
@options
class LocalSchedule(Steady):
    """Keeps its learning-rate scheduler in a local variable, in batches larger than most."""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        self.mean_ = torch.nn.Parameter(self.mean_)
        self.optimiser_ = torch.optim.SGD([self.mean_], lr=0.5)
        scheduler, epoch = torch.optim.lr_scheduler.ExponentialLR(self.optimiser_, 0.5), 1
        for images, _ in run.batches(data.train, size=500, epochs=self.epochs):
            self.optimiser_.zero_grad()
            (images.flatten(1) - self.mean_).square().mean().backward()
            self.optimiser_.step()
            if run.epoch > epoch:
                scheduler.step()
                epoch = run.epoch


@breaks("budget", "an optimiser took 3 steps outside run.batches; expected none")
@options
class LoopsAlone(Steady):
    """Trains in a loop of its own."""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        super().fit(data, run)
        shift = torch.zeros(1, requires_grad=True)
        optimiser = torch.optim.SGD([shift], lr=0.1)
        for _ in range(3):
            optimiser.zero_grad()
            (shift - 1).square().sum().backward()
            optimiser.step()


@breaks("budget", "with a budget of 1 steps it raised UnboundLocalError")
@options
class NeedsSteps(Steady):
    """Takes for granted that its second loop has steps."""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        super().fit(data, run)
        for images, _ in run.batches(data.train, size=20, epochs=1):
            last = images
        self.last_ = last


@breaks("budget", "fit began its 1001th loop over run.batches")
@options
class NeverEnds(Steady):
    """Trains until it has done enough steps, however many it is given."""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        while run.step < 9:
            for images, _ in run.batches(data.train, size=20, epochs=1):
                self.mean_ = images.flatten(1).mean(0)


@breaks("learns", r"trained it gives validation images .* nats, trained on noise .*; expected clearly more")
@options
class LearnsNothing(Steady):
    """Learns nothing."""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        for _ in run.batches(data.train, size=500, epochs=1):
            run.log(loss=0.0)


@breaks(
    "learns-nothing", r"trains is False, and fit changed .*mean_.* and fit took \d+ batches; expected a fit that does"
)
@options
class LearnsInSecret(Steady):
    """Says that it is pretrained, and trains."""

    trains: ClassVar[bool] = False


# Broken in what it can do


@breaks("log-prob-shape", r"log_prob returned \(7, 1\); expected \(7,\)")
@options
class Column(Steady):
    """Returns a column."""

    def log_prob(self, x: Tensor) -> Tensor:
        return super().log_prob(x)[:, None]


@breaks("log-prob-integrates-to-one", r"exp\(log_prob\) integrates to .* over a plane.*Look at the normaliser")
@options
class Unnormalised(Steady):
    """Forgets the normaliser."""

    log_partition = None  # it is not one whose normaliser is learned

    def log_prob(self, x: Tensor) -> Tensor:
        return super().log_prob(x) + 0.1


@breaks(
    "log-prob-is-that-of-the-energy", "which is log Z, differs between images by up to .* one number for all images"
)
@options
class HalfLikelihood(Steady):
    """Has a log_prob half of what its energy says."""

    def log_prob(self, x: Tensor) -> Tensor:
        return super().log_prob(x) / 2

    def energy(self, x: Tensor) -> Tensor:
        return 3 - super().log_prob(x)


@breaks("bound-shape", r"bound returned \(\) torch.float32; expected \(7,\)")
@options
class MeanBound(Steady):
    """Returns the mean of its bounds."""

    def bound(self, x: Tensor) -> Tensor:
        return super().bound(x).mean()


@breaks("bound-below-log-prob", "bound lies 1.00 nats above log_prob on average; expected a lower bound")
@options
class UpperBound(Steady):
    """Bounds from above."""

    def bound(self, x: Tensor) -> Tensor:
        return self.log_prob(x) + 1


@breaks("log-weights-shape", r"log_weights\(x, 3, generator\) returned \(7, 3\) torch.float32; expected \(3, 7\)")
@options
class WeightsTurned(Steady):
    """Returns a row for each image."""

    def log_weights(self, x: Tensor, k: int, generator: torch.Generator) -> Tensor:
        return super().log_weights(x, k, generator).T


@breaks("log-weights-shape", "log_weights differs between two calls with the same seed; expected the same bits")
@options
class UnseededWeights(Steady):
    """Draws from the global generator."""

    def log_weights(self, x: Tensor, k: int, generator: torch.Generator) -> Tensor:
        return super().log_weights(x, k, generator) - torch.rand(k, len(x))


@breaks(
    "log-weights-below-log-prob", "the mean of log_weights lies .* nats above log_prob on average; expected a lower"
)
@options
class WeightsTooGreat(Steady):
    """Forgets log q(z|x)."""

    def log_weights(self, x: Tensor, k: int, generator: torch.Generator) -> Tensor:
        return super().log_weights(x, k, generator) + 5


@breaks("log-joint-shape", r"log_joint returned \(7,\) torch.float32; expected \(2, 7\)")
@options
class JointOfBoth(Steady):
    """Returns the sum of the two."""

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        return super().log_joint(x, z).sum(0)


@breaks("log-joint-shape", "log_joint passes no gradient to the code, .*expected that of log p")
@options
class JointCutOff(Steady):
    """Computes without gradients."""

    @torch.no_grad()
    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        return super().log_joint(x, z)


@breaks("log-joint-shape", "log_joint passes no gradient to the code, .*expected that of log p")
@options
class DecoderCutOff(Steady):
    """Has the gradient of log p(z) alone."""

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        prior, _ = super().log_joint(x, z)
        return torch.stack([prior, super().log_joint(x, z.detach())[1]])


@breaks("observe-is-that-of-log-joint", r"observe returned \(3000, 64\) torch.float32; expected \(3000, 1, 8, 8\)")
@options
class ObservesRows(Steady):
    """Returns rows of values."""

    def observe(self, z: Tensor, generator: torch.Generator) -> Tensor:
        return super().observe(z, generator).flatten(1)


@breaks("observe-is-that-of-log-joint", "observe differs between two calls with the same seed; expected the same bits")
@options
class UnseededObservations(Steady):
    """Draws from the global generator."""

    def observe(self, z: Tensor, generator: torch.Generator) -> Tensor:
        return super().observe(z, generator) + 0.001 * torch.rand(len(z), 1, 1, 1)


@breaks(
    "observe-is-that-of-log-joint", r"log p\(x\|z\) over images of observe is .* standard errors from 0; expected 0"
)
@options
class ObservesClipped(Steady):
    """Clips what it draws, and its density knows nothing of that."""

    def observe(self, z: Tensor, generator: torch.Generator) -> Tensor:
        return super().observe(z, generator).clamp(0.4, 0.6)


@breaks("log-partition-shape", r"log_partition\(5, 20, generator\) returned \(\) torch.float32; expected \(5,\)")
@options
class OneLogZ(Steady):
    """Returns the estimate in place of the weights it is made of."""

    def log_partition(self, chains: int, temperatures: int, generator: torch.Generator) -> Tensor:
        return super().log_partition(chains, temperatures, generator).logsumexp(0)


@breaks("log-partition-shape", "log_partition differs between two calls with the same seed; expected the same bits")
@options
class UnseededChains(Steady):
    """Draws from the global generator."""

    def log_partition(self, chains: int, temperatures: int, generator: torch.Generator) -> Tensor:
        return super().log_partition(chains, temperatures, generator) + 0.01 * torch.rand(chains)


@breaks("log-partition-is-that-of-the-energy", r"comes to -2\.\d+ .*, the integral of exp\(-energy\) to -3\.0")
@options
class ConstantForgotten(Steady):
    """Leaves the constant of the first distribution out."""

    def log_partition(self, chains: int, temperatures: int, generator: torch.Generator) -> Tensor:
        return super().log_partition(chains, temperatures, generator) + 0.2


@breaks(
    "log-partition-is-that-of-the-energy", r"the integral of exp\(-energy_bound\) to .*; expected no more of a bound"
)
@options
class BoundFromBelow(Steady):
    """Bounds the energy from below, and draws its bound."""

    energy = None

    def energy_bound(self, x: Tensor) -> Tensor:
        return 2.8 - self.log_prob(x) + 0.1 * torch.randn(len(x), device=x.device)


@breaks("energy-bound-shape", "energy_bound returned")
@options
class EnergyBoundOfAll(Steady):
    """Sums over the batch."""

    def energy_bound(self, x: Tensor) -> Tensor:
        return super().energy_bound(x).sum()


@breaks("energy-bound-orders-images", "energy_bound is .* for real images and .* for noise; expected less for real")
@options
class EnergyBoundTurned(Steady):
    """Has the sign turned."""

    def energy_bound(self, x: Tensor) -> Tensor:
        return -super().energy_bound(x)


@breaks("energy-shape", "energy returned")
@options
class EnergyOfAll(Steady):
    """Sums over the batch."""

    def energy(self, x: Tensor) -> Tensor:
        return super().energy(x).sum()


@breaks("energy-orders-images", "energy is .* for real images and .* for noise; expected less for real images")
@options
class EnergyTurned(Steady):
    """Has the sign turned."""

    def energy(self, x: Tensor) -> Tensor:
        return -super().energy(x)


@breaks("decode-of-encode", r"encode returned \(7, 1, 8, 8\); expected \(7, d\)")
@options
class CodesAreImages(Steady):
    """Returns codes that are no rows."""

    def encode(self, x: Tensor) -> Tensor:
        return x


@breaks("decode-of-encode", r"decode\(encode\(x\)\) returned \(7, 64\)")
@options
class DecodesRows(Steady):
    """Decodes to rows."""

    def decode(self, z: Tensor) -> Tensor:
        return z


@breaks("decode-of-latents", "latents.5, generator. returned .*twice the same: False")
@options
class UnseededLatents(Steady):
    """Draws codes from elsewhere."""

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.rand(n, self.mean_.numel())


@breaks("reconstruct-beats-the-mean", "the squared error of reconstructions is .*, of the mean image .*; expected less")
@options
class ReconstructsNothing(Steady):
    """Reconstructs grey."""

    def reconstruct(self, x: Tensor) -> Tensor:
        return torch.full_like(x, 0.5)


@breaks("features-shape", r"features returned \(7, 1, 8, 8\)")
@options
class FeatureMaps(Steady):
    """Returns feature maps."""

    def features(self, x: Tensor) -> Tensor:
        return x


@breaks(
    "sample-class-gives-the-class", "of the images of sample_class are of the class asked for.*expected at least 50%"
)
@options
class IgnoresClass(Steady):
    """Ignores the class."""

    def sample_class(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        return super().sample_class(labels.roll(1), generator)


@breaks("inpaint-keeps-known-pixels", "inpaint changed known pixels by up to")
@options
class PaintsOver(Steady):
    """Paints over what is known."""

    def inpaint(self, x: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        return self.images(self.mean_[None]).expand(len(x), -1, -1, -1)


@breaks("discriminate-is-a-probability", "discriminate lies in .*; expected probabilities")
@options
class Logits(Steady):
    """Returns logits."""

    def discriminate(self, x: Tensor) -> Tensor:
        return self.log_prob(x)


# Metrics -------------------------------------------------------------------------------------------------------------


@options
class Nearest(genbench.Metric):
    """Mean distance from each target image to the nearest sample."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Nearest sample"
    unit: ClassVar[str] = "Euclidean distance"
    higher_is_better: ClassVar[bool] = False

    samples: Annotated[int, Ge(1)] = 1000

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        return self.score(evaluation.samples(self.samples), evaluation.target.images)

    def score(self, samples: Tensor, target: Tensor) -> genbench.Score:
        if not samples.isfinite().all():
            raise ValueError(f"{(~samples.isfinite()).sum()} values of the samples are not finite")
        gaps = [block.min(1).values for _, block in squared_distances(target.flatten(1), samples.flatten(1))]
        values = torch.cat(gaps).clamp_min(0).sqrt().double()
        return genbench.Score(values.mean().item(), values.std(correction=0).item() / len(values) ** 0.5)


@breaks("words", "unit is missing; expected a text")
@options
class Unitless(Nearest):
    """Has no unit."""

    unit: ClassVar[str] = ""


@breaks("finite", "value of real images is .*; expected 0 to 0.001, its bounds")
@options
class Boundless(Nearest):
    """Leaves the bounds that it declares."""

    bounds: ClassVar[tuple[float, float] | None] = (0.0, 0.001)


@breaks("finite", "value of real images is nan; expected a finite Python number")
@options
class NotANumber(Nearest):
    """Divides 0 by 0."""

    def score(self, samples: Tensor, target: Tensor) -> genbench.Score:
        return genbench.Score(float("nan"))


@breaks("finite", r"value of real images is tensor\(.*; expected a finite Python number")
@options
class TensorValue(Nearest):
    """Returns a tensor."""

    def score(self, samples: Tensor, target: Tensor) -> genbench.Score:
        return genbench.Score(samples.mean())  # type: ignore[arg-type]


@breaks("finite", "evaluate returned float; expected a genbench.Score")
@options
class BareNumber(Nearest):
    """Returns a number."""

    def score(self, samples: Tensor, target: Tensor) -> Any:
        return samples.mean().item()


@breaks("direction", "higher is better, and real images score .*, noise .*; expected real images to beat noise")
@options
class Turned(Nearest):
    """Has its direction turned."""

    higher_is_better: ClassVar[bool] = True


@breaks("direction", "with noise of 0%, 30%, 60%, 100% real images score .*; expected worse with each step")
@options
class Bent(Nearest):
    """Likes a little noise."""

    def score(self, samples: Tensor, target: Tensor) -> genbench.Score:
        return genbench.Score(abs(samples.mean().item() - 0.38))  # real images .31, with a share of noise .36, .42, .5


@breaks("order-is-irrelevant", "the same samples in another order score")
@options
class FirstOnly(Nearest):
    """Looks at the first few alone."""

    def score(self, samples: Tensor, target: Tensor) -> genbench.Score:
        return super().score(samples[:10], target)


@breaks("seed-decides-value", "the same samples and seed score .*, then")
@options
class Lottery(Nearest):
    """Takes randomness from elsewhere."""

    def score(self, samples: Tensor, target: Tensor) -> genbench.Score:
        return genbench.Score(super().score(samples, target).value + int.from_bytes(os.urandom(4), "big"))


@breaks("inputs-untouched", "evaluate changed samples, test; expected inputs as they were")
@options
class Scribbles(Nearest):
    """Centres its inputs where they lie."""

    def score(self, samples: Tensor, target: Tensor) -> genbench.Score:
        return super().score(samples.sub_(0.5), target.sub_(0.5))


@breaks("refuses-nan", "samples that hold NaN score .*; expected a refusal")
@options
class Swallows(Nearest):
    """Takes NaN for 0."""

    def score(self, samples: Tensor, target: Tensor) -> genbench.Score:
        return super().score(samples.nan_to_num(), target)


@breaks("refuses-nan", "NaN is refused with .*no.*; expected words that name it")
@options
class Curt(Nearest):
    """Refuses without words."""

    def score(self, samples: Tensor, target: Tensor) -> genbench.Score:
        if not samples.isfinite().all():
            raise ValueError("no")
        return super().score(samples, target)


@breaks("refuses-too-few", "one sample scores nan; expected a number, or a refusal")
@options
class Deviation(Nearest):
    """Takes a deviation of one."""

    def score(self, samples: Tensor, target: Tensor) -> genbench.Score:
        value = super().score(samples, target).value
        return genbench.Score(value + 0 * (samples.mean((1, 2, 3)).sum() / (len(samples) - 1) * 0).item())


@breaks("refuses-too-few", "one sample ends in ZeroDivisionError")
@options
class DividesByZero(Nearest):
    """Divides by n - 1."""

    def score(self, samples: Tensor, target: Tensor) -> genbench.Score:
        return genbench.Score(super().score(samples, target).value + 1 / (len(samples) - 1))


@breaks(
    "stderr-shrinks",
    "stderr is .* with a quarter of the target images, of the samples, or of both; expected about twice as much",
)
@options
class Spread(Nearest):
    """Calls a deviation a standard error."""

    def score(self, samples: Tensor, target: Tensor) -> genbench.Score:
        return genbench.Score(super().score(samples, target).value, samples.std().item())


@breaks("selection-never-reads-test", "scored against the validation split, it reads the test split")
@options
class Peeks(Nearest):
    """Looks at the test split during selection."""

    def evaluate(self, evaluation: Any) -> genbench.Score:
        return self.score(evaluation.samples(self.samples), evaluation._shared.split("test").images)


@breaks("not-everything-skipped", "every check of a metric was skipped, so nothing is known of it: .*not in the mood")
@options
class Unwilling(Nearest):
    """Skips whatever it is given."""

    def skip(self, evaluation: genbench.Evaluation) -> str:
        return "not in the mood"


# Datasets ------------------------------------------------------------------------------------------------------------


@options
class Stripes(genbench.Dataset):
    """Stripes of two classes, at random phases."""

    version: ClassVar[int] = 1

    def load(self, folder: Path) -> Splits:
        return self.split_up(*self.made(np.random.RandomState(0)))

    def made(self, random: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(90) % 2
        phase = random.rand(90, 1, 1, 1).astype(np.float32)
        images = (
            np.arange(36, dtype=np.float32).reshape(1, 1, 6, 6) * (labels.reshape(-1, 1, 1, 1) + 1) / 7 + phase
        ) % 1
        return images.astype(np.float32), labels

    def split_up(self, images: np.ndarray, labels: np.ndarray) -> Splits:
        parts = (slice(0, 60), slice(60, 75), slice(75, 90))
        return Splits(*(Split(images[part], labels[part]) for part in parts), classes=2)


@breaks("content", "values go from 0 to 25.*; expected them within the bounds")
@options
class Unscaled(Stripes):
    """Leaves values from 0 to 255."""

    def made(self, random: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
        images, labels = super().made(random)
        images = images * 255
        images[0, 0, 0, 0] = 0
        return images, labels


@breaks(
    "folds-can-be-asked-for", "it has 3 folds, and fold=0 is refused: .*; expected an option fold that takes 0 to 2"
)
@options
class FoldsWithoutAFold(Stripes):
    """Has folds that nobody can ask for."""

    folds = 3


@breaks("splits-are-disjoint", "1 different images of valid are in train too, .*; expected splits that share no image")
@options
class Overlaps(Stripes):
    """Has one image twice."""

    def split_up(self, images: np.ndarray, labels: np.ndarray) -> Splits:
        parts = (slice(0, 61), slice(60, 75), slice(75, 90))
        return Splits(*(Split(images[part], labels[part]) for part in parts), classes=2)


@breaks("digest-is-stable", "loaded three times, it is not the same to the bit")
@options
class Reshuffled(Stripes):
    """Is another at each load."""

    def load(self, folder: Path) -> Splits:
        return self.split_up(*self.made(np.random.RandomState()))


@breaks(
    "values-fill-the-range", "values of the training images lie in .*; expected values that fill .*divided by 255 twice"
)
@options
class ScaledTwice(Stripes):
    """Divides by 255 once too often."""

    def made(self, random: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
        images, labels = super().made(random)
        return images / 255, labels


@breaks("labels-cover-the-classes", "test has no image of class 1; expected all 2 classes")
@options
class InFileOrder(Stripes):
    """Splits images that are sorted by class."""

    def split_up(self, images: np.ndarray, labels: np.ndarray) -> Splits:
        order = np.argsort(-labels[:75], kind="stable")
        return super().split_up(
            np.concatenate([images[order], images[labels == 0][:15] * 0.5]),
            np.concatenate([labels[order], np.zeros(15, int)]),
        )


@breaks("not-everything-skipped", "every check of a dataset was skipped.*its files are not here: faces.mat is missing")
@options
class Absent(Stripes):
    """Has no files."""

    def load(self, folder: Path) -> Splits:
        raise genbench.DataError("faces.mat is missing")


# Datasets of known density -------------------------------------------------------------------------------------------


@options
class Ramp(genbench.Dataset):
    """Numbers of the density 2x on [0, 1], or pairs of them."""

    version: ClassVar[int] = 1

    width: Annotated[int, Ge(1)] = 1

    def load(self, folder: Path) -> Splits:
        x = np.sqrt(np.random.RandomState(0).rand(400, 1, 1, self.width)).astype(np.float32)
        labels = (x.mean((1, 2, 3)) > 0.5).astype(int)
        parts = (slice(0, 300), slice(300, 350), slice(350, 400))
        return Splits(*(Split(x[part], labels[part]) for part in parts), classes=2)

    def log_prob(self, x: Tensor) -> Tensor:
        return (2 * x.flatten(1).double()).log().sum(1)


@breaks("density-is-finite", r"log_prob of \d+ of 300 train images is not finite; expected nats")
@options
class CutShort(Ramp):
    """Has no density where there are images."""

    def log_prob(self, x: Tensor) -> Tensor:
        return super().log_prob(x).masked_fill((x > 0.9).flatten(1).any(1), -torch.inf)


@breaks("density-is-finite", r"log_prob returned \(300, 1, 1, 1\); expected \(300,\)")
@options
class OfPixels(Ramp):
    """Gives a density for each pixel."""

    def log_prob(self, x: Tensor) -> Tensor:
        return (2 * x).log()


@breaks("density-integrates-to-one", r"exp\(log_prob\) integrates to 0.500 within the bounds; expected 1")
@options
class HalfMass(Ramp):
    """Forgets the 2."""

    def log_prob(self, x: Tensor) -> Tensor:
        return x.flatten(1).log().sum(1)


@breaks("density-integrates-to-one", r"exp\(log_prob\) integrates to 0.250 within the bounds; expected 1")
@options
class QuarterMass(HalfMass):
    """Forgets both."""

    width: Annotated[int, Ge(1)] = 2


@breaks("density-fits-the-images", r"log_prob of the images is .*; expected 0.432, the integral of p log p")
@options
class OfAnother(Ramp):
    """Has the density 3x² instead."""

    def log_prob(self, x: Tensor) -> Tensor:
        return (3 * x.flatten(1).double().square()).log().sum(1)


# Extractors ----------------------------------------------------------------------------------------------------------


@options
class Plain(genbench.FeatureExtractor):
    """The pixels."""

    version: ClassVar[int] = 1
    digest = "plain"

    def features(self, images: Tensor) -> Tensor:
        return images.flatten(1)


@breaks("features", r"features of 64 images are \(64, 1, 8, 8\)")
@options
class Maps(Plain):
    """Returns maps."""

    def features(self, images: Tensor) -> Tensor:
        return images


@breaks("batch-is-irrelevant", "in other batches features differ by up to .*normalise by constants")
@options
class BatchNormalised(Plain):
    """Normalises by the batch."""

    def features(self, images: Tensor) -> Tensor:
        return images.flatten(1) - images.flatten(1).mean(0)


@breaks("one-pass", "features_and_logits gives other features than features does.*features first")
@options
class Swapped(Plain):
    """Returns logits first."""

    def logits(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :3]

    def features_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.logits(images), self.features(images)


@breaks("images-untouched", "features changed the images")
@options
class Stretches(Plain):
    """Stretches images where they lie."""

    def features(self, images: Tensor) -> Tensor:
        return images.mul_(2).sub_(1).flatten(1)


@breaks("digest", "in a new process the same images have other features")
@options
class WeightsOfProcess(Plain):
    """Has other weights in each process, under one digest."""

    def features(self, images: Tensor) -> Tensor:
        return images.flatten(1) * (os.getpid() % 1000 + 1)


@breaks("digest", "digest is .* here and .* in a new process")
@options
class DigestOfProcess(Plain):
    """Is another in each process."""

    @property
    def digest(self) -> str:
        return str(os.getpid())


# Engines -------------------------------------------------------------------------------------------------------------


@options
class SteadyEngine(genbench.Engine):
    """One task after another in this process; holds everything."""

    version: ClassVar[int] = 1
    can_cancel: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.waiting: list[genbench.Task] = []
        self.cancelled = False
        self.listen(lambda event: None)

    def submit(self, task: genbench.Task, attempt: int) -> None:
        self.waiting.append(task)

    def events(self, wait: float):
        while self.waiting:
            task = self.waiting.pop()
            yield genbench.Event(task.id, 1, "started")
            yield from self.performed(task)

    def performed(self, task: genbench.Task):
        yield genbench.Event(task.id, 1, "done", genbench.perform(task, stop=lambda: self.cancelled))

    def cancel(self, task: str) -> None:
        self.cancelled = True

    def close(self) -> None:
        self.waiting.clear()


@breaks("close-can-be-repeated", "slots is 0")
@options
class NoSlots(SteadyEngine):
    """Has place for no task."""

    version: ClassVar[int] = 1

    slots = 0


@breaks("each-task-ends-once", "started, done, done; expected started, then one of done and lost")
@options
class EndsTwice(SteadyEngine):
    """Says twice that a task is done."""

    version: ClassVar[int] = 1

    def performed(self, task: genbench.Task):
        done = genbench.Event(task.id, 1, "done", genbench.perform(task, stop=lambda: self.cancelled))
        yield from (done, done)


@breaks("bits-are-those-of-one-process", "of two trials these files differ from those of one process")
@options
class SaysDone(SteadyEngine):
    """Performs nothing."""

    version: ClassVar[int] = 1

    def performed(self, task: genbench.Task):
        yield genbench.Event(task.id, 1, "done", {"status": "done"})


@breaks("a-cancelled-task-ends", "ended as done; expected interrupted")
@options
class Deaf(SteadyEngine):
    """Does not save what is cancelled, and says done."""

    version: ClassVar[int] = 1
    can_cancel: ClassVar[bool] = True

    def performed(self, task: genbench.Task):
        if self.cancelled:
            yield genbench.Event(task.id, 1, "done", {"status": "done"})
        else:
            yield from super().performed(task)


LEFT: list[subprocess.Popen[bytes]] = []
"""Processes that an engine left alive."""


@breaks("close-ends-what-is-under-way", "seconds after close a worker is still at work on its task")
@options
class LeavesWorkers(genbench.Engine):
    """Closes nothing."""

    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        self.told = False
        self.listen(lambda event: None)

    def submit(self, task: genbench.Task, attempt: int) -> None:
        program = "import sys, genbench; genbench.perform(genbench.Task('it', sys.stdin.read()))"
        LEFT.append(subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE))
        LEFT[-1].stdin.write(task.spec.encode())
        LEFT[-1].stdin.close()
        self.task = task.id

    def events(self, wait: float):
        if not self.told:
            self.told = True
            yield genbench.Event(self.task, 1, "started")
        if LEFT[-1].poll() is not None:
            yield genbench.Event(self.task, 1, "lost", {"reason": "it ended", "again": False})

    def cancel(self, task: str) -> None:
        LEFT[-1].kill()

    def close(self) -> None: ...
