"""The generative stochastic network: the published recipe, its walk by hand, and its chain against exact enumeration."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from models import CPU, check_samples, data_of, drawn, fitted

import genbench
from genbench.api import Space
from genbench.registry.options import construct
from genbench.trial.training import TrainingRun
from genbench_plugins.models.gsn import GSN
from genbench_plugins.models.noise import salt_and_pepper

SMALL = {"hidden": (12, 8), "epochs": 2, "batch": 25, "chains": 5, "burn_in": 3, "thin": 2}
SILENT = {"noise": 0.0, "corruption": 0.0}


def preset(name: str, **options: object) -> GSN:
    return construct(GSN, {**GSN.presets[name], **options})  # type: ignore[no-any-return]


def random_weights(model: GSN, space: Space, scale: float = 0.5) -> GSN:
    torch.manual_seed(0)
    model.build(space, CPU)
    with torch.no_grad():
        for p in [*model.W_, *model.b_]:
            p.normal_(0, scale)
    return model


def arrays(model: GSN) -> tuple[list[np.ndarray], list[np.ndarray]]:
    W, b = ([p.detach().double().numpy() for p in parameters] for parameters in (model.W_, model.b_))
    return W, b


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


@pytest.mark.parametrize(
    "options",
    [{"hidden": (6,)}, {"hidden": (6, 5, 4)}, {"noisy": "hidden"}, {"optimiser": "momentum", "lr": 0.1}, {"walkback": 1},
     {"sample_as": "draws"}, {"start": "training-images"}, {"start": "training-images", "chains": 70}, {"burn_in": 0}, SILENT],
    ids=str,
)  # fmt: skip
def test_every_option_trains(options: dict[str, object]) -> None:
    data = data_of((2, 3, 4), bounds=(-1.0, 3.0))
    model = fitted(GSN(**{**SMALL, **options}), data)
    check_samples(model, data.space)
    if model.sample_as == "draws":
        assert set(drawn(model, 50).unique().tolist()) == {-1.0, 3.0}


# The published recipe


def test_the_published_network() -> None:
    model = preset("paper")
    model.build(Space((1, 28, 28)), CPU)
    assert sum(p.numel() for p in [*model.W_, *model.b_]) == 784 * 1500 + 1500 * 1500 + 784 + 3000
    for W, bound, mean in zip(model.W_, (0.05125, 0.0447), (0.0256, 0.0224), strict=True):
        assert W.abs().max().item() == pytest.approx(bound, rel=2e-3)
        assert W.abs().mean().item() == pytest.approx(mean, rel=5e-3)
    assert not any(b.any() for b in model.b_)


def test_the_published_optimiser() -> None:
    """m <- .5 m + .5 g from m = 0, θ <- θ - lr m; lr .25, times .995 after each epoch."""
    model = preset("paper", hidden=(3,), epochs=3, batch=60, **SILENT, walkback=1)
    data = data_of((1, 2, 2))
    model.build(data.space, CPU)
    rates, expected, m = [], [p.detach().clone() for p in model.W_], torch.zeros(4, 3)
    step = model.optimiser_.step

    def watched() -> None:
        nonlocal m
        rates.append(model.optimiser_.param_groups[0]["lr"])
        m = 0.5 * m + 0.5 * model.W_[0].grad
        expected[0] -= rates[-1] * m
        step()

    model.optimiser_.step = watched  # type: ignore[method-assign]
    model.fit(data, TrainingRun(0, CPU))
    assert rates == pytest.approx([0.25, 0.25 * 0.995, 0.25 * 0.995**2])
    torch.testing.assert_close(model.W_[0].detach(), expected[0])


def test_salt_and_pepper_replaces_a_share_by_either_at_even_odds() -> None:
    x = torch.full((1000, 300), 0.3)
    out = salt_and_pepper(x, 0.4, torch.Generator().manual_seed(0))
    for value, share in ((0.0, 0.2), (1.0, 0.2), (x[0, 0].item(), 0.6)):
        assert (out == value).double().mean().item() == pytest.approx(share, abs=0.004)
    assert torch.equal(salt_and_pepper(x, 0.0, torch.Generator()), x)
    assert set(salt_and_pepper(x, 1.0, torch.Generator()).unique().tolist()) == {0.0, 1.0}


# The walk


def test_the_walk_by_hand_odd_layers_first_then_even_ones() -> None:
    """Three hidden layers without noise; the visible layer's biases leave it no choice but a known pattern."""
    model = random_weights(GSN(hidden=(4, 3, 2), walkback=3, **SILENT), Space((1, 1, 5)))
    pattern = np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    with torch.no_grad():
        model.b_[0].copy_(torch.from_numpy(200 * pattern - 100))
    x = torch.rand(7, 5)
    (W1, W2, W3), (b0, b1, b2, b3) = arrays(model)
    v, h2 = x.double().numpy(), np.zeros((7, 3))
    expected = []
    for _ in range(3):
        h1, h3 = np.tanh(b1 + v @ W1 + h2 @ W2.T), np.tanh(b3 + h2 @ W3)
        expected.append(b0 + h1 @ W1.T)
        v, h2 = np.tile(pattern, (7, 1)), np.tanh(b2 + h1 @ W2 + h3 @ W3.T)
    for logits, by_hand in zip(model._walk(x, torch.Generator()), expected, strict=True):
        np.testing.assert_allclose(logits.detach().numpy(), by_hand, rtol=1e-5, atol=1e-5)


def test_the_loss_is_the_summed_cross_entropy_against_the_clean_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient that the optimiser is handed, against finite differences of the loss by hand: tied weights, two steps."""
    options = {"hidden": (3, 2), "walkback": 2, "epochs": 1, "batch": 60, **SILENT}
    data = data_of((1, 1, 4))
    model = random_weights(GSN(**options), data.space)
    pattern = np.array([1.0, 0.0, 1.0, 0.0])
    with torch.no_grad():
        model.b_[0].copy_(torch.from_numpy(80 * pattern - 40))
    (W1, W2), (b0, b1, b2) = arrays(model)
    x = data.train.images.flatten(1).double().numpy()

    def loss(W1: np.ndarray, W2: np.ndarray) -> float:
        h1 = np.tanh(b1 + x @ W1)
        h1_next = np.tanh(b1 + pattern @ W1 + np.tanh(b2 + h1 @ W2) @ W2.T)
        both = [b0 + h @ W1.T for h in (h1, h1_next)]
        return sum(float((np.logaddexp(0, a) - x * a).mean()) for a in both)

    monkeypatch.setattr(model.optimiser_, "step", lambda: None)
    model.fit(data, TrainingRun(0, CPU))
    for which, W in enumerate((W1, W2)):
        for place in np.ndindex(W.shape):
            nudge = np.zeros_like(W)
            nudge[place] = 1e-5
            up, down = ([W1, W2] for _ in range(2))
            up[which], down[which] = W + nudge, W - nudge
            slope = (loss(*up) - loss(*down)) / 2e-5
            assert model.W_[which].grad[place].item() == pytest.approx(slope, abs=2e-5, rel=1e-3)


@pytest.mark.parametrize(("noisy", "loud"), [("top", [False, True]), ("hidden", [True, True])])
def test_noise_is_added_before_and_after_tanh(noisy: str, loud: list[bool]) -> None:
    """tanh(b + ε) + ε': moments by quadrature; layers without noise are tanh(b) to the bit."""
    model = GSN(hidden=(3, 3), noise=0.7, noisy=noisy)  # type: ignore[arg-type]
    model.build(Space((1, 1, 2)), CPU)
    with torch.no_grad():
        for W, b in zip(model.W_, list(model.b_)[1:], strict=True):
            W.zero_()
            b.fill_(0.6)
    h = model._state(torch.zeros(200_000, 2))
    generator = torch.Generator().manual_seed(0)
    model._update_odd(h, generator)
    model._update_even(h, model._input(h, 0), generator)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    t, w = np.tanh(0.6 + 0.7 * nodes), weights / weights.sum()
    mean, variance = (w * t).sum(), (w * t**2).sum() - (w * t).sum() ** 2 + 0.7**2
    for layer, noisy_layer in zip(h[1:], loud, strict=True):
        if noisy_layer:
            assert layer.mean().item() == pytest.approx(mean, abs=0.005)
            assert layer.var().item() == pytest.approx(variance, rel=0.01)
            assert abs(torch.corrcoef(layer.T)[0, 1].item()) < 0.01
        else:
            assert torch.equal(layer, torch.full_like(layer, 0.6).tanh())


# The chain


def exact(model: GSN) -> tuple[np.ndarray, np.ndarray]:
    """Return each state of three pixels and its probability under the chain, by enumeration: one silent hidden layer."""
    (W,), (b, c) = arrays(model)
    x = np.array(list(itertools.product([0.0, 1.0], repeat=3)))
    p = sigmoid(b + np.tanh(c + x @ W) @ W.T)  # (8, 3) of the next image
    corrupted = (1 - model.corruption) * p + model.corruption / 2

    def of_patterns(q: np.ndarray) -> np.ndarray:
        return np.prod(np.where(x[None] == 1, q[:, None], 1 - q[:, None]), 2)  # (8, 8)

    values, vectors = np.linalg.eig(of_patterns(corrupted).T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    return p, stationary / stationary.sum() @ of_patterns(p)


@pytest.mark.parametrize("sample_as", ["draws", "means"])
def test_samples_come_from_the_chains_stationary_distribution(sample_as: str) -> None:
    options = {"hidden": (4,), "noise": 0.0, "corruption": 0.2, "chains": 2000, "burn_in": 50, "thin": 3}
    model = random_weights(GSN(**options, sample_as=sample_as), Space((1, 1, 3)), 1.5)  # type: ignore[arg-type]
    means, distribution = exact(model)
    assert distribution.max() > 0.2  # far from uniform: the test can fail
    x = drawn(model, 100_000).flatten(1)
    if sample_as == "draws":
        counts = torch.bincount((x @ torch.tensor([4.0, 2.0, 1.0])).long(), minlength=8) / len(x)
        np.testing.assert_allclose(counts.numpy(), distribution, atol=0.006)
    else:
        assert (torch.cdist(x.double(), torch.from_numpy(means)).min(1).values < 1e-5).all()
        patterns = np.array(list(itertools.product([0.0, 1.0], repeat=3)))
        np.testing.assert_allclose(x.mean(0).numpy(), distribution @ patterns, atol=0.006)


def test_sample_i_belongs_to_chain_i_modulo_chains_and_starts_are_collected() -> None:
    data = data_of((1, 3, 3))
    model = fitted(GSN(**{**SMALL, **SILENT, "start": "training-images", "chains": 4, "burn_in": 0, "thin": 1}), data)
    x = drawn(model, 8)
    assert torch.equal(x[:4], data.train.images[:4])
    torch.testing.assert_close(x[4:], model.reconstruct(data.train.images[:4]))


def test_the_legacy_sampler_is_one_chain_from_a_training_image_which_it_collects() -> None:
    """Without noise each expectation is known from the image drawn before: here, by biases that leave no choice."""
    data = data_of((1, 2, 2))
    model = preset("legacy", hidden=(3,), epochs=1, batch=60, **SILENT)
    fitted(model, data)
    with torch.no_grad():
        model.b_[0].copy_(torch.tensor([40.0, -40.0, 40.0, -40.0]))
    x = drawn(model, 5)
    assert torch.equal(x[0], data.train.images[0])
    stays = torch.tensor([1.0, 0.0, 1.0, 0.0]).view(1, 1, 2, 2).expand(4, -1, -1, -1)
    torch.testing.assert_close(x[1:], stays, atol=1e-6, rtol=0)
    assert (model.chains, model.burn_in, model.thin, model.samples_are) == (1, 0, 1, "means")


@pytest.mark.parametrize("start", ["noise", "training-images"])
def test_the_first_samples_do_not_depend_on_how_many_are_drawn(start: str) -> None:
    data = data_of((1, 4, 4))
    model = fitted(GSN(**{**SMALL, "start": start}), data)
    many = drawn(model, 53)
    for n in (1, 5, 6, 52):
        assert torch.equal(drawn(model, n), many[:n])


# Codes


def test_codes_by_hand() -> None:
    model = random_weights(GSN(hidden=(4, 3)), Space((1, 2, 3), bounds=(-1.0, 1.0)))
    x = torch.rand(5, 1, 2, 3) * 2 - 1
    (W1, W2), (b0, b1, b2) = arrays(model)
    h1 = np.tanh(b1 + (x.flatten(1).double().numpy() + 1) / 2 @ W1)
    np.testing.assert_allclose(model.encode(x), h1, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.features(x), np.hstack([h1, np.tanh(b2 + h1 @ W2)]), rtol=1e-5, atol=1e-6)
    by_hand = 2 * sigmoid(b0 + h1 @ W1.T).reshape(5, 1, 2, 3) - 1
    np.testing.assert_allclose(model.reconstruct(x), by_hand, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_the_defaults_beat_the_gaussian_on_every_seed(tmp_path: Path) -> None:
    report = genbench.run(
        models="gsn", metrics="parzen", reference="gaussian", target="valid", seeds=3, results=tmp_path
    )
    scores = {row.model: [score.value for score in row.scores] for row in report.boards[0].rows}
    assert all(ours > theirs for ours, theirs in zip(scores["gsn"], scores["gaussian"], strict=True)), scores
