"""The contractive penalty and the moves of the sampler against Jacobians by automatic differentiation."""

import json
from pathlib import Path

import pytest
import torch
from models import CPU, SHAPES, check_samples, data_of, drawn, fitted
from torch.func import jacrev, vmap
from torch.nn.functional import binary_cross_entropy

import genbench
from genbench.api import Space
from genbench.trial.training import TrainingRun
from genbench_plugins.models.stacked_cae import Layer, StackedCAE

SMALL = {"hidden": (16, 8), "epochs": (2,), "batch": 25, "chains": 5, "burn_in": 3, "thin": 2}


def layer(inputs: int = 6, units: int = 4) -> Layer:
    torch.manual_seed(0)
    made = Layer(inputs, units, 4.0).double()
    for parameter in made.parameters():
        parameter.data.normal_()
    return made.requires_grad_(False)


def jacobians(made: Layer, x: torch.Tensor) -> torch.Tensor:
    """Return dh/dx at each row of x, (n, H, D)."""
    return vmap(jacrev(lambda row: made.encode(row.unsqueeze(0))[0]))(x)


@pytest.mark.parametrize("shape", SHAPES)
def test_samples(shape: tuple[int, int, int]) -> None:
    data = data_of(shape, bounds=(-1.0, 1.0))
    check_samples(fitted(StackedCAE(**SMALL), data), data.space)


def test_the_penalty_is_the_frobenius_norm_of_the_jacobian() -> None:
    made, x = layer(), torch.rand(7, 6, dtype=torch.float64)
    rec, penalty = made.losses(x)
    torch.testing.assert_close(penalty, jacobians(made, x).square().sum((1, 2)))
    y = made.decode(made.encode(x))
    torch.testing.assert_close(rec, binary_cross_entropy(y, x, reduction="none").sum(1))


def test_the_penaltys_gradient_against_that_of_jacobians() -> None:
    made, x = layer().requires_grad_(), torch.rand(7, 6, dtype=torch.float64)
    W, b = made.W, made.b
    explicit = jacobians(made, x).square().sum()
    expected = torch.autograd.grad(explicit, [W, b])
    torch.testing.assert_close(torch.autograd.grad(made.losses(x)[1].sum(), [W, b]), expected)


def test_moves_are_jacobian_products() -> None:
    made, x = layer(), torch.rand(7, 6, dtype=torch.float64)
    e = torch.randn(7, 4, dtype=torch.float64)
    J = jacobians(made, x)
    expected = (J @ J.mT @ e.unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(made.along_tangents(made.encode(x), e), expected)


def test_a_step_of_the_chain_by_explicit_jacobians() -> None:
    """h = f(x), x <- g(h + J J'e) in the top layer, decoded down."""
    model = StackedCAE(hidden=(5, 4), chains=3, burn_in=0, thin=1, sigma=0.8, init_scale=4.0)
    torch.manual_seed(0)
    model.build(Space((1, 2, 3)), CPU)
    g = torch.Generator().manual_seed(0)
    x = torch.rand(3, 5, generator=g)
    e = 0.8 * torch.randn(3, 4, generator=g)
    below, top = model.layers_
    J = jacobians(top, x)
    x = top.decode(top.encode(x) + (J @ J.mT @ e.unsqueeze(2)).squeeze(2))
    torch.testing.assert_close(drawn(model, 3), below.decode(x).detach().view(3, 1, 2, 3))


def test_contraction_contracts() -> None:
    data = data_of((1, 8, 8))
    x = data.valid.images.flatten(1)
    norms = []
    for contraction in (0.0, 5.0):
        model = fitted(StackedCAE(hidden=(16,), epochs=(100,), contraction=(contraction,)), data)
        norms.append(jacobians(model.layers_[0], x).square().sum((1, 2)).mean().item())
    assert norms[1] < norms[0] / 3


def test_each_layer_learns_alone_from_the_codes_below() -> None:
    data = data_of((1, 8, 8))
    alone = fitted(StackedCAE(**{**SMALL, "hidden": (16,)}), data)
    model = StackedCAE(**{**SMALL, "epochs": (2, 40)})
    fitted(model, data)
    assert torch.equal(alone.layers_[0].W, model.layers_[0].W)
    x = data.valid.images
    assert torch.equal(model.encode(x), model.layers_[1].encode(alone.encode(x)))
    torch.testing.assert_close(model.reconstruct(x), alone.decode(model.layers_[1].decode(model.encode(x))))


def test_options_of_layers_repeat_the_last() -> None:
    data = data_of((1, 4, 4))
    model = StackedCAE(hidden=(8, 6, 4), epochs=(3, 2), batch=60)
    model.build(data.space, CPU)
    run = TrainingRun(0, CPU)
    model.fit(data, run)
    assert [json.loads(line)["loop"] for line in run.lines] == [0, 0, 0, 1, 1, 2, 2]
    assert {"rec", "penalty"} <= set(json.loads(run.lines[0]))


def test_the_preset_has_the_papers_layers() -> None:
    model = StackedCAE(**StackedCAE.presets["paper"])  # type: ignore[arg-type]
    model.build(Space((1, 28, 28)), CPU)
    assert [tuple(each.W.shape) for each in model.layers_] == [(1000, 784), (1000, 1000)]
    assert model.layers_[0].W.abs().max().item() == pytest.approx(4 * (6 / 1784) ** 0.5, rel=1e-3)
    assert {type(optimiser) for optimiser in model.optimisers_} == {torch.optim.SGD}


@pytest.mark.slow
def test_the_defaults_beat_the_gaussian_on_every_seed(tmp_path: Path) -> None:
    report = genbench.run(
        models="stacked-cae", metrics="parzen", reference="gaussian", target="valid", seeds=3, results=tmp_path
    )
    scores = {row.model: [score.value for score in row.scores] for row in report.boards[0].rows}
    assert all(ours > theirs for ours, theirs in zip(scores["stacked-cae"], scores["gaussian"], strict=True)), scores
