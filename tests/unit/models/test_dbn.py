"""The deep belief net against its joint distribution enumerated layer by layer."""

from typing import Any

import pytest
import torch
from models import CPU, binary_states, check_first_samples, data_of, drawn, fitted
from torch import Tensor

from genbench.api import Space, Split
from genbench.trial.training import TrainingRun
from genbench_plugins.models.dbn import DBN
from genbench_plugins.models.rbm import RBM

D, H1, H2 = 4, 3, 4


def tiny(**options: Any) -> DBN:
    """Return a net of four pixels whose units depend strongly on each other."""
    model = DBN(hidden=(H1, H2), **options)
    model.build(Space((1, 2, 2)), CPU)
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in model.layers_:
            layer.W.copy_(3 * torch.randn(layer.W.shape, generator=g))
            layer.b.copy_(-layer.W.sum(0) / 2 + torch.randn(layer.b.shape, generator=g))
            layer.c.copy_(-layer.W.sum(1) / 2)
    return model


def bernoulli_table(p: Tensor, units: int) -> Tensor:
    """Return the probability of every binary state of units that are on with probabilities p, (n, 2^units)."""
    s = binary_states(units)
    return (p[:, None] * s + (1 - p[:, None]) * (1 - s)).prod(2)


def exact(model: DBN) -> tuple[Tensor, Tensor]:
    """Return p(h1), (2^H1,), by the top machine summed out, and p(x), (2^D,)."""
    bottom, top = model.layers_
    h1, h2 = binary_states(H1), binary_states(H2)
    log_joint = h1 @ top.b + (h2 @ top.c)[:, None] + h2 @ top.W @ h1.T  # (2^H2, 2^H1)
    p_h1 = log_joint.flatten().softmax(0).view_as(log_joint).sum(0)
    p_x_given_h1 = bernoulli_table((bottom.b + h1 @ bottom.W).sigmoid(), D)
    return p_h1.detach(), (p_h1 @ p_x_given_h1).detach()


def test_draws_are_distributed_as_the_enumerated_net() -> None:
    model = tiny(chains=1000, burn_in=200, thin=10, sample_as="draws")
    x = drawn(model, 50_000).flatten(1)
    numbers = (x * 2 ** torch.arange(D - 1, -1, -1)).sum(1).long()
    p = exact(model)[1]
    torch.testing.assert_close(torch.bincount(numbers, minlength=2**D) / len(x), p, atol=0.01, rtol=0)
    assert p.max() > 0.1


def test_means_are_those_of_the_pixels_given_the_lowest_hidden_layer() -> None:
    """So there are no more of them than states of h1, and each occurs as often as its state."""
    model = tiny(chains=1000, burn_in=200, thin=10)
    means = (model.layers_[0].b + binary_states(H1) @ model.layers_[0].W).sigmoid().detach()
    x = drawn(model, 50_000).flatten(1)
    distances = torch.cdist(x, means)
    assert distances.min(1).values.max() < 1e-3
    found = torch.bincount(distances.argmin(1), minlength=2**H1) / len(x)
    torch.testing.assert_close(found, exact(model)[0], atol=0.01, rtol=0)


def bound_by_enumeration(model: DBN) -> tuple[Tensor, Tensor]:
    """Return E_q[log p(x|h1) + log p(h1) - log q(h1|x)] of every binary image, and log Z of the top machine."""
    bottom, top = model.layers_
    x, h1 = binary_states(D), binary_states(H1)
    q = bernoulli_table(bottom.up(x), H1)  # (2^D, 2^H1)
    log_p_x = bernoulli_table(bottom.down(h1), D).log().T  # (2^D, 2^H1)
    log_z = (-top.free_energy(h1)).logsumexp(0)
    log_p_h1 = -top.free_energy(h1) - log_z
    return (q * (log_p_x + log_p_h1 - q.log())).sum(1).detach(), log_z.detach()


def test_the_bound_on_the_energy_is_that_by_enumeration() -> None:
    model = tiny()
    with torch.no_grad():
        for layer in model.layers_:
            layer.W /= 3  # so that no probability is 0 in float32
    expected, log_z = bound_by_enumeration(model)
    torch.manual_seed(0)
    x = binary_states(D).view(-1, 1, 2, 2)
    draws = -torch.stack([model.energy_bound(x) for _ in range(2000)]) - log_z  # (2000, 2^D)
    assert ((draws.mean(0) - expected).abs() < 4 * draws.std(0) / 2000**0.5).all()
    assert (expected < exact(model)[1].log()).all()
    weights = (model.log_partition(2000, 100, torch.Generator().manual_seed(0)) - log_z).exp()
    assert weights.mean().item() == pytest.approx(1, abs=0.03)


def test_the_energy_of_one_layer_is_its_free_energy_and_deeper_gaussian_pixels_have_a_density() -> None:
    """Over a line of one pixel, exp(bound) of a net whose weights are 0, where the bound is tight, integrates to 1."""
    one = DBN(hidden=(3,))
    one.build(Space((1, 2, 2)), CPU)
    x = torch.rand(5, 1, 2, 2)
    assert torch.equal(one.energy_bound(x), one.layers_[0].free_energy(x.flatten(1)))
    deep = DBN(hidden=(3, 2), visible="gaussian", sigma=0.3)
    deep.build(Space((1, 1, 1), None, (-1.0, 1.0)), CPU)
    for p in [p for layer in deep.layers_ for p in layer.parameters()]:
        p.data.zero_()
    line = torch.linspace(-9, 9, 2001)
    log_p = -deep.energy_bound(line.view(-1, 1, 1, 1)) - deep.log_partition(1, 1, torch.Generator())
    assert (log_p.exp().sum() * (line[1] - line[0])).item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("sample_as", ["means", "draws"])
def test_the_first_samples_do_not_depend_on_how_many_are_drawn(sample_as: str) -> None:
    check_first_samples(tiny(chains=10, burn_in=3, thin=2, sample_as=sample_as))


@pytest.mark.parametrize("upper", [D, D + 2])
def test_a_machine_turned_round_leaves_the_distribution_as_it_was(upper: int) -> None:
    """Before the second machine learns, the net of two has the p(x) of the machine below (up to its small weights)."""
    model = DBN(hidden=(H1, upper))
    model.build(Space((1, 2, 2)), CPU)
    model.layers_[0] = tiny().layers_[0]
    bottom, top = model.layers_
    assert top.can_turn(bottom)
    top.start_turned(bottom)
    p_net = (-top.free_energy(binary_states(H1))).softmax(0) @ bernoulli_table(bottom.down(binary_states(H1)), D)
    p_machine = (-bottom.free_energy(binary_states(D))).softmax(0)
    torch.testing.assert_close(p_net, p_machine, atol=2e-6 if upper == D else 0.01, rtol=0)


@pytest.mark.parametrize(("visible", "hidden"), [("bernoulli", (3, 3)), ("gaussian", (3, 4))])
def test_too_small_or_gaussian_machines_are_not_turned(visible: str, hidden: tuple[int, ...]) -> None:
    model = DBN(visible=visible, hidden=hidden)  # type: ignore[arg-type]
    model.build(Space((1, 2, 2)), CPU)
    assert not model.layers_[1].can_turn(model.layers_[0])


def test_one_layer_is_the_machine_itself() -> None:
    data = data_of((1, 3, 3))
    options: dict[str, Any] = {"epochs": 3, "batch": 20, "chains": 10, "burn_in": 5}
    net, machine = fitted(DBN(hidden=(6,), **options), data), fitted(RBM(hidden=6, **options), data)
    assert torch.equal(drawn(net, 20), drawn(machine, 20))


class Watched(TrainingRun):
    """A run that keeps what its loops were given."""

    def __init__(self) -> None:
        super().__init__(0, CPU)
        self.given: list[Any] = []

    def batches(self, data: Any, size: int, epochs: int) -> Any:
        self.given.append(data.images if isinstance(data, Split) else data)
        return super().batches(data, size, epochs)


def test_each_machine_sees_the_mean_activations_of_the_one_below() -> None:
    data, run = data_of((1, 3, 3)), Watched()
    model = DBN(hidden=(6, 5, 4), epochs=2, batch=20)
    model.build(data.space, CPU)
    model.fit(data, run)
    expected = data.train.images.flatten(1)
    for given, layer in zip(run.given, model.layers_, strict=True):
        torch.testing.assert_close(given, expected)
        expected = (expected @ layer.W.T + layer.c).sigmoid().detach()
    torch.testing.assert_close(model.encode(data.train.images), expected)


def test_upper_machines_learn_at_a_rate_of_their_own() -> None:
    model = fitted(DBN(hidden=(6, 5), epochs=2, lr=0.2, lr_end=0.5, upper_lr=0.1), data_of((1, 3, 3)))
    rates = [optimiser.param_groups[0]["lr"] for optimiser in model.optimisers_]
    assert rates == pytest.approx([0.1, 0.01])


def test_codes_go_up_and_down_through_all_layers() -> None:
    model, x = tiny(), torch.rand(5, 1, 2, 2)
    (W1, b1, c1), (W2, b2, c2) = ([p.detach() for p in (layer.W, layer.b, layer.c)] for layer in model.layers_)
    z = (c2 + (c1 + x.flatten(1) @ W1.T).sigmoid() @ W2.T).sigmoid()
    torch.testing.assert_close(model.encode(x), z)
    torch.testing.assert_close(model.features(x), z)
    expected = (b1 + (b2 + z @ W2).sigmoid() @ W1).sigmoid()
    torch.testing.assert_close(model.decode(z).flatten(1), expected)
    torch.testing.assert_close(model.reconstruct(x).flatten(1), expected)


def test_gaussian_pixels_under_binary_layers() -> None:
    data = data_of((2, 3, 4), bounds=(-1.0, 3.0))
    model = fitted(DBN(visible="gaussian", sample_as="draws", hidden=(6, 5), epochs=3, lr=1e-3), data)
    assert [layer.units for layer in model.layers_] == ["gaussian", "bernoulli"]
    assert model.samples_are == "clipped"
    assert drawn(model, 50).unique().numel() > 500


def test_the_preset_is_the_size_of_the_paper() -> None:
    model = DBN(**DBN.presets["paper"])  # type: ignore[arg-type]
    model.build(Space((1, 28, 28)), CPU)
    assert [tuple(layer.W.shape) for layer in model.layers_] == [(1000, 784), (1000, 1000)]
