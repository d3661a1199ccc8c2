"""The deep Boltzmann machine: pretrained greedily, then trained by mean field and persistent Gibbs chains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn
from torch.nn.functional import softplus

import genbench
from genbench_plugins.models.autoencoding import set_lr
from genbench_plugins.models.boltzmann import Layer, Width
from genbench_plugins.models.deep_boltzmann import DeepBoltzmannModel
from genbench_plugins.models.noise import bernoulli
from genbench_plugins.scaling import to_images, to_unit

INFERRED_MNIST: Mapping[str, object] = {
    "hidden": (512, 1024),
    "pretrain_lr": 0.05,
    "pretrain_epochs": 64,
    "lr": 0.002,
    "lr_end": 0.01,
    "k": 5,
    "sweeps": 50,
    "tolerance": 1e-7,
    "weight_decay": 1e-7,
    "max_norm": 6.0,
    "particles": 100,
    "batch": 100,
    "epochs": 500,
}


class CopiedLayer(Layer):
    """A machine whose visible units, or hidden ones, or both, stand there twice with the same weights (section 3.1).

    In the deep machine a layer's input comes from above and from below; one of a pair stands in for the other side.
    """

    def __init__(self, visible: int, hidden: int, visible_copies: int, hidden_copies: int) -> None:
        super().__init__(visible, hidden, "bernoulli", particles=0)
        self.visible_copies, self.hidden_copies = visible_copies, hidden_copies

    def down(self, h: Tensor) -> Tensor:
        """Return the means of p(v|h) for copies of h that are alike, (n, H) -> (n, D)."""
        return torch.addmm(self.b, h, self.W, alpha=self.hidden_copies).sigmoid()

    def _up(self, v: Tensor) -> Tensor:
        return torch.addmm(self.c, v, self.W.T, alpha=self.visible_copies)

    def _free_energy(self, v: Tensor, a: Tensor) -> Tensor:
        return -self.visible_copies * (v @ self.b) - self.hidden_copies * softplus(a).sum(1)


@dataclass(eq=False)
class DBM(DeepBoltzmannModel):
    """Deep Boltzmann machine (Salakhutdinov & Hinton 2009): p(v, h1, ..., hL), each layer joined to those beside it.

    Pretraining stacks restricted machines by CD-1, each on mean activations of the one below. The first sees its data
    twice, the last has its hidden units twice, those between both (section 3.1); a hidden layer's bias is then the mean
    of what the machines below and above made of it. Joint training follows the gradient of the bound on the likelihood:
    statistics of the data by mean field, of the model by persistent Gibbs chains (section 2), whose odd layers enter by
    their means given the even ones.

    Chosen here: grey pixels are drawn to 0 or 1 anew in each batch, or taken as they are (`inputs`); learning rates
    fall linearly; `inpaint` is Gibbs sampling of what is not known. The defaults were chosen by the validation images
    of `digits`. The preset `mnist` is inferred: layers, first learning rates, chains, steps of the chains, mean field,
    weight decay and the bound on norms are those of the repository yell/boltzmann-machines, which reports a bound of
    -86.4 nats on binarised MNIST; here both machines are pretrained alike, without its targets of sparsity and its
    growing momentum. It was not trained in full.
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"mnist": INFERRED_MNIST}
    search: ClassVar[genbench.Search] = {
        "hidden": ((256, 64), (256, 256), (500, 1000)),
        "pretrain_lr": genbench.Range(0.03, 1.0, log=True),
        "lr": genbench.Range(0.005, 0.5, log=True),
        "k": genbench.Range(1, 15, log=True),
        "momentum": genbench.Range(0.0, 0.9),
        "weight_decay": (0.0, 1e-5, 1e-4, 1e-3),
    }

    # Pretraining
    pretrain_epochs: Annotated[int, Ge(0)] = 150  # of each machine
    pretrain_lr: Annotated[float, Gt(0)] = 0.3  # of the first epoch
    # Joint training
    lr: Annotated[float, Gt(0)] = 0.05  # of the first epoch, falling linearly
    lr_end: Annotated[float, Gt(0), Le(1)] = 0.05  # share of it that the last epoch has; in pretraining too
    sweeps: Width = 5  # of mean field for each update, at most
    tolerance: Annotated[float, Ge(0)] = 0.0  # mean field ends when no mean moves farther in a sweep; 0 for all sweeps
    k: Width = 5  # Gibbs steps for each update
    particles: Width = 100  # persistent chains
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.5
    weight_decay: Annotated[float, Ge(0)] = 0.0  # of weights, not of biases
    batch: Width = 100
    epochs: Width = 300
    inpaint_steps: Width = 200  # Gibbs steps that fill in what is not known

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make the machine, those that pretrain it, and their optimisers."""
        super().build(space, device)
        sizes, top = self.machine_.sizes, len(self.hidden) - 1
        copies = [(1 if i == top else 2, 1 if i == 0 else 2) for i in range(top + 1)]
        self.layers_ = [CopiedLayer(*d, *n).to(device) for d, n in zip(pairwise(sizes), copies, strict=True)]
        self.pretrainers_ = [self._optimiser([layer.W], [layer.b, layer.c]) for layer in self.layers_]
        self.optimiser_ = self._optimiser(self.machine_.W, self.machine_.b)
        self.particles_ = torch.zeros(self.particles, sum(sizes), device=device)

    def _optimiser(self, weights: Iterable[nn.Parameter], biases: Iterable[nn.Parameter]) -> torch.optim.SGD:
        groups: list[dict[str, Any]] = [
            {"params": list(weights), "weight_decay": self.weight_decay},
            {"params": list(biases)},
        ]
        return torch.optim.SGD(groups, self.lr, self.momentum)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Train one machine after another, each on the mean activations of the one below; then all layers together."""
        v = to_unit(data.train.images, self.space)  # (n, D)
        self._pretrain(v, run)
        with torch.no_grad():
            means = torch.cat(self.machine_.mean_field(run.draw(v, self.particles), self.sweeps), 1)
        self.particles_ = bernoulli(means, run.generator)
        for x in run.batches(v, self.batch, self.epochs):
            set_lr(self.optimiser_, self.lr, self.lr_end, run.epoch, self.epochs)
            run.log(**self._follow_bound(self._observed(x, run), run.generator))
            self.optimiser_.step()
            self._bound_norms()

    def _pretrain(self, v: Tensor, run: genbench.Run) -> None:
        """Train the machines that start the deep one, on images or probabilities (n, D), and put them together."""
        for layer, optimiser in zip(self.layers_, self.pretrainers_, strict=True):
            layer.start_at_marginals(v)
            for x in run.batches(v, self.batch, self.pretrain_epochs):
                set_lr(optimiser, self.pretrain_lr, self.lr_end, run.epoch, self.pretrain_epochs)
                run.log(**layer.contrast(self._observed(x, run), 1, run.generator))
                optimiser.step()
            with torch.no_grad():
                v = layer.up(v)
        self._put_together()

    @torch.no_grad()
    def _put_together(self) -> None:
        """Take over weights and biases; a layer's inputs are then the mean of those in the machines below and above."""
        for W, layer in zip(self.machine_.W, self.layers_, strict=True):
            W.copy_(layer.W)
        between = [(below.c + above.b) / 2 for below, above in pairwise(self.layers_)]
        biases = [self.layers_[0].b, *between, self.layers_[-1].c]
        for b, value in zip(self.machine_.b, biases, strict=True):
            b.copy_(value)

    @torch.no_grad()
    def _follow_bound(self, v: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Set the gradient of -bound, by the mean field of v and by the chains, which move; return scalars."""
        machine = self.machine_
        mu = machine.mean_field(v, self.sweeps, self.tolerance)
        h = machine.layers(self.particles_)
        for _ in range(self.k):
            machine.gibbs(h, generator)
        self.particles_ = torch.cat(h, 1)
        h[1::2] = [machine.inputs(h, i).sigmoid() for i in range(1, len(h), 2)]
        for i, b in enumerate(machine.b):
            b.grad = h[i].mean(0) - mu[i].mean(0)
        for i, W in enumerate(machine.W):
            W.grad = h[i + 1].T @ h[i] / len(h[i]) - mu[i + 1].T @ mu[i] / len(v)
        return {"data": machine.energy_bound(mu).mean(), "fantasy": machine.energy(h).mean()}

    # Abilities

    @torch.no_grad()
    def inpaint(self, x: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Return x with unknown pixels at their means given h1, which ends a Gibbs chain that keeps the known ones."""
        v, known = to_unit(x, self.space), mask.flatten(1).bool()
        v = torch.where(known, v, self.machine_.b[0].sigmoid())
        h = self.machine_.mean_field(v, 1)
        for _ in range(self.inpaint_steps):
            self.machine_.gibbs(h, generator)
            h[0] = torch.where(known, v, h[0])
        filled = to_images(self.machine_.inputs(h, 0).sigmoid(), self.space)
        return torch.where(mask.bool(), x, filled)
