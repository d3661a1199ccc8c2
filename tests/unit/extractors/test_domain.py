"""The domain classifier: its shipped weights are as good as they are said to be, and local ones are trained once."""

import shutil
from pathlib import Path

import pytest
import torch

from genbench import DataError, Space, Split, TrainingData, Unsupported
from genbench.data.cache import Prepared, prepare
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.testing.made_images import made, training_data
from genbench.trial.torch_state import known_state
from genbench_plugins.extractors import classifier, domain, shipped
from genbench_plugins.extractors.domain import Domain

LEAST = {"digits": 0.97, "mnist": 0.99}
SPACE = Space((1, 8, 8), classes=3)


def dataset(name: str) -> Prepared:
    resolved = Resolver(load_registry(), None).resolve("dataset", name)
    return prepare(resolved.instantiate(), resolved.identity)


def ready(data: TrainingData, digest: str, cache: Path) -> Domain:
    extractor = Domain()
    extractor.bind(data.space, digest)
    extractor.prepare(data, cache / "originals", cache)
    return extractor


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make training brief; return a list that has an entry for each time that something was trained."""
    times: list[int] = []

    def counted(data: TrainingData) -> classifier.Classifier:
        times.append(len(data.train))
        return trained(data)

    trained = classifier.trained
    monkeypatch.setattr(classifier, "STEPS", 20)
    monkeypatch.setattr(domain, "trained", counted)
    return times


# Shipped weights ---------------------------------------------------------------------------------------------------------


def test_every_shipped_file_is_in_the_manifest_and_small() -> None:
    listed = shipped.manifest()
    assert {weights.path for weights in listed.values()} == set(shipped.FOLDER.glob("*.safetensors"))
    assert set(listed) == set(LEAST)
    for name, weights in listed.items():
        assert weights.path.stat().st_size < 600_000
        assert weights.recipe == classifier.RECIPE  # one that changed has to be run again
        assert weights.accuracy >= LEAST[name]
        assert weights.tensors()["head.bias"].dtype == torch.float32


def recognised(name: str) -> None:
    """Look at the test images of a dataset with its shipped weights."""
    data, weights = dataset(name), shipped.manifest()[name]
    test = data.split("test")
    assert data.digest == weights.dataset
    extractor = ready(TrainingData(data.split("train"), data.split("valid"), data.space), data.digest, Path("none"))
    right = (torch.cat([extractor.logits(part) for part in test.images.split(1000)]).argmax(1) == test.labels).float()
    assert right.double().mean().item() == pytest.approx(weights.accuracy, abs=2 / len(right))  # ties may round apart
    assert extractor.digest == weights.sha256
    assert extractor.describe() == f"shipped classifier of {name}, {weights.accuracy:.2%} of test images right"
    features = extractor.features(test.images[:300])
    assert features.shape == (300, classifier.WIDTH)
    apart = torch.cat([extractor.features(part) for part in test.images[:300].split(7)])
    torch.testing.assert_close(apart, features, rtol=1e-5, atol=1e-5)


def test_digits_are_recognised_as_said(brief: list[int]) -> None:
    recognised("digits")
    assert brief == []


def test_mnist_is_recognised_as_said(real_data: Path, monkeypatch: pytest.MonkeyPatch, brief: list[int]) -> None:
    monkeypatch.setenv("GENBENCH_DATA", str(real_data))
    recognised("mnist")
    assert brief == []


def test_damaged_shipped_weights_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(shipped.FOLDER, tmp_path / "weights")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "weights")
    weights = shipped.manifest()["digits"]
    content = bytearray(weights.path.read_bytes())
    content[-1] ^= 1
    weights.path.write_bytes(content)
    with pytest.raises(DataError, match=r"digits.safetensors is damaged: SHA-256 .* Install genbench anew"):
        weights.tensors()
    weights.path.unlink()
    with pytest.raises(
        DataError, match=r"digits.safetensors: No such file or directory; expected weights. Install genbench anew"
    ):
        weights.tensors()


@pytest.mark.slow
def test_the_recipe_makes_what_is_shipped() -> None:
    data = dataset("digits")
    with known_state(strict=True, threads=1):
        found = classifier.trained(TrainingData(data.split("train"), data.split("valid"), data.space))
    assert classifier.accuracy(found, data.split("test")) >= LEAST["digits"]
    theirs = shipped.manifest()["digits"].tensors()
    assert {name: tensor.shape for name, tensor in found.state_dict().items()} == {
        name: tensor.shape for name, tensor in theirs.items()
    }


# Local weights -----------------------------------------------------------------------------------------------------------


def test_local_weights_are_trained_once_and_alike(tmp_path: Path, brief: list[int]) -> None:
    data = training_data(SPACE)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one = ready(data, "other", tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    again = ready(data, "other", tmp_path)
    assert brief == [60]
    elsewhere = ready(data, "other", tmp_path / "elsewhere")
    another = ready(data, "another", tmp_path)
    assert len(brief) == 3
    images = data.valid.images
    assert torch.equal(one.features(images), again.features(images))
    assert torch.equal(one.features(images), elsewhere.features(images))
    assert one.weights_digest == again.weights_digest == elsewhere.weights_digest == another.weights_digest
    assert one.digest == f"domain, recipe {classifier.RECIPE}, local"
    assert one.describe() == f"classifier trained locally, recipe {classifier.RECIPE}"
    assert (one.logits(images).argmax(1) == data.valid.labels).float().mean() > 0.9


@pytest.mark.parametrize("damage", ["bit", "half", "another"])
def test_damaged_local_weights_are_trained_again(damage: str, tmp_path: Path, brief: list[int]) -> None:
    data = training_data(SPACE)
    before = ready(data, "other", tmp_path).weights_digest
    (path,) = tmp_path.glob("domain-*.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    broken = {"bit": content, "half": content[: len(content) // 2], "another": b"{}"}
    path.write_bytes(broken[damage])
    assert ready(data, "other", tmp_path).weights_digest == before
    assert ready(data, "other", tmp_path).weights_digest == before
    assert len(brief) == 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 7), (3, 40, 20), (1, 1, 30), (1, 17, 17)])
def test_images_of_any_shape_are_classified(shape: tuple[int, int, int], tmp_path: Path, brief: list[int]) -> None:
    space = Space(shape, classes=2, bounds=(-1.0, 3.0))
    extractor = ready(training_data(space), "digest", tmp_path)
    images = made(space, 5).images
    assert extractor.features(images).shape == (5, 64)
    assert extractor.logits(images).shape == (5, 2)
    assert extractor.features(images).isfinite().all()


def test_images_without_labels_are_refused() -> None:
    with pytest.raises(Unsupported, match=r"learns from labels, and this dataset has none. Use random: fid\[random\]"):
        Domain().bind(Space((1, 8, 8)), "digest")


def test_one_training_image_is_refused(tmp_path: Path) -> None:
    one = Split(torch.zeros(1, 1, 8, 8), torch.zeros(1, dtype=torch.int64))
    with pytest.raises(Unsupported, match="learns from 2 training images at least, and there is 1"):
        ready(TrainingData(one, one, SPACE), "digest", tmp_path)


def test_odd_numbers_of_images_leave_no_batch_of_one() -> None:
    for n in (2, 3, 101, 201):
        split = Split(torch.zeros(n, 1, 8, 8), torch.zeros(n, dtype=torch.int64))
        sizes = [len(images) for _, images, _ in classifier.batches(split, SPACE)]
        assert min(sizes) > 1
        assert len(sizes) >= classifier.STEPS
