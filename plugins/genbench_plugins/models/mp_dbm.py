"""The multi-prediction deep Boltzmann machine: trained to fill in pixels that a random mask hides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

import genbench
from genbench_plugins.models.autoencoding import descend, set_lr
from genbench_plugins.models.boltzmann import Width
from genbench_plugins.models.deep_boltzmann import SWEEPS, TOLERANCE, DeepBoltzmannModel
from genbench_plugins.models.noise import bernoulli
from genbench_plugins.scaling import to_images, to_unit

PYLEARN2_MNIST: Mapping[str, object] = {
    "hidden": (2087, 3200),
    "sweeps": 14,
    "hide": 0.5,
    "lr": 15.15,
    "lr_end": 0.0204,
    "momentum": 0.73,
    "max_norm": 2.0,
    "batch": 100,
    "epochs": 868,
}


@dataclass(eq=False)
class MPDBM(DeepBoltzmannModel):
    """Multi-prediction deep Boltzmann machine (Goodfellow, Mirza, Courville & Bengio 2013).

    In each batch a random half of each image's pixels is hidden. Mean field, unrolled for `sweeps` sweeps over hidden
    layers and hidden pixels, predicts these from the rest; their cross-entropy, by backpropagation through all sweeps,
    trains the machine: a variational approximation of the generalised pseudolikelihood, without pretraining. So
    `inpaint` does what it was trained for, by the same mean field to its fixed point.

    Its likelihood is not trained. Samples are those of the same machine by Gibbs chains, as of `dbm`; the paper's own
    way to sample is not reproduced. Left out: labels as a further layer, and at test time the mean of what mean field
    and the data say. Chosen here: the loss is a mean over all pixels, where known ones count 0; learning rates fall
    linearly; grey pixels are drawn to 0 or 1 anew in each batch, or taken as they are (`inputs`). The defaults were
    chosen by the validation images of `digits`. The preset `pylearn2` has layers, sweeps, masks and learning rates of
    pylearn2's `mpdbm.yaml`, for MNIST, but one bound on norms in place of its three, its last momentum throughout, and
    first weights like those of `dbm`. It was not trained in full.
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"pylearn2": PYLEARN2_MNIST}
    search: ClassVar[genbench.Search] = {
        "hidden": ((256, 64), (256, 256), (500, 1000)),
        "sweeps": genbench.Range(3, 15, log=True),
        "hide": genbench.Range(0.1, 0.9),
        "lr": genbench.Range(1.0, 100.0, log=True),
        "momentum": genbench.Range(0.0, 0.9),
    }

    sweeps: Width = 5  # of mean field, for each update
    hide: Annotated[float, Gt(0), Le(1)] = 0.5  # share of pixels to predict
    lr: Annotated[float, Gt(0)] = 20.0  # of the first epoch, falling linearly
    lr_end: Annotated[float, Gt(0), Le(1)] = 0.05  # share of it that the last epoch has
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.7
    batch: Width = 100
    epochs: Width = 200

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make the machine and its optimiser."""
        super().build(space, device)
        self.optimiser_ = torch.optim.SGD(self.machine_.parameters(), self.lr, self.momentum)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Minimise the cross-entropy of hidden pixels, starting from the marginals of the pixels."""
        images = to_unit(data.train.images, self.space)  # (n, D)
        self._start_at_marginals(images)
        for x in run.batches(images, self.batch, self.epochs):
            set_lr(self.optimiser_, self.lr, self.lr_end, run.epoch, self.epochs)
            v = self._observed(x, run)
            hidden = bernoulli(torch.full_like(v, self.hide), run.generator)
            loss = self._loss(v, hidden)
            descend(self.optimiser_, loss)
            self._bound_norms()
            run.log(loss=loss)

    @torch.no_grad()
    def _start_at_marginals(self, v: Tensor) -> None:
        self.machine_.b[0].copy_(v.double().mean(0).logit(eps=1e-3))

    def _loss(self, v: Tensor, hidden: Tensor) -> Tensor:
        """Return the cross-entropy of hidden pixels, 0 for the others, as the mean over all: a scalar."""
        mu = self.machine_.mean_field(v, self.sweeps, known=~hidden.bool())
        return binary_cross_entropy_with_logits(self.machine_.inputs(mu, 0), v, weight=hidden)

    # Abilities

    @torch.no_grad()
    def inpaint(self, x: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Return x with unknown pixels at the fixed point of mean field given the known ones: no draw is made."""
        known = mask.flatten(1).bool()
        mu = self.machine_.mean_field(to_unit(x, self.space), SWEEPS, TOLERANCE, known)
        return torch.where(mask.bool(), x, to_images(mu[0], self.space))
