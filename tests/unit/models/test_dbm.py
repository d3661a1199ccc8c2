"""The deep Boltzmann machine against its joint distribution, all states of its layers enumerated."""

from itertools import product
from typing import Any

import pytest
import torch
from models import CPU, binary_states, check_first_samples, data_of, drawn, fitted
from torch import Tensor

from genbench.api import Space
from genbench_plugins.models.dbm import DBM, CopiedLayer
from genbench_plugins.models.deep_boltzmann import DeepMachine
from genbench_plugins.models.noise import bernoulli

SIZES = (4, 3, 2)


def couple(machine: DeepMachine, scale: float) -> None:
    """Give a machine weights of this scale; its units are on about half the time."""
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for W in machine.W:
            W.copy_(scale * torch.randn(W.shape, generator=g))
        for i, b in enumerate(machine.b):
            b.copy_(torch.randn(b.shape, generator=g) / 2)
            if i > 0:
                b -= machine.W[i - 1].sum(1) / 2
            if i < len(machine.W):
                b -= machine.W[i].sum(0) / 2


def tiny(scale: float = 2.0, sizes: tuple[int, ...] = SIZES, **options: Any) -> DBM:
    model = DBM(hidden=sizes[1:], **options)
    model.build(Space((1, 1, sizes[0])), CPU)
    couple(model.machine_, scale)
    return model


def states(sizes: tuple[int, ...]) -> list[Tensor]:
    """Return every state of all layers, visible ones slowest, (2^ΣD, d_i) each."""
    return list(binary_states(sum(sizes)).split(list(sizes), 1))


def energies(machine: DeepMachine) -> Tensor:
    """Return E of every state, unit by unit and pair by pair, (2^d_0, 2^(d_1 + ...)) float64."""
    total = torch.zeros(2 ** sum(machine.sizes), dtype=torch.float64)
    h = states(tuple(machine.sizes))
    for x, b in zip(h, machine.b, strict=True):
        for j in range(len(b)):
            total -= x[:, j] * b[j].item()
    for i, W in enumerate(machine.W):
        for j, k in product(*map(range, W.shape)):
            total -= h[i + 1][:, j] * h[i][:, k] * W[j, k].item()
    return total.view(2 ** machine.sizes[0], -1)


def free_energies(machine: DeepMachine) -> Tensor:
    return -(-energies(machine)).logsumexp(1)


def images(units: int = SIZES[0]) -> Tensor:
    return binary_states(units).view(-1, 1, 1, units)


@pytest.fixture
def g() -> torch.Generator:
    return torch.Generator().manual_seed(0)


# Inference and density -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.1, 2.0])
@pytest.mark.parametrize("sizes", [SIZES, (3, 2, 2, 2)])
def test_the_bound_lies_above_the_free_energy_and_on_it_for_weak_weights(scale: float, sizes: tuple[int, ...]) -> None:
    model = tiny(scale, sizes)
    gap = model.energy_bound(images(sizes[0])).double() - free_energies(model.machine_)
    assert (gap > -1e-5).all()
    assert gap.max() < 0.01 if scale == 0.1 else gap.max() > 0.05


def test_the_bound_is_the_expected_energy_less_the_entropy_by_enumeration() -> None:
    model = tiny()
    q = torch.cat(model.machine_.mean_field(binary_states(4), 3)[1:], 1).double().detach()  # (16, 5)
    h = binary_states(5).double()
    p = (q[:, None] * h + (1 - q[:, None]) * (1 - h)).prod(2)  # (16, 32)
    expected = (p * (energies(model.machine_) + p.log())).sum(1)
    found = model.machine_.energy_bound(model.machine_.mean_field(binary_states(4), 3))
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


def test_no_sweep_raises_the_bound_and_the_means_come_to_a_fixed_point() -> None:
    machine = tiny().machine_
    bounds = torch.stack([machine.energy_bound(machine.mean_field(binary_states(4), n)) for n in range(20)])
    assert (bounds[1:] <= bounds[:-1] + 1e-5).all()
    assert (bounds[0] - bounds[-1]).max() > 0.01
    mu = machine.mean_field(binary_states(4), 1000, 1e-6)
    for i in (1, 2):
        torch.testing.assert_close(mu[i], machine.inputs(mu, i).sigmoid(), atol=1e-5, rtol=0)


def test_mean_field_is_the_posterior_where_layers_are_decoupled() -> None:
    """With no weights between h1 and h2 the posterior factorises: its means, enumerated, are those of mean field."""
    model = tiny()
    with torch.no_grad():
        model.machine_.W[1].zero_()
    posterior = (-energies(model.machine_)).softmax(1).view(16, 32).float()
    torch.testing.assert_close(model.features(images()), posterior @ binary_states(5))
    torch.testing.assert_close(model.encode(images()), (posterior @ binary_states(5))[:, :3])


def test_decoding_is_the_mean_of_pixels_given_the_first_hidden_layer() -> None:
    model, h = tiny(), states(SIZES)
    p = (-energies(model.machine_)).flatten().softmax(0)
    h1 = binary_states(3)
    at = (h[1][:, None] == h1).all(2).double() * p[:, None]  # (512, 8)
    torch.testing.assert_close(model.decode(h1).flatten(1).double(), at.T @ h[0].double() / at.sum(0)[:, None])
    torch.testing.assert_close(model.reconstruct(images()), model.decode(model.encode(images())))


@pytest.mark.parametrize("sizes", [SIZES, (3, 2, 2, 2), (3, 2, 3, 2, 2)])
def test_the_partition_function_by_annealing(sizes: tuple[int, ...], g: torch.Generator) -> None:
    model = tiny(1.5, sizes)
    log_z = (-energies(model.machine_)).flatten().logsumexp(0)
    w = (model.log_partition(2000, 100, g) - log_z).exp()
    assert w.mean().item() == pytest.approx(1, abs=4 * w.std().item() / 2000**0.5)
    assert w.std() < 0.5


# Training ------------------------------------------------------------------------------------------------------------


def gradients(machine: DeepMachine) -> list[Tensor]:
    return [p.grad for p in machine.parameters() if p.grad is not None]


def test_the_gradient_is_that_of_the_likelihood_where_mean_field_is_exact(g: torch.Generator) -> None:
    """Data by mean field, decoupled to be exact; the model by chains at equilibrium: beside autograd of log Z."""
    model = tiny(particles=100_000)
    machine = model.machine_
    with torch.no_grad():
        machine.W[1].zero_()
    p = (-energies(machine)).flatten().softmax(0)
    model.particles_ = binary_states(9)[torch.multinomial(p, 100_000, replacement=True, generator=g)]
    v = binary_states(4)[[3, 7, 7, 12]]
    model._follow_bound(v, g)
    every = [x.detach() for x in states(SIZES)]
    log_z = (-machine.energy(every)).logsumexp(0)
    log_p = (-machine.energy(every).view(16, 32)).logsumexp(1)[[3, 7, 7, 12]].mean() - log_z
    exact = torch.autograd.grad(-log_p, list(machine.parameters()))
    for found, expected in zip(gradients(machine), exact, strict=True):
        torch.testing.assert_close(found, expected, atol=0.01, rtol=0)
    assert max(x.abs().max() for x in exact) > 0.2


def test_the_gradient_is_that_of_the_bound_where_layers_are_coupled(g: torch.Generator) -> None:
    """At the fixed point the means may be held still: autograd of the bound at them gives the data's part."""
    model = tiny(particles=100_000, sweeps=1000)
    machine = model.machine_
    p = (-energies(machine)).flatten().softmax(0)
    model.particles_ = binary_states(9)[torch.multinomial(p, 100_000, replacement=True, generator=g)]
    v = binary_states(4)[[3, 7, 7, 12]]
    model._follow_bound(v, g)
    mu = [x.detach() for x in machine.mean_field(v, 1000)]
    loss = machine.energy_bound(mu).mean() + (-machine.energy(states(SIZES))).logsumexp(0)
    exact = torch.autograd.grad(loss, list(machine.parameters()))
    for found, expected in zip(gradients(machine), exact, strict=True):
        torch.testing.assert_close(found, expected, atol=0.01, rtol=0)


def test_odd_layers_of_the_chains_enter_by_their_means(g: torch.Generator) -> None:
    """Of one chain, the first hidden layer's part is no state of 0 and 1, and the other layers' are."""
    model, v = tiny(0.5, particles=1), binary_states(4)[[3]]
    model.particles_ = model.particles_ + 1
    model._follow_bound(v, g)
    mu = model.machine_.mean_field(v, model.sweeps)
    parts = [b.grad + m.mean(0) for b, m in zip(model.machine_.b, mu, strict=True)]
    binary = [bool(((part < 1e-6) | (part > 1 - 1e-6)).all()) for part in parts]
    assert binary == [True, False, True]


def test_training_raises_the_exact_likelihood() -> None:
    data = data_of((1, 2, 3), n=100)
    data.train.images.copy_(data.train.images.round())
    x = (data.train.images.flatten(1) * 2 ** torch.arange(5, -1, -1)).sum(1).long()
    log_p = []
    for epochs in (1, 60):
        model = fitted(DBM(hidden=(4, 3), pretrain_epochs=1, sweeps=3, epochs=epochs, batch=20, k=1, lr=0.3), data)
        f = free_energies(model.machine_)
        log_p.append((-f[x] - (-f).logsumexp(0)).mean().item())
    counts = torch.bincount(x) / len(x)
    best = torch.special.entr(counts).sum().neg().item()  # no model can have more
    assert log_p[1] > log_p[0] + 0.3
    assert best - 0.5 < log_p[1] <= best


@pytest.mark.parametrize(("below", "above"), [(2, 1), (1, 2), (2, 2)])
def test_copied_layers_are_machines_whose_units_stand_there_twice(below: int, above: int) -> None:
    """Held against the energy of a machine written out with all copies, those of the visible units alike."""
    layer = CopiedLayer(4, 3, below, above)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    v, h = binary_states(4), binary_states(3 * above).view(-1, above, 3)
    inputs = layer.c + below * v @ layer.W.T
    total = -(v @ layer.b)[:, None] * below - torch.einsum("nj,maj->nm", inputs, h)
    torch.testing.assert_close(layer.free_energy(v), -(-total).logsumexp(1))
    torch.testing.assert_close(layer.up(v), inputs.sigmoid())
    torch.testing.assert_close(layer.down(binary_states(3)), (layer.b + above * binary_states(3) @ layer.W).sigmoid())


def test_pretrained_machines_are_put_together_so_that_inputs_are_means_of_theirs() -> None:
    """The first doubles what comes from below, the last what comes from above: of h1, both give the same input."""
    model = DBM(hidden=(3, 2))
    model.build(Space((1, 1, 4)), CPU)
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in [p for layer in model.layers_ for p in layer.parameters()]:
            p.copy_(torch.randn(p.shape, generator=g))
    model._put_together()
    first, last = model.layers_
    v, h2 = torch.rand(5, 4, generator=g), torch.rand(5, 2, generator=g)
    both = (first.up(v).logit() + last.down(h2).logit()) / 2
    h = [v, torch.rand(5, 3, generator=g), h2]
    torch.testing.assert_close(model.machine_.inputs(h, 1), both, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.machine_.inputs(h, 0).sigmoid(), first.down(h[1]))
    torch.testing.assert_close(model.machine_.inputs(h, 2).sigmoid(), last.up(h[1]))


def test_norms_of_incoming_weights_are_bounded() -> None:
    free, bound = (fitted(DBM(hidden=(6, 5), epochs=2, max_norm=m), data_of((1, 3, 3))) for m in (0.0, 0.02))
    assert max(W.norm(dim=1).max() for W in free.machine_.W) > 0.03
    assert max(W.norm(dim=1).max() for W in bound.machine_.W) <= 0.02 + 1e-6


# Samples -------------------------------------------------------------------------------------------------------------


def test_samples_are_distributed_as_the_enumerated_machine() -> None:
    """The chi-square of 15 degrees of freedom lies below its 99.9 % point."""
    model = tiny(1.5, chains=1000, burn_in=100, thin=10, sample_as="draws")
    p = (-free_energies(model.machine_)).softmax(0)
    x = drawn(model, 50_000).flatten(1)
    counts = torch.bincount((x * 2 ** torch.arange(3, -1, -1)).sum(1).long(), minlength=16)
    assert ((counts - 50_000 * p).square() / (50_000 * p)).sum() < 37.7
    assert p.max() > 0.1


@pytest.mark.parametrize("sample_as", ["means", "draws"])
def test_the_first_samples_do_not_depend_on_how_many_are_drawn(sample_as: str) -> None:
    check_first_samples(tiny(chains=10, burn_in=3, thin=2, sample_as=sample_as))


def test_inpainting_ends_at_the_conditional_distribution(g: torch.Generator) -> None:
    """Two of four pixels known: the mean of many fills is the enumerated mean of the others given them."""
    model = tiny(1.5, inpaint_steps=30)
    x = torch.tensor([1.0, 0.0, 0.5, 0.5]).view(1, 1, 1, 4).repeat(20_000, 1, 1, 1)
    mask = torch.tensor([1.0, 1.0, 0.0, 0.0]).expand_as(x)
    filled = model.inpaint(x, mask, g)
    assert torch.equal(filled[..., :2], x[..., :2])
    p = (-free_energies(model.machine_))[8:12].softmax(0).float()  # of the states 10**
    torch.testing.assert_close(filled.mean(0).flatten()[2:], p @ binary_states(2), atol=0.01, rtol=0)
    alone = bernoulli(model.machine_.b[0].sigmoid().repeat(20_000, 1), g).mean(0)[2:]
    assert ((p @ binary_states(2)) - alone).abs().max() > 0.05


def test_the_preset_is_the_size_that_was_published() -> None:
    model = DBM(**DBM.presets["mnist"])  # type: ignore[arg-type]
    model.build(Space((1, 28, 28)), CPU)
    assert model.machine_.sizes == [784, 512, 1024]
    assert [(layer.visible_copies, layer.hidden_copies) for layer in model.layers_] == [(2, 1), (1, 2)]
    deeper = DBM(hidden=(5, 4, 3))
    deeper.build(Space((1, 2, 2)), CPU)
    assert [(layer.visible_copies, layer.hidden_copies) for layer in deeper.layers_] == [(2, 1), (2, 2), (1, 2)]
