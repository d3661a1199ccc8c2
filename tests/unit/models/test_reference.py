"""The reference rows against scikit-learn and against what they promise."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from models import CPU, SHAPES, check_samples, data_of, drawn, fitted
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.decomposition import PCA as SklearnPCA

import genbench
from genbench.api import Space
from genbench_plugins.models import kmeans, moments
from genbench_plugins.models.even_draws import without_replacement
from genbench_plugins.models.gaussian import Gaussian
from genbench_plugins.models.kmeans import KMeans
from genbench_plugins.models.pca import PCA
from genbench_plugins.models.train_data import TrainData


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("model", [TrainData, Gaussian, KMeans, PCA])
def test_samples(model: type[genbench.Model], shape: tuple[int, int, int]) -> None:
    data = data_of(shape)
    check_samples(fitted(model(), data), data.space)
    assert model.role == "reference"


@pytest.mark.parametrize("n", [0, 1, 10, 11, 25])
def test_every_image_equally_often(n: int) -> None:
    counts = torch.bincount(without_replacement(n, 10, torch.Generator().manual_seed(0)), minlength=10)
    assert counts.sum() == n
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("model", [TrainData, KMeans, PCA])
def test_not_fitted(model: type[genbench.Model]) -> None:
    made = model()
    made.build(Space((1, 8, 8)), CPU)
    with pytest.raises(genbench.NotFitted, match="nothing to draw from before fit"):
        drawn(made, 3)


def test_gaussian_not_fitted() -> None:
    made = Gaussian()
    made.build(Space((1, 8, 8)), CPU)
    with pytest.raises(genbench.NotFitted, match="Gaussian has no root_ yet: call build and fit first"):
        drawn(made, 3)


def test_train_data_hands_out_whole_passes_in_order() -> None:
    data = data_of((1, 8, 8), n=20)
    x = drawn(fitted(TrainData(), data), 40)
    assert torch.equal(x, data.train.images.repeat(2, 1, 1, 1))


def test_gaussian_has_the_datas_moments() -> None:
    data = data_of((1, 3, 3), n=300)
    model = fitted(Gaussian(), data)
    x = data.train.images.flatten(1)
    torch.testing.assert_close(model.mean_, x.mean(0))
    covariance = torch.from_numpy(np.cov(x.numpy().T, bias=True)).float()
    torch.testing.assert_close(model.root_ @ model.root_.T, covariance, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(drawn(model, 100_000).flatten(1).mean(0), x.mean(0), atol=0.02, rtol=0)


def test_gaussian_of_constant_pixels_is_constant() -> None:
    data = data_of((1, 4, 4))
    data.train.images[:] = 0.25
    torch.testing.assert_close(drawn(fitted(Gaussian(), data), 5), torch.full((5, 1, 4, 4), 0.25))


def test_kmeans_is_as_tight_as_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    x = torch.from_numpy(load_digits().data[:500] / 16).float()
    data = genbench.TrainingData(genbench.Split(x.view(-1, 1, 8, 8)), genbench.Split(x[:1]), Space((1, 8, 8)))
    model = fitted(KMeans(clusters=20), data)
    ours = (x - model.centroids_[model.assign(x)]).square().sum().item()
    theirs = SklearnKMeans(20, init="random", n_init=1, random_state=0).fit(x.numpy()).inertia_
    assert ours == pytest.approx(theirs, rel=0.1)
    moved = fitted(KMeans(clusters=20, iterations=1), data)
    assert ours < (x - moved.centroids_[moved.assign(x)]).square().sum().item()


def test_kmeans_moves_centroids_to_the_means_of_their_images_and_leaves_those_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randint(256, (500, 12), generator=g) / 255  # images of 8 bits
    nearest = torch.randint(7, (500,), generator=g)
    model = KMeans()
    for rows in (kmeans.ROWS, 3):
        monkeypatch.setattr(kmeans, "ROWS", rows)
        model.centroids_ = torch.full((9, 12), 0.25)
        model._move(x, nearest)
        means = [x[nearest == cluster].numpy().astype(np.float64).mean(0).astype(np.float32) for cluster in range(7)]
        assert torch.equal(model.centroids_[:7], torch.from_numpy(np.stack(means)))
        assert torch.equal(model.centroids_[7:], torch.full((2, 12), 0.25))


def test_kmeans_of_fewer_images_than_clusters() -> None:
    data = data_of((1, 4, 4), n=6)
    model = fitted(KMeans(clusters=50), data)
    assert torch.equal(model.centroids_.sort(0).values, data.train.images.flatten(1).sort(0).values)


@pytest.mark.parametrize("components", [1, 5, 1000])
def test_pca_reconstructs_as_scikit_learn_does(components: int) -> None:
    data = data_of((1, 5, 5))
    model = fitted(PCA(components=components), data)
    x = data.train.images.flatten(1).numpy().astype(float)
    reference = SklearnPCA(min(components, 25)).fit(x)
    expected = reference.inverse_transform(reference.transform(x)).clip(0, 1)
    np.testing.assert_allclose(model.decode(model.codes_).flatten(1).numpy(), expected, atol=2e-5)


# Fewer images than values in one, and more of both than all eigenvectors are computed of


def test_gaussian_of_few_images_has_their_moments() -> None:
    data = data_of((3, 8, 8), n=30)
    model = fitted(Gaussian(), data)
    x = data.train.images.flatten(1).double().numpy()
    assert model.root_.shape == (192, 30)
    np.testing.assert_allclose(model.mean_.numpy(), x.mean(0), atol=1e-6)
    np.testing.assert_allclose((model.root_ @ model.root_.T).numpy(), np.cov(x.T, bias=True), atol=1e-7)
    model.space = Space((3, 8, 8), bounds=(-9.0, 9.0))  # where nothing is clipped
    samples = drawn(model, 20_000).flatten(1).double().numpy()
    np.testing.assert_allclose(np.cov(samples.T), np.cov(x.T, bias=True), atol=5e-3)


@pytest.mark.parametrize("components", [1, 5, 1000])
def test_pca_of_few_images_reconstructs_as_scikit_learn_does(components: int) -> None:
    data = data_of((3, 8, 8), n=30)
    model = fitted(PCA(components=components), data)
    kept = min(components, 29)
    x = data.train.images.flatten(1).double().numpy()
    reference = SklearnPCA(kept, svd_solver="full").fit(x)
    expected = reference.inverse_transform(reference.transform(x)).clip(0, 1)
    np.testing.assert_allclose(model.decode(model.codes_).flatten(1).numpy(), expected, atol=2e-5)
    np.testing.assert_allclose((model.vectors_.T @ model.vectors_).numpy(), np.eye(kept), atol=1e-5)
    assert model.codes_.shape == (30, kept)


@pytest.mark.parametrize("model", [Gaussian, PCA])
@pytest.mark.parametrize("n", [1, 9])
def test_rows_of_one_image_many_times_give_that_image(model: type[genbench.Model], n: int) -> None:
    data = data_of((3, 5, 5), n=n)
    data.train.images[:] = data.train.images[0].clone()
    x = drawn(fitted(model(), data), 4)
    torch.testing.assert_close(x, data.train.images[:1].expand_as(x), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("n", "shape"), [(300, (1, 5, 5)), (30, (3, 8, 8))])
def test_all_ways_find_the_same_moments(n: int, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    _, x = moments.centred(data_of(shape, n=n).train.images)
    root, vectors = moments.covariance_root(x), moments.directions(x, 2)
    values, all_vectors = torch.linalg.eigh(x.T @ x / n)
    if n > x.shape[1]:  # to the bit what every pixel's covariance gives
        assert torch.equal(root, (all_vectors * values.clamp_min(0).sqrt()).float())
        assert torch.equal(vectors, torch.linalg.eigh(x.T @ x)[1][:, -2:].float())
    expected = (all_vectors[:, -2:] @ all_vectors[:, -2:].T).float()
    torch.testing.assert_close(vectors @ vectors.T, expected, atol=1e-5, rtol=0)
    monkeypatch.setattr(moments, "EXACT", 4)
    iterated, rows = moments.directions(x, 2), moments.covariance_root(x)
    assert rows.shape == (x.shape[1], n)
    torch.testing.assert_close(rows @ rows.T, root @ root.T, atol=1e-6, rtol=0)
    torch.testing.assert_close(iterated @ iterated.T, expected, atol=1e-5, rtol=0)


BOUNDED = """
import resource, sys, torch, genbench
from genbench.registry.plugins import load_registry
from genbench.trial.training import TrainingRun

def use(shape):
    for name in ("gaussian", "pca"):
        model = load_registry().find("model", name).load()()
        x = torch.rand(64, *shape, generator=torch.Generator().manual_seed(0))
        data = genbench.TrainingData(genbench.Split(x), genbench.Split(x[:2]), genbench.Space(shape))
        model.build(data.space, torch.device("cpu"))
        model.fit(data, TrainingRun(0, torch.device("cpu")))
        assert model.sample(64, torch.Generator().manual_seed(0)).isfinite().all()
        kept = sum(t.numel() for name, t in vars(model).items() if name.endswith("_"))
        assert kept <= 1.1 * x.numel() + 1000, kept

use((3, 8, 8))  # so that all code is loaded
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 10 * 4 * 64 * 3 * 128 * 128 + (64 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
use((3, 128, 128))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_rows_of_large_images_take_the_memory_of_a_few_copies_of_them() -> None:
    done = subprocess.run([sys.executable, "-c", BOUNDED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
