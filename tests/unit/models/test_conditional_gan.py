"""Conditional adversarial nets: the paper's sizes, labels that reach both players, and labels drawn as in training."""

import dataclasses
from pathlib import Path

import pytest
import torch
from models import CPU, check_samples, data_of, drawn, fitted
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

import genbench
from genbench.api import Space, Split, TrainingData
from genbench.errors import Unsupported
from genbench.registry.options import construct
from genbench_plugins.models.adversarial_game import Game
from genbench_plugins.models.conditional_gan import ConditionalGAN, Conditioned
from genbench_plugins.networks import linears

SMALL = {"g_z": 8, "g_y": 8, "g_joint": 16, "d_x": 8, "d_y": 4, "d_joint": 8, "latent": 3, "epochs": 2, "batch": 25}


def paper(**options: object) -> ConditionalGAN:
    return construct(ConditionalGAN, {**ConditionalGAN.presets["paper"], **options})  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "options",
    [{"noise": "hypercube"}, {"optimiser": "momentum", "lr": 0.01}, {"updates": "alternating", "k": 3}, {"loss": "minimax"},
     {"g_dropout": 0.5, "dropout": 0.5}, {"average": 0.0}, {"pieces": 1, "joint_pieces": 1}],
    ids=str,
)  # fmt: skip
def test_every_option_trains(options: dict[str, object]) -> None:
    data = data_of((1, 8, 8))
    check_samples(fitted(ConditionalGAN(**{**SMALL, **options}), data), data.space)


def test_data_without_labels_is_refused_in_words() -> None:
    with pytest.raises(Unsupported, match="conditional-gan needs labels; this dataset has none"):
        ConditionalGAN().build(Space((1, 8, 8)), CPU)


# The paper's recipe


def test_the_papers_networks_have_the_papers_sizes() -> None:
    model = paper()
    model.build(Space((1, 28, 28), 10), CPU)
    g = 101 * 200 + 11 * 1000 + 1201 * 1200 + 1201 * 784
    d = 785 * 240 * 5 + 11 * 50 * 5 + 291 * 240 * 4 + 241
    assert sum(p.numel() for p in model.G_.parameters()) == g
    assert sum(p.numel() for p in model.D_.parameters()) == d
    for network, irange in ((model.G_, 0.05), (model.D_, 0.005)):
        for layer in linears(network):
            assert irange * 0.9 < layer.weight.abs().max() <= irange


def test_the_papers_schedules() -> None:
    model = paper()
    assert model.lr_at(1) == pytest.approx(0.1)
    assert model.lr_at(10_001) == pytest.approx(0.1 * 1.00004**-10_000)
    assert model.lr_at(575 * 500) > 1e-6
    assert model.lr_at(576 * 500) == 1e-6
    assert (model.momentum_at(1), model.momentum_at(250)) == pytest.approx((0.5, 0.7))


def test_the_papers_noise_fills_the_unit_hypercube() -> None:
    z = paper()._z(10_000, torch.Generator().manual_seed(0))
    assert z.shape == (10_000, 100)
    assert 0 <= z.min() < 0.001
    assert 0.999 < z.max() < 1
    assert z.mean().item() == pytest.approx(0.5, abs=0.005)


# Labels


def test_a_conditioned_network_is_one_of_input_and_one_hot_label() -> None:
    network = Conditioned(torch.nn.Linear(4, 3), torch.nn.Linear(5, 2), torch.nn.Linear(5, 1), 5)
    x, y = torch.randn(6, 4), torch.tensor([0, 4, 2, 2, 1, 3])
    a, b, c = linears(network)
    expected = (
        torch.cat([x @ a.weight.T + a.bias, one_hot(y, 5).float() @ b.weight.T + b.bias], 1) @ c.weight.T + c.bias
    )
    torch.testing.assert_close(network(x, y), expected)
    assert set(network.state_dict()) == {
        f"{part}.{p}" for part in ("of_input", "of_label", "joint") for p in ("weight", "bias")
    }


@pytest.mark.parametrize("loss", ["non-saturating", "minimax"])
def test_a_simultaneous_step_gives_both_players_the_batchs_labels(loss: str) -> None:
    """The gradients of D and G against those of the two losses by autograd, G(z|y) and x judged under the same y."""
    torch.manual_seed(0)
    model = ConditionalGAN(**{**SMALL, "loss": loss, "dropout_in": 0.0, "average": 0.0, "optimiser": "momentum"})  # type: ignore[arg-type]
    model.build(Space((1, 4, 4), 3), CPU)
    x, z, y = torch.rand(9, 1, 4, 4), torch.randn(9, 3), torch.arange(9) % 3
    real, fake = model.D_(x, y), model.D_(model.G_(z, y), y)
    ones, zeros = torch.ones(9), torch.zeros(9)
    d = (binary_cross_entropy_with_logits(real, ones) + binary_cross_entropy_with_logits(fake, zeros)) / 2
    g = binary_cross_entropy_with_logits(fake, ones)
    if loss == "minimax":
        g = -binary_cross_entropy_with_logits(fake, zeros)
    d_expected = torch.autograd.grad(d, list(model.D_.parameters()), retain_graph=True)
    g_expected = torch.autograd.grad(g, list(model.G_.parameters()))
    model._game().update_both(x, (y,), z)
    for network, gradients in ((model.D_, d_expected), (model.G_, g_expected)):
        for p, expected in zip(network.parameters(), gradients, strict=True):
            torch.testing.assert_close(p.grad, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("updates", ["simultaneous", "alternating"])
def test_extra_steps_of_d_judge_images_under_their_own_labels(updates: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every real image that D sees stands beside the label it has in the data; so does every generated one."""
    n = 60
    labels = torch.arange(n) % 3
    images = (labels / 2).view(n, 1, 1, 1).expand(n, 1, 2, 2).contiguous()  # an image tells its label
    split = Split(images, labels)
    seen = []
    judge = Game._judge_both

    def watched(self, x, fake, given):
        seen.append(torch.equal((2 * x[:, 0, 0, 0]).long(), given[0]))
        return judge(self, x, fake, given)

    monkeypatch.setattr(Game, "_judge_both", watched)
    model = ConditionalGAN(**{**SMALL, "updates": updates, "k": 3, "epochs": 1})  # type: ignore[arg-type]
    fitted(model, TrainingData(split, split, Space((1, 2, 2), 3)))
    assert seen == [True] * 9


def test_the_frequencies_of_labels_are_those_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_of((1, 8, 8), n=100)
    labels = torch.tensor([0] * 70 + [2] * 25 + [3] * 5)  # no 1, and 4 was never seen
    data = TrainingData(Split(data.train.images, labels), data.valid, Space((1, 8, 8), 5))
    model = fitted(ConditionalGAN(**SMALL), data)
    asked = []
    monkeypatch.setattr(model, "sample_class", lambda labels, generator: asked.append(labels))
    drawn(model, 100_000)
    shares = torch.bincount(asked[0], minlength=5) / 100_000
    torch.testing.assert_close(shares, torch.tensor([0.7, 0.0, 0.25, 0.05, 0.0]), atol=0.005, rtol=0)
    assert not shares[[1, 4]].any()


def test_one_class_alone() -> None:
    data = data_of((1, 4, 4))
    alone = Split(data.train.images, torch.zeros(60, dtype=torch.int64))
    data = TrainingData(alone, alone, dataclasses.replace(data.space, classes=1))
    check_samples(fitted(ConditionalGAN(**SMALL), data), data.space)


def test_the_same_noise_under_other_labels_gives_other_images() -> None:
    data = data_of((1, 8, 8))
    model = fitted(ConditionalGAN(**{**SMALL, "epochs": 150, "lr": 5e-3, "average": 0.9}), data)
    by_class = [model.sample_class(torch.full((50,), y), torch.Generator().manual_seed(0)) for y in range(3)]
    means = torch.stack([data.train.images[data.train.labels == y].mean(0) for y in range(3)])
    nearest = [[(x.mean(0) - mean).square().sum().item() for mean in means] for x in by_class]
    assert [row.index(min(row)) for row in nearest] == [0, 1, 2]


def test_features_are_of_the_image_alone() -> None:
    data = data_of((1, 8, 8))
    model = fitted(ConditionalGAN(**{**SMALL, "dropout": 0.5}), data)
    units = model.features(data.valid.images)
    assert units.shape == (20, 8)
    maxout = linears(model.D_.of_input)[0]
    maps = data.valid.images.flatten(1) @ maxout.weight.T + maxout.bias
    torch.testing.assert_close(units, maps.view(20, 8, 3).amax(2))


@pytest.mark.slow
def test_the_defaults_beat_the_gaussian_on_every_seed(tmp_path: Path) -> None:
    report = genbench.run(
        models="conditional-gan", metrics="parzen", reference="gaussian", target="valid", seeds=3, results=tmp_path
    )
    scores = {row.model: [score.value for score in row.scores] for row in report.boards[0].rows}
    assert all(ours > theirs for ours, theirs in zip(scores["conditional-gan"], scores["gaussian"], strict=True)), (
        scores
    )
