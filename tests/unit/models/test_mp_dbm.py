"""The multi-prediction deep Boltzmann machine: its unrolled mean field, and fills against enumerated posteriors."""

import pytest
import torch
from models import CPU, binary_states, data_of, fitted
from torch import Tensor

from genbench.api import Space
from genbench_plugins.models.dbm import DBM
from genbench_plugins.models.mp_dbm import MPDBM

SIZES = (4, 3, 2)


def tiny(scale: float) -> MPDBM:
    """Return a model of four pixels with weights of this scale."""
    model = MPDBM(hidden=SIZES[1:], sweeps=4)
    model.build(Space((1, 1, 4)), CPU)
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.machine_.parameters():
            p.copy_(torch.randn(p.shape, generator=g) * (scale if p.dim() == 2 else 1))
    return model


def posterior_means(model: MPDBM, v: Tensor, known: Tensor) -> Tensor:
    """Return the mean of every pixel given the known ones of one image, all states of all layers summed, (4,)."""
    states = binary_states(sum(SIZES))
    agrees = ((states[:, :4] == v) | ~known).all(1)
    energy = model.machine_.energy(states.split(list(SIZES), 1)).detach().double()
    weights = (-energy).masked_fill(~agrees, -torch.inf).softmax(0)
    return (weights @ states[:, :4].double()).float()


@pytest.fixture
def g() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("mask", [[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]])
def test_fills_are_posterior_means_where_the_machine_is_nearly_decoupled(mask: list[int], g: torch.Generator) -> None:
    """The error of mean field is of second order in the weights; what it adds to the pixels' biases is of first."""
    model, known, v = tiny(0.5), torch.tensor(mask).bool(), binary_states(4)
    filled = model.inpaint(v.view(-1, 1, 1, 4), known.float().expand(16, 4).view(-1, 1, 1, 4), g).flatten(1)
    expected = torch.stack([posterior_means(model, one, known) for one in v])
    torch.testing.assert_close(filled, expected, atol=0.005, rtol=0)
    assert (filled - model.machine_.b[0].sigmoid())[:, ~known].abs().max() > 0.01


def test_fills_are_a_fixed_point_of_mean_field() -> None:
    machine, v = tiny(1.0).machine_, binary_states(4)
    known = torch.tensor([True, False, True, False]).expand_as(v)
    mu = machine.mean_field(v, 1000, 1e-7, known)
    assert torch.equal(mu[0][known], v[known])
    torch.testing.assert_close(mu[0][~known], machine.inputs(mu, 0).sigmoid()[~known], atol=1e-5, rtol=0)
    for i in (1, 2):
        torch.testing.assert_close(mu[i], machine.inputs(mu, i).sigmoid(), atol=1e-5, rtol=0)
    assert (mu[0][~known].var(0) > 1e-4).all()  # they do depend on what is known


def test_the_loss_is_the_cross_entropy_of_unrolled_mean_field_over_hidden_pixels() -> None:
    """Written out for two hidden layers; its gradient, through all sweeps, is that by finite differences."""
    model = tiny(1.0)
    (W1, W2), (b0, b1, b2) = ([p.detach().double() for p in group] for group in (model.machine_.W, model.machine_.b))
    v = binary_states(4)
    hidden = (torch.rand(v.shape, generator=torch.Generator().manual_seed(2)) < 0.5).float()

    def written_out(W1: Tensor) -> Tensor:
        x = torch.where(hidden.bool(), b0.sigmoid(), v.double())
        h1 = (b1 + 2 * x @ W1.T).sigmoid()
        h2 = (b2 + h1 @ W2.T).sigmoid()
        for _ in range(4):
            h1 = (b1 + x @ W1.T + h2 @ W2).sigmoid()
            p = (b0 + h1 @ W1).sigmoid()
            x = torch.where(hidden.bool(), p, v.double())
            h2 = (b2 + h1 @ W2.T).sigmoid()
        log_p = torch.where(v.bool(), p, 1 - p).log()
        return -(hidden * log_p).mean()

    loss = model._loss(v, hidden)
    torch.testing.assert_close(loss.double(), written_out(W1))
    (found,) = torch.autograd.grad(loss, [model.machine_.W[0]])
    for j, k in ((0, 0), (2, 3)):
        nudge = torch.zeros_like(W1)
        nudge[j, k] = 1e-5
        slope = (written_out(W1 + nudge) - written_out(W1 - nudge)) / 2e-5
        assert found[j, k].item() == pytest.approx(slope.item(), rel=1e-3, abs=1e-6)


def test_training_predicts_hidden_pixels_by_the_known_ones() -> None:
    """Two pixels that are always equal, and two that are not: the first can be told from each other."""
    data = data_of((1, 1, 4), n=200)
    first, rest = torch.rand(200, 3, generator=torch.Generator().manual_seed(0)).round().split([1, 2], 1)
    data.train.images.copy_(torch.cat([first, first, rest], 1).view(-1, 1, 1, 4))
    model = fitted(MPDBM(hidden=(16, 4), epochs=60, batch=20, lr=3.0, sweeps=4), data)
    x = binary_states(4).view(-1, 1, 1, 4)
    mask = torch.tensor([1.0, 0.0, 1.0, 0.0]).expand_as(x)
    filled = model.inpaint(x, mask, torch.Generator())
    assert (filled[..., 1] - x[..., 0]).abs().max() < 0.35
    assert (filled[..., 3] - 0.5).abs().max() < 0.15


def test_it_is_the_machine_of_dbm() -> None:
    """Samples, codes and energies are those of a `dbm` of the same weights."""
    multi, deep = MPDBM(hidden=(5, 4), chains=10, burn_in=5), DBM(hidden=(5, 4), chains=10, burn_in=5)
    for model in (multi, deep):
        model.build(Space((1, 2, 2)), CPU)
    multi.machine_.load_state_dict(deep.machine_.state_dict())
    x = torch.rand(3, 1, 2, 2)
    a, b = (model.sample(30, torch.Generator().manual_seed(0)) for model in (multi, deep))
    assert torch.equal(a, b)
    assert torch.equal(multi.energy_bound(x), deep.energy_bound(x))
    assert torch.equal(multi.features(x), deep.features(x))


def test_the_preset_is_the_size_that_was_published() -> None:
    model = MPDBM(**MPDBM.presets["pylearn2"])  # type: ignore[arg-type]
    model.build(Space((1, 28, 28)), CPU)
    assert model.machine_.sizes == [784, 2087, 3200]
