"""A small outside plugin for the tests: a model that works, models that misbehave each in a way of its own, metrics."""

import json
import os
import random
import signal
import sys
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Gt, Len

import genbench

FAULTS = (
    "raises",
    "exits",
    "nan-loss",
    "nan-sample",
    "wrong-shape",
    "out-of-range",
    "no-memory",
    "unstorable",
    "prints",
    "prints-deep",
    "leaves-with-0",
    "leaves-with-3",
    "crashes",
    "hangs",
    "eats",
)


@genbench.hookimpl
def register_models(register: genbench.Register) -> None:
    register("toy", "genbench_toy:Toy", summary="Shifted noise around the mean image")
    register("faulty", Faulty, summary="Misbehaves as told")
    register("layered", Layered, summary="Trains two layers one after another, with every kind of randomness")
    register("rude", Rude, summary="Leaves its process changed for whoever comes after it")
    register("killed", Killed, summary="Its process is killed while it trains, as often as told")
    register("held", Held, summary="Waits in one of its stages until it may go on")
    register("missing-class", "genbench_toy:Nowhere", summary="Its class is not there")
    register("not-a-model", "genbench_toy:Brightness", summary="Its class is a metric")
    register("plain-class", "genbench_toy:PlainClass", summary="Its class is no dataclass")


@genbench.hookimpl
def register_metrics(register: genbench.Register) -> None:
    register("brightness", "genbench_toy:Brightness", summary="Mean pixel value")
    register("picky", "genbench_toy:Picky", summary="Refuses, raises or returns NaN as told")


@dataclass(eq=False)
class Toy(genbench.Model):
    """Uniform noise mixed with the mean training image."""

    presets: ClassVar = {"long": {"epochs": 5}}

    epochs: int = 2
    lr: Annotated[float, Gt(0)] = 0.1
    hidden: Annotated[tuple[int, ...], Len(1)] = (4,)
    noise: Literal["uniform", "gaussian"] = "uniform"
    verbose: bool = genbench.setting(False)

    def build(self, space: genbench.Space, device: torch.device) -> None:
        self.space = space
        self.net_ = torch.nn.Linear(self.hidden[0], space.dim, device=device)
        self.optimiser_ = torch.optim.Adam(self.net_.parameters(), lr=self.lr)
        self.mean_ = torch.zeros(space.shape, device=device)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        for images, _ in run.batches(data.train, size=100, epochs=self.epochs):
            z = torch.rand(len(images), self.hidden[0], generator=run.generator, device=run.device)
            loss = (self.net_(z).sigmoid() - images.flatten(1)).square().mean()
            self.optimiser_.zero_grad()
            loss.backward()
            self.optimiser_.step()
            run.log(loss=loss)
        self.mean_ = data.train.images.mean(0)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        z = torch.rand(n, self.hidden[0], generator=generator, device=self.mean_.device)
        return (self.net_(z).sigmoid().view(n, *self.space.shape) + self.mean_) / 2


@dataclass(eq=False)
class Faulty(Toy):
    """The toy model with a fault."""

    presets: ClassVar = {}
    fault: str = "raises"

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        if self.fault == "raises":
            raise ValueError("no luck\ntoday\x1b[31m")
        if self.fault == "exits":
            sys.exit("leaving")
        if self.fault == "no-memory":
            raise MemoryError("all eaten")
        if self.fault == "nan-loss":
            for _ in run.batches(data.train, size=500, epochs=1):
                run.log(loss=float("nan"))
        if self.fault == "prints":
            print("hello from fit")
            warnings.warn("mind this", stacklevel=1)
        if self.fault == "prints-deep":
            os.write(1, b"hello from the depths\n")
        if self.fault.startswith("leaves-with-"):
            os._exit(int(self.fault[-1]))
        if self.fault == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.fault == "hangs":
            time.sleep(600)
        if self.fault == "eats":
            eaten = []
            while True:
                eaten.append(torch.ones(2**22))  # 16 MiB
        if self.fault == "unstorable":
            self.path_ = Path()
        super().fit(data, run)

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        x = super().sample(n, generator)
        if self.fault == "nan-sample":
            return x.fill_(float("nan"))
        if self.fault == "wrong-shape":
            return x.flatten(1)
        return x + 2 if self.fault == "out-of-range" else x


@dataclass(eq=False)
class Rude(Toy):
    """The toy model, which changes what is its process's, and with bomb ends the process once its trial is done."""

    presets: ClassVar = {}
    bomb: bool = False

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        x = super().sample(n, generator)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        os.environ["LEFT_BY"] = "rude"
        if self.bomb:
            threading.Thread(target=_end_once_done, daemon=True).start()
        return x


def _end_once_done() -> None:
    while not any(
        json.loads(path.read_text())["status"] == "done" for path in Path().glob("results/trials/rude*/*.json")
    ):
        time.sleep(0.05)
    time.sleep(0.5)  # in the next trial, most likely: what it takes to say that this one is done
    os._exit(3)


@dataclass(eq=False)
class Killed(Toy):
    """The toy model, killed from outside in each of its first `times` attempts after half of its steps."""

    presets: ClassVar = {}
    times: int = 1
    epochs: int = 6
    folder: str = ""

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        for images, _ in run.batches(data.train, size=100, epochs=self.epochs):
            run.log(mean=images.mean())
            if run.step == 30 and len(list(Path(self.folder).iterdir())) < self.times:
                (Path(self.folder) / str(os.getpid())).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        self.mean_ = data.train.images.mean(0)


@dataclass(eq=False)
class Held(Toy):
    """The toy model, which says in a folder that it came to a stage, and waits there until a file `go` lies beside."""

    presets: ClassVar = {}
    stage: Literal["fit", "sample"] = "fit"
    folder: str = genbench.setting("")

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        super().fit(data, run)
        for steps, _ in enumerate(run.batches(data.train, size=100, epochs=1), 1):
            if self.stage == "fit" and run.step == 25:
                self._wait(steps)

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        if self.stage == "sample":
            self._wait()
        return super().sample(n, generator)

    def _wait(self, steps: int = 0) -> None:
        """Wait; the file's name says after how many steps of this process."""
        if self.folder:
            (Path(self.folder) / f"{os.getpid()}-{steps}").touch()
            while not (Path(self.folder) / "go").exists():
                time.sleep(0.02)


@dataclass(eq=False)
class Layered(genbench.Model):
    """Two layers trained one after another, codes drawn between; it uses every kind of randomness and of state."""

    epochs: int = 3

    def build(self, space: genbench.Space, device: torch.device) -> None:
        self.space = space
        self.first_ = torch.nn.Sequential(torch.nn.Linear(space.dim, 6), torch.nn.Dropout(0.3)).to(device)
        self.second_ = torch.nn.Linear(6, space.dim).to(device)
        self.shift_ = torch.zeros(space.dim, device=device, requires_grad=True)
        self.optimisers_ = [
            torch.optim.SGD(self.first_.parameters(), lr=0.1, momentum=0.9),
            torch.optim.Adam([*self.second_.parameters(), self.shift_], lr=0.01),
        ]
        self.schedule_ = torch.optim.lr_scheduler.ExponentialLR(self.optimisers_[0], 0.9)
        self.seen_ = {"rows": 0, "order": [0.0]}
        self.average_ = np.zeros(6)
        self.trace_ = torch.zeros(6, device=device)
        self.same_ = self.trace_

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        self.mean_ = data.train.images.flatten(1).mean(0)
        self.seen_["first"] = data.train.images.sum().item()
        self.chain_ = data.train.images
        trace, average = self.trace_, self.average_
        for images, _ in run.batches(data.train, size=300, epochs=self.epochs):
            x = images.flatten(1) - self.mean_ + 0.1 * torch.randn(len(images), self.space.dim, device=run.device)
            code = self.first_(x)
            loss = (code.square().mean() - random.random()).square()
            loss.backward()  # gathered over three steps
            if run.step % 3 == 0:
                self.optimisers_[0].step()
                self.optimisers_[0].zero_grad()
                self.schedule_.step()
            self.seen_["rows"] += len(images)
            average += np.random.rand(6) * code.detach().mean(0).cpu().numpy()
            trace += code.detach().mean(0)
            self.chain_ = self.chain_ * 0.5
            run.log(first=loss)
            if run.step % 4 == 0:
                self.first_.eval()
        self.seen_["last"] = data.train.images.sum().item()
        self.first_.requires_grad_(False)
        with torch.no_grad():
            codes = self.first_(data.train.images.flatten(1)) + torch.rand(
                1, generator=run.generator, device=run.device
            )
        for _ in run.batches(torch.arange(7, device=run.device), size=3, epochs=1):
            self.seen_["order"].append(random.random())
        for code in run.batches(codes, size=250, epochs=self.epochs):
            images, _ = run.draw(data.train, len(code))
            noise = torch.rand(len(code), 6, generator=run.generator, device=run.device)
            loss = (self.second_(code + noise) + self.shift_ - images.flatten(1)).square().mean()
            self._step(self.optimisers_[1], loss)
            run.log(second=loss, noise=noise.mean())

    def _step(self, optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        code = torch.rand(n, 6, generator=generator, device=generator.device)
        return (self.second_(code) + self.shift_).clamp(0, 1).view(n, *self.space.shape)


class PlainClass(genbench.Model):
    """No dataclass."""

    def build(self, space: genbench.Space, device: torch.device) -> None: ...

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None: ...

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        raise genbench.NotFitted("never")


@dataclass(eq=False)
class Brightness(genbench.Metric):
    """Mean pixel value of the samples."""

    title: ClassVar = "Brightness"
    unit: ClassVar = "share of white"
    higher_is_better: ClassVar = False

    samples: Annotated[int, Gt(0)] = 500

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        return genbench.Score(evaluation.samples(self.samples).double().mean().item())


@dataclass(eq=False)
class Picky(Brightness):
    """Scores only what it likes."""

    title: ClassVar = "Picky brightness"
    mood: Literal["refuses", "raises", "nan"] = "refuses"

    def skip(self, evaluation: genbench.Evaluation) -> str | None:
        return "not in the mood" if self.mood == "refuses" else None

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        if self.mood == "raises":
            raise RuntimeError("cannot look at this")
        return genbench.Score(float("nan"))
