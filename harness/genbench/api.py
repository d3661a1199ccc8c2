"""The contract between the harness and its plugins: what each must offer, and what each is handed. Imports no torch."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar, overload, runtime_checkable

from genbench.errors import NotFitted

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from genbench.abilities import LogProb

API_VERSION = 1
"""Raised when a plugin written for the number before would no longer work."""

Array = TypeVar("Array")
Shared = TypeVar("Shared")

ImageSet = Literal["target", "train", "valid", "test", "samples"]
"""What features are of: a split, target being the one scored against, or the trial's samples."""

SamplesAre = Literal["draws", "means", "clipped", "reconstructions", "real images"]
"""What a sample is. It decides a score (means score far above draws), so it stands in every table."""

Observations = Literal["real", "binary"]
"""What a density is of: pixel values within the bounds, or binary images. The two are never compared."""

Family = Literal["explicit", "implicit", "chain"]
"""How a model defines its density: written down, only by its sampler, or by a Markov chain."""


# What images look like, and the images themselves --------------------------------------------------------------------


@dataclass(frozen=True)
class Space:
    """The space images live in.

    shape is (C, H, W); classes the number of labels, or None without labels; bounds the least and greatest pixel value.
    """

    shape: tuple[int, int, int]
    classes: int | None = None
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def dim(self) -> int:
        """Return the number of values in an image, C·H·W."""
        channels, height, width = self.shape
        return channels * height * width


@dataclass(frozen=True)
class Split(Generic[Array]):
    """Images (n, C, H, W) and labels (n,) int64, or None.

    A dataset returns numpy arrays (uint8, or float32 within the bounds); models and metrics are handed float32 tensors.
    """

    images: Array
    labels: Array | None = None

    def __len__(self) -> int:
        return len(self.images)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Splits(Generic[Array]):
    """The three disjoint parts of a dataset."""

    train: Split[Array]
    valid: Split[Array]
    test: Split[Array]
    classes: int | None = None
    bounds: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class TrainingData:
    """What a model may learn from. The test split is not here."""

    train: Split[Tensor]
    valid: Split[Tensor]
    space: Space


@dataclass(frozen=True)
class Score:
    """What a metric returns.

    value in the metric's unit; stderr its standard error by the metric's own rule, or None; extras are further numbers
    (a chosen bandwidth, say); per_example holds one value per test image, (n,), where the metric is a mean of those;
    against is how many real images it was computed against, where these are not the split scored against; notes are
    short sentences on what a reader must know of this score: they stand under the table.
    """

    value: float
    stderr: float | None = None
    extras: Mapping[str, float] = field(default_factory=dict)
    per_example: Tensor | None = None
    notes: tuple[str, ...] = ()
    against: int | None = None


# What the harness hands to plugins -----------------------------------------------------------------------------------


class Run(Protocol):
    """What `Model.fit` is handed: batches in a seeded order, randomness, a log and the count of what was done."""

    @property
    def device(self) -> torch.device:
        """The device that data and model are on."""

    @property
    def generator(self) -> torch.Generator:
        """The stream for training noise, on the trial's device."""

    @property
    def epoch(self) -> int:
        """The number of the epoch under way in the present loop, from 1 (0 before the first loop)."""

    @property
    def step(self) -> int:
        """The number of batches handed out so far, over all loops."""

    @overload
    def batches(
        self, data: Split[Tensor], size: int, epochs: int, *, select: bool = False
    ) -> Iterator[tuple[Tensor, Tensor | None]]: ...
    @overload
    def batches(self, data: Tensor, size: int, epochs: int, *, select: bool = False) -> Iterator[Tensor]: ...
    def batches(self, data: Any, size: int, epochs: int, *, select: bool = False) -> Iterator[Any]:
        """Yield batches of `size` in a new order each epoch: (images, labels) of a split, rows of a tensor.

        The last batch of an epoch may be smaller. The trial's budget may end the loop early. Loops must not be nested.
        select says that the model can be sampled from after each epoch of this loop: where the run asks for
        `--select best-valid`, the state is then the best by the validation images once the loop is over.
        """

    @overload
    def draw(self, data: Split[Tensor], n: int) -> tuple[Tensor, Tensor | None]: ...
    @overload
    def draw(self, data: Tensor, n: int) -> Tensor: ...
    def draw(self, data: Any, n: int) -> Any:
        """Return n examples drawn with replacement."""

    def log(self, **scalars: float | Tensor) -> None:
        """Record scalars of this step; the log keeps their means over each epoch. A mean that is not finite ends
        the trial as diverged. Raises ValueError for what is no single number."""


class Evaluation(Protocol):
    """What `Metric.evaluate` is handed: each thing it may ask for is computed once and shared between metrics."""

    @property
    def space(self) -> Space:
        """The space of the dataset."""

    @property
    def target(self) -> Split[Tensor]:
        """The split scored against: test, or valid while a model is being selected or tuned."""

    @property
    def train(self) -> Split[Tensor]:
        """The training split."""

    @property
    def valid(self) -> Split[Tensor]:
        """The validation split."""

    @property
    def density(self) -> LogProb | None:
        """The dataset's true density, or None where it is not known."""

    @property
    def model(self) -> Model:
        """The fitted model, for metrics that use its abilities."""

    @property
    def generator(self) -> torch.Generator:
        """A stream of this metric's own, on the device."""

    def stream(self, name: str) -> torch.Generator:
        """Return a stream on the CPU by name, from its beginning: the same for all metrics of a trial."""

    @property
    def device(self) -> torch.device:
        """The device that all tensors are on."""

    @property
    def extractor(self) -> FeatureExtractor:
        """The feature extractor that the metric's option `extractor` names, ready for use."""

    def samples(self, n: int) -> Tensor:
        """Return the first n samples of the trial, (n, C, H, W) float32."""

    def features(self, extractor: FeatureExtractor, of: ImageSet, n: int = 0) -> Tensor:
        """Return the extractor's features, (n, d) float32, of a split or of the first n samples."""

    def logits(self, extractor: FeatureExtractor, of: ImageSet, n: int = 0) -> Tensor:
        """Return the extractor's logits, (n, classes) float32, of a split or of the first n samples.

        Raises Unsupported where it classifies nothing.
        """

    def once(self, key: str, compute: Callable[[], Shared]) -> Shared:
        """Return what compute returns: computed once for all metrics of a trial that ask by this key."""


# What plugins offer --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Range:
    """From low to high, evenly or on a log scale; whole numbers where the option that is tuned takes no others."""

    low: float
    high: float
    log: bool = False


Search = Mapping[str, Range | Sequence[object]]
"""What a model's options are tuned over, by their names: a range, or the values to choose among."""


class Plugin:
    """The common part: a dataclass whose fields, all with defaults, are its options.

    version is raised by the author when results change; presets are named option sets (`gan@paper`).
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {}


def setting(default: Any) -> Any:
    """Return a dataclass field for an option that changes how, not what: it is no part of any identity."""
    return dataclasses.field(default=default, metadata={"identity": False})


class Model(Plugin, ABC):
    """A generative model. Attributes that end in `_` are its learned state; fields never are.

    The harness calls `build`, then `fit` once, saves the state, and samples from a fresh build with the state restored
    into it. Modules and optimisers must exist after `build`. What a model can do beyond sampling is found by the
    methods it has: see `genbench.abilities`.

    chains is how many parallel Markov chains one call of `sample` runs, as an option or a property; sample i is then of
    chain i % chains, and every score reports how well they mix. None stands for independent samples.

    observations says what its log_prob, bound or energy is of: a density of pixel values, or the probability of binary
    images (pixels scaled to [0, 1] and drawn to 0 or 1).

    trains is False for a model that comes ready, from weights in a file, and whose fit learns nothing: tables then say
    so in place of the time that training took.

    search is what `genbench tune` draws from: ranges, or values, by the names of options. It is no part of a trial.
    """

    family: ClassVar[Family] = "implicit"
    samples_are: SamplesAre = "draws"
    observations: Observations = "real"
    sample_batch: ClassVar[int] = 1000
    chains: int | None = None
    role: ClassVar[Literal["model", "reference"]] = "model"
    trains: ClassVar[bool] = True
    search: ClassVar[Search] = {}

    if not TYPE_CHECKING:  # a type checker that saw it would let every misspelt attribute pass

        def __getattr__(self, name: str) -> Any:
            """Raise NotFitted for what `build` or `fit` makes, where they were not called."""
            built = any(made.endswith("_") for made in vars(self))
            if name.startswith("_") or (built and not name.endswith("_")):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise NotFitted(f"{type(self).__name__} has no {name} yet: call build and fit first, or restore its state")

    @abstractmethod
    def build(self, space: Space, device: torch.device) -> None:
        """Make networks and optimisers for this space, on this device. Randomness comes from torch's seeded default.

        Raises Unsupported, saying what is needed, for a space that the model cannot work with: no labels, say.
        """

    @abstractmethod
    def fit(self, data: TrainingData, run: Run) -> None:
        """Train. Batches come from `run.batches`, noise from `run.generator`.

        After an interruption fit is called again on a fresh build, and each loop over `run.batches` goes on from its
        last checkpoint. So what changes while a loop runs lives in attributes that end in `_`; locals made before a
        loop must come out the same when they are made again.
        """

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n samples, (n, C, H, W) float32 within the space's bounds, without gradient."""


class Metric(Plugin, ABC):
    """A measure of samples, or of a model. Fields are its protocol: values under different ones are never compared.

    A field `samples`, where there is one, says how many samples it asks for; `--samples` sets it. A field `extractor`
    names a feature extractor, with its options as it is typed, or is "auto": the data then choose (inception for colour
    images, unless the metric is of own_classes, those of the dataset; else domain, or random without labels). What it
    was stands in the metric's printed name, and its digest is part of the protocol. `--metric all` stands for every
    metric that is for_any_images. uses_target, as an option or a property, says whether scores depend on the split
    scored against (test or valid), which is then part of their protocol. real_is_best says whether nothing should score
    better than training images, so that tables question a model that does; a test for copies says no. bounds are the
    least and the greatest value that a score can have, (0, 1) for a share, where there are both: intervals stay within.
    """

    title: ClassVar[str]
    unit: ClassVar[str]
    higher_is_better: ClassVar[bool]
    for_any_images: ClassVar[bool] = True
    own_classes: ClassVar[bool] = False
    uses_target: bool = True
    real_is_best: ClassVar[bool] = True
    caption_extras: ClassVar[tuple[str, ...]] = ()
    bounds: ClassVar[tuple[float, float] | None] = None

    @abstractmethod
    def evaluate(self, evaluation: Evaluation) -> Score:
        """Return the score of the trial's samples or model."""

    def skip(self, evaluation: Evaluation) -> str | None:
        """Return why this model or dataset cannot be scored, or None."""
        return None

    def describe(self) -> str:
        """Return the protocol in words, for the caption under the table."""
        return ", ".join(f"{f.name} {getattr(self, f.name)}" for f in dataclasses.fields(self))  # type: ignore[arg-type]


class Dataset(Plugin, ABC):
    """Where images come from. The harness prepares what `load` returns once, digested, and hashes it at each use.

    One that is split in several official ways says in how many in `folds`, and has an option `fold`, counted from 0.
    Where every fold was run, tables show each model once, its score averaged over them.

    Training and validation images are in random order: what takes some of them, as for a bandwidth, takes the first.
    Those whose labels run in the order of classes are put into a random one, and labels of a single class are left out.

    One whose true density is known has a method `log_prob(x)`, as models may: log p(x) in nats, (n,), of images
    (n, C, H, W) float32, a density in the units of the bounds. Metrics find it as `Evaluation.density`.
    """

    citation: ClassVar[str] = ""
    folds: ClassVar[int] = 1

    @abstractmethod
    def load(self, folder: Path) -> Splits[np.ndarray[Any, Any]]:
        """Return the arrays. Original files are read from (or downloaded into) `folder`, the data directory.

        Raises DataError naming the exact path or command where they cannot be had.
        """

    def fingerprint(self, folder: Path) -> str:
        """Return what tells a changed source from an unchanged one without reading it whole, for the cache's key.

        Of files that is `genbench.fingerprint(paths)`: sizes and times alone are not enough.
        """
        return ""


class FeatureExtractor(Plugin, ABC):
    """A map from images to features, perhaps to classes.

    The harness calls `bind`, which costs little, and reads `digest`, which becomes part of a protocol; before any
    features are asked for it calls `prepare`, in one process at a time. An extractor that classifies also has a method
    logits(images) -> (n, classes); where one pass gives both, features_and_logits(images) returns them, and is called
    instead of either. Features of real splits are computed once and kept on disk, unless is_cheap.
    """

    is_cheap: ClassVar[bool] = False

    def bind(self, space: Space, dataset: str) -> None:
        """Take the space of the images, and the digest of the dataset they come from or are compared with.

        Raises Unsupported, saying what is needed, for images that it has no features of.
        """
        self.space, self.dataset = space, dataset

    @property
    @abstractmethod
    def digest(self) -> str:
        """What the features depend on beside the images and the options: weights, preprocessing. Known once bound."""

    @property
    def weights_digest(self) -> str:
        """What tells the very weights apart where those of one digest may differ, as trained ones do. Known once
        prepared; kept beside each score."""
        return ""

    def describe(self) -> str:
        """Return in words what the caption under a table is to say of it; "" where its name says all."""
        return ""

    def fetch(self, originals: Path) -> None:
        """Download what `prepare` will load into the data folder, or check it there: called before anything trains.

        Raises DataError naming the exact address and path where a file cannot be had.
        """
        return None

    def prepare(self, data: TrainingData, originals: Path, cache: Path) -> None:
        """Load or train what features need.

        originals is the data folder, for files that are downloaded or given; cache holds what can be made again.
        Raises DataError where a file cannot be used.
        """
        return None

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Return features (n, d) float32 of images (n, C, H, W) float32, row by row."""


# Where trials run ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """One trial to perform: plain data only, so that it can travel. spec is canonical JSON.

    cpus are the threads that it computes with, gpus the part of a GPU that it takes, 0 on the CPU: what an engine that
    places tasks on several machines asks for. results is the folder that the trial is kept in.
    """

    id: str
    spec: str
    cpus: int = 1
    gpus: float = 0.0
    results: str = ""


@dataclass(frozen=True)
class Event:
    """What became of a task: each submit ends in one done or one lost. A beat is progress, and may be lost."""

    task: str
    attempt: int
    kind: Literal["started", "beat", "done", "lost"]
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """A machine that an engine may place tasks on: its name, what it has in words, and why it is refused, or ""."""

    name: str
    about: str
    problem: str = ""


class Engine(Plugin, ABC):
    """Places tasks and reports their outcomes; retries, deadlines and the store are handled elsewhere.

    can_cancel says whether a task that began can be stopped from outside; slots how many tasks it performs at once: it
    is never given more. is_remote says that it places tasks on other machines: what this one has then bounds nothing.
    can_detach says that tasks can go on without this process; submitted again, they are taken up as they stand.
    """

    can_cancel: ClassVar[bool] = True
    is_remote: ClassVar[bool] = False
    can_detach: ClassVar[bool] = False

    @property
    def slots(self) -> int:
        """The number of tasks performed at once."""
        return 1

    def listen(self, beat: Callable[[Event], None], stop: Callable[[], bool] = lambda: False) -> None:
        """Set the callback for beats (heartbeats), and the one that tells tasks in this process to stop."""
        self._beat = beat
        self._stop = stop

    def places(self) -> list[Place]:
        """Return the other machines that tasks may be placed on, for `genbench doctor`. Called without `submit`.

        Raises GenbenchError where none can be reached.
        """
        return []

    @abstractmethod
    def submit(self, task: Task, attempt: int) -> None:
        """Take a task, to be performed by `genbench.perform` in whatever process it is placed in."""

    @abstractmethod
    def events(self, wait: float) -> Iterable[Event]:
        """Yield what happened until nothing is under way or `wait` seconds have passed.

        done holds what `genbench.perform` returned; lost the `reason`, whether the task may be tried again (`again`),
        and a `status` other than failed, such as out-of-memory, if that is known. Beats go to what `listen` was given.
        """

    @abstractmethod
    def cancel(self, task: str) -> None:
        """Ask a task to save and stop; kill it where it does not. It still ends in a done or a lost."""

    def leave(self) -> None:
        """Let what is under way go on without this process: close then stops nothing. For those that can detach."""

    @abstractmethod
    def close(self) -> None:
        """Stop everything at once and give back what is held."""


@runtime_checkable
class Register(Protocol):
    """The callback that a hook is handed."""

    def __call__(self, name: str, target: type | str, *, summary: str) -> None:
        """Register a class, or "module:Class" to be imported when it is first used, under a name."""
