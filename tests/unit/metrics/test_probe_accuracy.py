"""The accuracy of linear probes: features of the class alone and of noise, and scikit-learn called directly."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import one_hot

from genbench import Model, Score, Space, Split
from genbench.data.cache import prepare
from genbench.data.folders import cache_folder
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.testing.scoring import Images
from genbench.trial.evaluation import Shared, TrialEvaluation
from genbench_plugins.metrics.linear_probe import balanced
from genbench_plugins.metrics.probe_accuracy import ProbeAccuracy

CPU = torch.device("cpu")


class Untrained(Model):
    """A model that has nothing but what a test gives it."""

    def build(self, space: object, device: object) -> None:
        """Need nothing."""

    def fit(self, data: object, run: object) -> None:
        """Learn nothing."""

    def sample(self, n: int, generator: object) -> Tensor:
        """Fail: a probe needs no samples."""
        raise AssertionError("a probe was given samples")


def model_of(**abilities: Callable[[Tensor], Tensor]) -> Model:
    return type("Able", (Untrained,), {name: staticmethod(does) for name, does in abilities.items()})()  # type: ignore[no-any-return]


def parity(x: Tensor) -> Tensor:
    """Return the class of each image: whether its first two pixels lie on the same side, which no line separates."""
    return ((x[:, 0, 0, 0] > 0.5) ^ (x[:, 0, 0, 1] > 0.5)).long()


def of_parity(n: int, seed: int) -> Split[Tensor]:
    x = torch.rand(n, 1, 2, 3, generator=torch.Generator().manual_seed(seed))
    return Split(x, parity(x))


def parities() -> Images:
    return Images(
        Space((1, 2, 3), 2), {"train": of_parity(400, 0), "valid": of_parity(300, 1), "test": of_parity(900, 2)}
    )


def digits() -> Images:
    resolved = Resolver(load_registry(), cache_folder()).resolve("dataset", "digits")
    data = prepare(resolved.instantiate(), resolved.identity)
    return Images(data.space, {name: data.split(name) for name in ("train", "valid", "test")})  # type: ignore[arg-type]


def evaluation(images: Images, model: Model, seed: int = 0) -> TrialEvaluation:
    return TrialEvaluation(Shared(images, CPU, lambda n: torch.zeros(n), lambda: model), "test", seed, "p")


def score(images: Images, model: Model, seed: int = 0, **options: object) -> Score:
    on, metric = evaluation(images, model, seed), ProbeAccuracy(**options)  # type: ignore[arg-type]
    assert metric.skip(on) is None
    return metric.evaluate(on)


# Features of which all is known


@pytest.mark.parametrize("labels", [0, 2, 40])
def test_features_that_are_the_class_are_always_right_where_pixels_are_not(labels: int) -> None:
    found = score(parities(), model_of(features=lambda x: one_hot(parity(x), 2).float()), labels=labels)
    assert found.value == 1
    assert found.stderr == 0
    assert 0.4 < found.extras["pixels"] < 0.6
    assert 0.4 < found.extras["pca"] < 0.6
    assert found.extras["width"] == 2


def test_features_of_noise_are_at_chance() -> None:
    found = score(parities(), model_of(encode=lambda x: (1e5 * x.flatten(1)).sin()), labels=100, draws=10)
    assert abs(found.value - 0.5) < 4 * found.stderr
    assert 0.005 < found.stderr < 0.03


def test_a_turned_and_stretched_copy_of_the_pixels_is_worth_the_pixels() -> None:
    turn = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(0))).Q
    found = score(digits(), model_of(features=lambda x: 7 * x.flatten(1) @ turn + 3), draws=2)
    assert found.extras["pixels"] > 0.8
    assert found.value == pytest.approx(found.extras["pixels"], abs=0.003)
    assert found.extras["pca"] == pytest.approx(found.extras["pixels"], abs=0.003)


# scikit-learn called directly


def by_hand(rows: dict[str, np.ndarray], labels: dict[str, np.ndarray]) -> float:
    """Return the test accuracy of scikit-learn's regression of all training rows, C chosen by validation."""
    x = {name: values.astype(np.float64) - rows["train"].mean(0, dtype=np.float64) for name, values in rows.items()}
    unit = {name: values / np.sqrt((x["train"] ** 2).sum(1).mean()) for name, values in x.items()}
    fits = [LogisticRegression(C=c, max_iter=1000).fit(unit["train"], labels["train"]) for c in (1, 10, 100, 1000)]
    scores = [fit.score(unit["valid"], labels["valid"]) for fit in fits]
    return float(fits[int(np.argmax(scores))].score(unit["test"], labels["test"]))


def test_pixels_and_components_against_scikit_learn() -> None:
    images = digits()
    found = score(images, model_of(features=lambda x: x.flatten(1)[:, :12]), labels=0)
    pixels = {name: split.images.flatten(1).numpy() for name, split in images.splits.items()}
    labels = {name: split.labels.numpy() for name, split in images.splits.items()}  # type: ignore[union-attr]
    components = PCA(12).fit(pixels["train"].astype(np.float64))
    assert found.extras["pixels"] == by_hand(pixels, labels)
    assert found.value == by_hand({name: x[:, :12] for name, x in pixels.items()}, labels)
    reduced = {name: components.transform(x.astype(np.float64)) for name, x in pixels.items()}
    assert found.extras["pca"] == pytest.approx(by_hand(reduced, labels), abs=0.003)
    p = found.value
    assert found.stderr == pytest.approx((p * (1 - p) / 500) ** 0.5)
    assert found.per_example is not None
    assert found.per_example.mean().item() == pytest.approx(p)


def test_more_labels_are_better_and_seeds_draw_others() -> None:
    images, model = digits(), model_of(features=lambda x: x.flatten(1))
    few, many = (score(images, model, labels=n, draws=2).value for n in (20, 500))
    assert few + 0.1 < many
    assert score(images, model, labels=20, draws=2).value == few
    assert score(images, model, seed=1, labels=20, draws=2).value != few


# The labelled images


def test_labelled_images_are_balanced_and_drawn_anew() -> None:
    labels = torch.tensor([0] * 50 + [1] * 4 + [3] * 30)
    stream = torch.Generator().manual_seed(0)
    for count, expected in ((3, (1, 1, 0, 1)), (12, (4, 4, 0, 4)), (24, (10, 4, 0, 10)), (84, (50, 4, 0, 30))):
        rows = balanced(labels, count, stream)
        assert len(rows.unique()) == count
        assert torch.bincount(labels[rows], minlength=4).tolist() == list(expected)
    assert not torch.equal(balanced(labels, 12, stream), balanced(labels, 12, stream))
    assert balanced(labels, 0, stream).tolist() == list(range(84))


def test_what_is_left_over_goes_to_random_classes() -> None:
    stream = torch.Generator().manual_seed(0)
    labels = torch.arange(30) % 3
    extra = [torch.bincount(labels[balanced(labels, 7, stream)]).argmax().item() for _ in range(30)]
    assert set(extra) == {0, 1, 2}


# What cannot be scored


def without_labels() -> Images:
    images = parities()
    splits = {name: Split(split.images) for name, split in images.splits.items()}
    return Images(Space((1, 2, 3)), splits)


@pytest.mark.parametrize(
    ("images", "abilities", "options", "reason"),
    [
        (parities, {}, {}, "the model has no features(x) or encode(x) for a probe to stand on"),
        (parities, {"encode": torch.flatten}, {"of": "features"}, "the model has no features(x) for a probe"),
        (parities, {"features": torch.flatten}, {"of": "encode"}, "the model has no encode(x) for a probe"),
        (without_labels, {"encode": torch.flatten}, {}, "the images have no labels"),
        (parities, {"encode": torch.flatten}, {"labels": 1}, "1 labelled images are too few for 2 classes; give labels=2"),
        (parities, {"encode": torch.flatten}, {"labels": 401}, "401 labelled images are asked for, and there are 400"),
    ],
)  # fmt: skip
def test_what_cannot_be_scored_gets_a_reason(
    images: Callable[[], Images],
    abilities: dict[str, Callable[[Tensor], Tensor]],
    options: dict[str, object],
    reason: str,
) -> None:
    said = ProbeAccuracy(**options).skip(evaluation(images(), model_of(**abilities)))  # type: ignore[arg-type]
    assert said is not None
    assert said.startswith(reason)


def test_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="features of images are not finite; expected finite numbers"):
        score(parities(), model_of(features=lambda x: x.flatten(1) / 0))
