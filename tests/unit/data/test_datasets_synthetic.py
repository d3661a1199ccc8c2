"""The datasets of known density: drawn from what they say, cut off as they say, and the same to the bit each time."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

import genbench
from genbench.data import validation
from genbench.errors import DataError
from genbench_plugins.datasets.synthetic import Gaussian1D, Mixture1D

NOWHERE = Path("/nowhere")


def numbers(dataset: genbench.Dataset) -> np.ndarray:
    splits = dataset.load(NOWHERE)
    return np.concatenate([split.images for split in (splits.train, splits.valid, splits.test)])[:, 0, 0, 0]


def log_prob(dataset, x: np.ndarray) -> np.ndarray:
    return dataset.log_prob(torch.from_numpy(x).view(-1, 1, 1, 1)).numpy()


def test_defaults() -> None:
    for dataset, bounds in ((Gaussian1D(), (-6, 6)), (Mixture1D(), (-5, 8))):
        splits = dataset.load(NOWHERE)
        assert splits.train.images.shape == (10_000, 1, 1, 1)
        assert (len(splits.valid), len(splits.test)) == (1_000, 1_000)
        assert splits.train.images.dtype == np.float32
        assert (splits.classes, splits.train.labels) == (None, None)
        assert splits.bounds == bounds


@pytest.mark.parametrize(
    ("dataset", "start"),
    [(Gaussian1D(), "10de0698"), (Mixture1D(), "b8060d96")],
)
def test_the_numbers_are_the_same_everywhere(dataset: genbench.Dataset, start: str) -> None:
    found = validation.checked("it", dataset.load(NOWHERE))
    assert validation.digest(found.arrays, found.classes, found.bounds).startswith(start)


def mixed(x: np.ndarray) -> np.ndarray:
    return 0.4 * stats.norm(-2, 0.5).cdf(x) + 0.6 * stats.norm(2, 1).cdf(x)


@pytest.mark.parametrize(
    ("dataset", "cdf"),
    [(Gaussian1D(), stats.norm.cdf), (Gaussian1D(mean=3.0, std=0.1), stats.norm(3, 0.1).cdf), (Mixture1D(), mixed)],
)
def test_the_numbers_are_drawn_from_the_distribution(dataset: genbench.Dataset, cdf) -> None:
    assert stats.kstest(numbers(dataset), cdf).pvalue > 0.01


def test_the_density_of_a_gaussian_is_that_of_a_truncated_one() -> None:
    x = np.linspace(1.0, 5.0, 101)
    expected = stats.truncnorm(-6, 6, loc=3, scale=0.25).logpdf(x)
    np.testing.assert_allclose(log_prob(Gaussian1D(mean=3.0, std=0.25), x), expected, rtol=1e-12)


def test_the_density_of_a_mixture() -> None:
    x = np.linspace(-5, 8, 200)
    expected = np.log(0.4 * stats.norm(-2, 0.5).pdf(x) + 0.6 * stats.norm(2, 1).pdf(x))
    np.testing.assert_allclose(log_prob(Mixture1D(), x), expected, rtol=1e-8)
    np.testing.assert_allclose(log_prob(Mixture1D(weights=(4.0, 6.0)), x), expected, rtol=1e-8)


@pytest.mark.parametrize("dataset", [Gaussian1D(), Mixture1D()])
def test_nothing_lies_beyond_the_bounds(dataset) -> None:
    low, high = dataset.bounds
    beyond = np.array([low - 0.01, high + 0.01, -np.inf, np.inf])
    assert log_prob(dataset, beyond).tolist() == [-math.inf] * 4
    assert np.isfinite(log_prob(dataset, np.array([low, high]))).all()


def test_numbers_beyond_the_bounds_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off at half a standard deviation, of what is drawn more than half is thrown away."""
    monkeypatch.setattr("genbench_plugins.datasets.synthetic.REACH", 0.5)
    dataset = Gaussian1D()
    x = numbers(dataset)
    assert len(x) == 12_000
    assert abs(x).max() <= 0.5
    truncated = stats.truncnorm(-0.5, 0.5)
    assert stats.kstest(x, truncated.cdf).pvalue > 0.01
    np.testing.assert_allclose(log_prob(dataset, x.astype(float)), truncated.logpdf(x.astype(float)), rtol=1e-6)


def test_no_number_comes_twice() -> None:
    x = numbers(Gaussian1D(train=60_000))
    assert len(np.unique(x)) == len(x) == 62_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"means": (0.0,)}, "mixture1d: 1 means, 2 stds and 2 weights; expected as many of each"),
        ({"weights": (1.0, 2.0, 3.0)}, "mixture1d: 2 means, 2 stds and 3 weights"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict, message: str) -> None:
    dataset = Mixture1D(**options)
    with pytest.raises(DataError, match=message):
        dataset.load(NOWHERE)


def test_importing_them_imports_nothing_heavy() -> None:
    code = (
        "import sys; from genbench_plugins.datasets.synthetic import Mixture1D; Mixture1D().bounds;"
        "print([n for n in ('numpy', 'torch', 'scipy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_trial_is_scored_against_the_density_and_what_cannot_be_is_said(tmp_path: Path) -> None:
    report = genbench.run(
        models="gaussian",
        datasets="gaussian1d[train=300,valid=20,test=30]",
        metrics="jsd[samples=2000,bins=20],discriminator-gap[samples=2000,bins=20]",
        reference="none",
        seeds=1,
        results=tmp_path,
    )
    jsd, gap = report.boards
    assert 0 < jsd.rows[0].scores[0].value < 0.02
    assert gap.rows[0].scores[0].status == "skipped"
