"""Metrics of features: what each says of sample sets whose answer is known, and how their names and protocols read."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import genbench
from genbench import Split, defaults
from genbench.cli import main
from genbench.errors import GenbenchError
from genbench.registry.extractors import with_extractor
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.runs import planning
from genbench.runs.settings import RunSettings
from genbench.testing import subject
from genbench.testing.fixtures import Fixtures
from genbench.testing.scoring import Scoring
from genbench.trial.identity import Target
from genbench.trial.protocol import Protocol
from genbench_plugins.metrics.features import some
from genbench_plugins.metrics.ms_ssim import disjoint_pairs

OF_FEATURES = ("fid", "kid", "precision", "recall", "density", "coverage", "prd", "memorisation")


def scoring(metric: str, count: int | None = None, dataset: str = "digits") -> Scoring:
    return Scoring(Fixtures(subject.find(metric, "metric"), dataset), count)


def target(on: Scoring) -> Tensor:
    return on.images().splits["test"].images


# Sample sets whose score is known


def test_equal_sets_are_at_no_distance() -> None:
    on = scoring("fid[pixels]", 250)
    score = on.score(target(on))
    assert abs(score.value) < 1e-6
    assert score.extras["train_gap"] < 0  # nearer to test than to train


@pytest.mark.parametrize("metric", ["precision", "recall", "coverage"])
def test_equal_sets_lie_in_each_other(metric: str) -> None:
    on = scoring(f"{metric}[pixels]", 250)
    assert on.score(target(on)).value == 1
    assert on.score(target(on).flip(0)).value == 1


def test_far_samples_lie_nowhere() -> None:
    for metric in ("precision", "density"):
        on = scoring(f"{metric}[pixels]", 250)
        assert on.score(1 - target(on)).value == 0


def test_one_image_repeated_is_precise_and_recalls_nothing() -> None:
    values = {}
    for metric in ("precision", "recall", "density", "coverage"):
        on = scoring(f"{metric}[pixels]", 250)
        values[metric] = on.score(target(on)[:1].repeat(250, 1, 1, 1)).value
    assert values["precision"] == 1
    assert values["recall"] <= 1 / 250
    assert values["coverage"] < 0.1


def test_a_model_that_copies_training_images_is_nearer_to_them() -> None:
    on = scoring("fid[pixels]", 1000)
    train = on.images().splits["train"].images
    assert on.score(train).extras["train_gap"] > abs(
        scoring("fid[pixels]", 250).score(on.real[:250]).extras["train_gap"]
    )


def test_the_distance_to_training_images_can_be_asked_for() -> None:
    on = scoring("fid[pixels,against=train]", 1000)
    assert on.score(on.images().splits["train"].images).value < 1e-6


def test_extrapolation_takes_off_the_bias() -> None:
    """Fresh images are at some distance, since there are few; at infinity they would be nearer."""
    on = scoring("fid[pixels,at_infinity=true]", 250)
    score = on.score(on.real)
    assert score.value < score.extras["all_samples"]


def test_kid_of_fresh_images_is_nought_within_its_error() -> None:
    on = scoring("kid[pixels]", 250)
    score = on.score(on.real)
    assert score.stderr is not None
    assert abs(score.value) < 4 * score.stderr


@pytest.mark.parametrize("extractor", ["pixels", "random"])
@pytest.mark.parametrize("amount", [0.0, 0.02])
def test_copies_are_called_so_and_fresh_images_are_not(extractor: str, amount: float) -> None:
    on = scoring(f"memorisation[{extractor}]", 250)
    train = on.images().splits["train"].images[:250]
    noise = amount * torch.randn(train.shape, generator=torch.Generator().manual_seed(0))
    assert on.score((train + noise).clamp(0, 1)).value > 5
    assert abs(on.score(on.real).value) < 3


@pytest.mark.slow
def test_copies_moved_by_a_pixel_are_called_so(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of MNIST's images, where a pixel is half a stroke: features of their own classes tell better than pixels."""
    monkeypatch.setenv("GENBENCH_DATA", str(real_data))
    fixtures = Fixtures(subject.find("memorisation[domain]", "metric"), "mnist")
    on, test = Scoring(fixtures, 1000), fixtures.split("test").images
    real = on.images()
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))  # its halves are of other writers
    real.splits["test"] = Split(test[chosen[:2000]], None)
    copies = real.splits["train"].images[:1000]
    moved = copies.roll(1, dims=3)
    moved[..., 0] = 0
    exact, shifted, fresh = (on.score(x, real) for x in (copies, moved, test[chosen[2000:3000]]))
    assert exact.extras["pixels"] > 20 < exact.extras["features"]
    assert shifted.value == shifted.extras["features"] > 5
    assert shifted.extras["pixels"] < shifted.extras["features"] / 2
    assert fresh.value < 3


@pytest.mark.slow
def test_fresh_images_of_few_classes_are_no_copies(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of MNIST's: the densest class alone, and nine of ten from it, which lie nearer to training images than most."""
    monkeypatch.setenv("GENBENCH_DATA", str(real_data))
    fixtures = Fixtures(subject.find("memorisation[pixels]", "metric"), "mnist")
    on, test = Scoring(fixtures, 400), fixtures.split("test")
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
    real = on.images()
    real.splits["test"] = Split(test.images[chosen[:3000]], None)
    assert test.labels is not None
    rest, labels = test.images[chosen[3000:]], test.labels[chosen[3000:]]
    ones, eights = rest[labels == 1], rest[labels == 8]
    mixed = torch.cat([ones[:360], eights[:40]])
    for fresh in (ones[:400], eights[:400], mixed):
        assert on.score(fresh, real).value <= 3
    copies = real.splits["train"].images[:120]
    assert on.score(torch.cat([ones[:280], copies]), real).value > 5


def test_missing_classes_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Real images of three classes, given as samples: the other seven are told under the table."""
    test = Fixtures(subject.find("mode-coverage", "metric")).split("test")
    assert test.labels is not None
    np.save(tmp_path / "few.npy", test.images[test.labels < 3].numpy())
    arguments = ["few=" + str(tmp_path / "few.npy"), "--metric", "mode-coverage", "--reference", "none"]
    assert main(["evaluate", *arguments, "--results", str(tmp_path / "results")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "few s0: collapsed: it misses the classes 3, 4, 5, 6, 7, 8, 9" in told
    assert "classes hit: few 3; classes: few 10" in told


def test_samples_of_one_class_are_as_far_as_that_class_is_rare() -> None:
    """Of real images three in four are of class 0: all samples of it are near, and all of another are far."""
    fixtures = Fixtures(subject.find("mode-coverage", "metric"))
    images = fixtures.split("test").images
    seen = fixtures.of_metric.logits(images).argmax(1)  # type: ignore[attr-defined]
    often, seldom = (images[(seen == c).nonzero()[:n, 0]] for c, n in ((0, 24), (1, 8)))
    on = Scoring(fixtures, 40)
    real = on.images()
    real.splits["test"] = Split(torch.cat([often, seldom]), None)
    for share, part in ((25 / 42, often), (9 / 42, seldom)):  # of 32 images, and 1 for each of 10 classes
        repeated = part[torch.arange(40) % len(part)]
        assert on.score(repeated, real).value == pytest.approx(-math.log(share), abs=1e-6)


# Names and protocols


@pytest.mark.parametrize(
    ("space", "name"),
    [
        (genbench.Space((1, 8, 8), 10), "domain"),
        (genbench.Space((1, 8, 8)), "random"),
        (genbench.Space((3, 32, 32), 10), "inception"),
        (genbench.Space((3, 32, 32)), "inception"),
        (genbench.Space((3, 16, 32), 4), "domain"),
        (genbench.Space((3, 32, 32), 10, (-1.0, 1.0)), "domain"),
        (genbench.Space((4, 32, 32)), "random"),
    ],
)
def test_the_data_choose_the_extractor(space: genbench.Space, name: str) -> None:
    assert defaults.extractor(space) == name


def protocol(text: str, digest: str = "d" * 64, target: Target = "test") -> Protocol:
    resolver, space = Resolver(load_registry()), genbench.Space((1, 8, 8))
    return Protocol(with_extractor(resolver, resolver.resolve("metric", text), space, digest), digest, target)


def test_the_extractor_stands_in_the_name_and_in_the_words() -> None:
    found = protocol("fid")
    assert found.metric.label == "fid[random]"
    assert "features of random" in found.in_words()
    assert found.id == protocol("fid[random]").id == protocol("fid[extractor=random]").id


def test_other_extractors_counts_and_data_are_other_protocols() -> None:
    ids = {protocol(text).id for text in ("fid", "fid[pixels]", "fid[samples=500]", "kid", "fid[at_infinity=true]")}
    assert len(ids | {protocol("fid", "e" * 64).id}) == 6


@pytest.mark.parametrize(
    ("text", "is_its_own"),
    [("fid", True), ("kid", True), ("fid[against=train]", False), ("fid[against=train+valid]", False)],
)
def test_the_split_scored_against_is_part_of_a_protocol_that_uses_it(text: str, is_its_own: bool) -> None:
    test, valid = protocol(text), protocol(text, target="valid")
    assert (test.id != valid.id) == is_its_own
    assert ("scored against the test split" in test.in_words()) == is_its_own
    assert ("scored against the valid split" in valid.in_words()) == is_its_own


def test_an_extractor_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(GenbenchError, match="unknown extractor 'randon'. Did you mean random"):
        protocol("fid[randon]")


@pytest.fixture
def colours(tmp_path: Path) -> str:
    """Images without labels, few and small: `random` suits them."""
    rng = np.random.default_rng(0)
    splits = {f"x_{split}": rng.integers(0, 256, (n, 6, 5), np.uint8) for split, n in (("train", 60), ("test", 20))}
    np.savez(tmp_path / "mine.npz", **splits)
    return f"npz:{tmp_path / 'mine.npz'}"


def test_all_metrics_of_features_on_ones_own_images(colours: str, tmp_path: Path) -> None:
    """Fewer images than features, no labels, an extractor without classes: numbers, or a reason; never NaN."""
    metrics = [*OF_FEATURES, "ms-ssim", "is", "mode-coverage"]
    report = genbench.run(
        models="gaussian", metrics=metrics, datasets=colours, samples=40, seeds=2, reference="none", results=tmp_path
    )
    rows = {board.metric.label: board.rows[0] for board in report.boards}
    assert all(f"{name}[random]" in label for name, label in zip(metrics, rows, strict=True) if "samples" not in label)
    for label, row in rows.items():
        if label.startswith(("is", "mode-coverage")):
            assert row.values == []
            assert row.statuses == {"skipped": 2}
        else:
            assert all(math.isfinite(value) for value in row.values)
            assert len(row.values) == 2


def test_a_metric_asked_for_later_trains_nothing(colours: str, tmp_path: Path) -> None:
    request = {"models": "gaussian", "datasets": colours, "samples": 40, "seeds": 2, "reference": "none", "results": tmp_path}  # fmt: skip
    genbench.run(metrics="fid", **request)  # type: ignore[arg-type]
    (model,) = {path.stat().st_mtime_ns for path in tmp_path.glob("trials/*s0*/model.safetensors")}
    genbench.run(metrics="fid,kid", **request)  # type: ignore[arg-type]
    assert {path.stat().st_mtime_ns for path in tmp_path.glob("trials/*s0*/model.safetensors")} == {model}


# Equal numbers


def test_repeated_samples_are_taken_as_often_as_they_come() -> None:
    """Of 400 images given ten times each, as many are taken as there are to be compared with: nearly all differ."""
    on = scoring("recall[pixels]", 4000)
    repeated = on.images().splits["train"].images[:400].repeat(10, 1, 1, 1)
    assert on.score(repeated).value > 0.5


def test_rows_are_taken_at_random() -> None:
    rows = torch.arange(1000.0)
    assert some(rows, 100, torch.Generator().manual_seed(0)).mean().item() == pytest.approx(500, abs=100)
    assert torch.equal(some(rows, 1000, torch.Generator()).sort().values, rows)


def test_pairs_are_of_one_class_and_use_each_example_once() -> None:
    labels = torch.tensor([0, 1, 0, 1, 0, 2, 1, 1, 0])
    i, j = disjoint_pairs(labels, torch.Generator().manual_seed(0))
    assert torch.equal(labels[i], labels[j])
    used = torch.cat([i, j]).tolist()
    assert len(used) == len(set(used)) == 8
    with pytest.raises(ValueError, match="3 images, no two of one class"):
        disjoint_pairs(torch.arange(3), torch.Generator())


def test_all_stands_for_every_metric_of_images(toy: str) -> None:
    planned = planning.plan(RunSettings("gaussian", "all", reference="none"))
    names = {metric.name for metric in planned.grid.datasets[0].metrics}
    assert names >= {*OF_FEATURES, "ms-ssim", "is", "mode-coverage", "parzen", "brightness"}
    assert not names & {"jsd", "discriminator-gap"}
