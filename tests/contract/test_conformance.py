"""Every built-in plugin holds what the kit asks of a third party's."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ray_nodes import RayNodes
from slurm_stub import SlurmStub

from genbench.registry.plugins import BUILTIN, load_registry
from genbench.testing import check, parametrize_with_checks

KINDS = ("model", "metric", "extractor", "engine")
NAMES = [
    entry.name
    for kind in KINDS
    for entry in load_registry().entries(kind)
    if entry.plugin.distribution == BUILTIN
]  # fmt: skip
EMBEDDED = ["digits", "gaussian1d", "mixture1d"]
"""Datasets that need no files."""

BY_FILES = ["inception", "vgg16", "clip", "dinov2"]
"""Extractors that need weights which are not shipped."""

OF_KNOWN_DENSITY = ["jsd", "discriminator-gap"]
"""Metrics that score nothing but a dataset whose true density is known."""


ELSEWHERE = (*OF_KNOWN_DENSITY, *BY_FILES)

EXPECTED = {
    "ms-ssim": {"direction": "it knows no real images: noise is the most diverse of all"},
    "memorisation": {"direction": "it asks for copies alone, and noise copies nothing"},
    "mode-coverage": {"direction": "a classifier puts noise into any class, the more noise not the fewer of them"},
}
"""Failures that lie in the nature of a metric."""

WITH_A_PROCESS = ("works-on-a-stand-in-for-cuda", "new-process-samples-the-same", "digest", "digest-is-stable")
"""Checks that start a process, which imports torch: seconds each."""

QUICK = ("vae", "precision", "random", "digits", "process")
"""One plugin of each kind, of which every check is made by default."""

LONG = ("prd", "probe-accuracy", "memorisation", "kid")
"""Metrics that take a second or more to score the smallest images; their own tests are quick."""


OF_A_CLASS = (
    "docstring", "options-typed", "options-survive", "constructor-only-stores", "version-declared", "registering-is-light",
    "learned-state-is-named", "not-fitted", "works-without-cuda",
)  # fmt: skip
"""Checks that train a model briefly at most. By default they are made of every model, which has tests of its own besides;
all others are slow, but for QUICK."""

MODELS = {entry.name for entry in load_registry().entries("model")}


def slow_but_for_quick_ones(parametrized: pytest.MarkDecorator) -> pytest.MarkDecorator:
    """Mark slow, but for QUICK, the checks that start a process, and those that train or draw from a model."""
    names, cases = parametrized.args
    assert {*QUICK} <= {*NAMES, *EMBEDDED}
    for known in (*WITH_A_PROCESS, *OF_A_CLASS):
        assert any(case.id.endswith(f"-{known}") for case in cases), known
    return pytest.mark.parametrize(names, [_slow(case) if _takes_long(case.id) else case for case in cases])


def _takes_long(case: str) -> bool:
    name = max((name for name in (*NAMES, *EMBEDDED) if case.startswith(f"{name}-")), key=len)
    what = case.removeprefix(f"{name}-")
    if name in ("ray", "slurm") or name in LONG:
        return True  # the first two need a cluster
    return name not in QUICK and (what in WITH_A_PROCESS or (name in MODELS and what not in OF_A_CLASS))


def _slow(case: Any) -> Any:
    return case._replace(marks=(*case.marks, pytest.mark.slow))


@pytest.fixture
def places_for_trials(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """Start what an engine places trials on, where it is one beyond this machine."""
    if request.node.callspec.id.startswith("ray-"):
        nodes: RayNodes = request.getfixturevalue("ray_nodes")
        nodes.have_two()
        monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    if request.node.callspec.id.startswith("slurm-"):
        stub = SlurmStub(tmp_path, monkeypatch.setenv)
        yield
        stub.close()
    else:
        yield


@pytest.mark.usefixtures("places_for_trials")
@slow_but_for_quick_ones(
    parametrize_with_checks([*(name for name in NAMES if name not in ELSEWHERE), *EMBEDDED], expected_failures=EXPECTED)
)
def test_built_in(check) -> None:
    check()


@parametrize_with_checks(OF_KNOWN_DENSITY, dataset="gaussian1d")
def test_metric_of_a_known_density(check) -> None:
    check()


@pytest.mark.parametrize("name", OF_KNOWN_DENSITY)
def test_without_a_known_density_a_metric_has_not_been_checked(name: str) -> None:
    (failure,) = check(name, dataset="digits").failures
    assert failure.check == "not-everything-skipped"
    assert "the dataset's true density is not known" in failure.reason


def images(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 6, 5), np.uint8)


@pytest.fixture
def npz(tmp_path: Path) -> str:
    labels = {"y_train": np.arange(40) % 3, "y_test": np.arange(12) % 3}
    np.savez(tmp_path / "mine.npz", x_train=images(40, 0), x_test=images(12, 1), **labels)
    return f"npz:{tmp_path / 'mine.npz'}"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for split, n in (("train", 40), ("test", 12)):
        for i, image in enumerate(images(n, n)):
            place = tmp_path / "pictures" / split / f"class-{i % 3}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{i}.png")
    return f"folder:{tmp_path / 'pictures'}"


@pytest.mark.parametrize("source", ["npz", "folder"])
def test_datasets_of_ones_own(source: str, request: pytest.FixtureRequest) -> None:
    verdict = check(request.getfixturevalue(source))
    assert verdict.ok, verdict.failures


def test_the_real_mnist(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBENCH_DATA", str(real_data))
    verdict = check("mnist")
    assert verdict.ok, verdict.failures
    assert {result.check for result in verdict if result.status == "skipped"} <= {
        "works-on-cuda",
        "works-on-a-stand-in-for-cuda",
    }


@parametrize_with_checks(["random"], dataset="gaussian1d")
def test_an_extractor_of_numbers(check) -> None:
    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "tfd", *BY_FILES])
def test_a_plugin_without_its_files_has_not_been_checked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    (failure,) = check(name).failures
    assert failure.check == "not-everything-skipped"
    assert "its files are not here" in failure.reason
