"""The reference rows against scikit-learn and against what they promise."""

import numpy as np
import pytest
import torch
from models import CPU, SHAPES, check_samples, data_of, drawn, fitted
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.decomposition import PCA as SklearnPCA

import genbench
from genbench.api import Space
from genbench_plugins.models import kmeans
from genbench_plugins.models.drawing import without_replacement
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
    np.testing.assert_allclose(model.images_.flatten(1).numpy(), expected, atol=2e-5)
