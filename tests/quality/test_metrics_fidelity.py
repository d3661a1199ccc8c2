"""From images to scores, by one file of weights: what genbench evaluate says is what torch-fidelity says itself."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from inception_weights import weights

import genbench
from genbench.trial import seeding

__all__ = ["weights"]  # the fixture

N, SPLITS = 40, 2


class Levels(torch.utils.data.Dataset[torch.Tensor]):
    """Images as torch-fidelity takes them: (3, H, W) uint8, one by one."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = torch.from_numpy(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> torch.Tensor:
        return self.images[row]


def images(seed: int, n: int = N, noise: int = 56) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shades = rng.integers(0, 256 - noise, (n, 3, 1, 1))
    return (shades + rng.integers(0, noise, (n, 3, 32, 32))).astype(np.uint8)


def samples() -> np.ndarray:
    """Return images far enough from the others that a distance is no matter of rounding."""
    return images(2, noise=156)


@pytest.fixture(scope="module")
def scored(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, float], dict[str, float]]:
    """Return our scores and theirs by name."""
    folder = tmp_path_factory.mktemp("images")
    np.savez(folder / "data.npz", x_train=images(0, 20), x_test=images(1))
    np.savez(folder / "ours.npz", images=samples())
    named = f'"inception[weights={weights}]"'
    options = {"fid": "", "kid": "", "precision": "", "recall": "", "is": f",splits={SPLITS}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENBENCH_CACHE", str(folder / "cache"))
        report = genbench.evaluate(
            {"ours": [str(folder / "ours.npz")]},
            metrics=[f"{name}[extractor={named}{more}]" for name, more in options.items()],
            datasets=f"npz:{folder / 'data.npz'}",
            samples=N,
            reference="none",
            results=folder / "results",
        )
    ours = {board.metric.name: board.rows[0].scores[0].value for board in report.boards}
    return ours, theirs(weights)


def in_our_order() -> np.ndarray:
    """Return the order in which `is` splits the samples of the first seed."""
    return torch.randperm(N, generator=seeding.stream(0, "evaluate", "shared", "splits")).numpy()


def theirs(weights: Path) -> dict[str, float]:
    from torch_fidelity import calculate_metrics

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = calculate_metrics(
            input1=Levels(samples()[in_our_order()]), input2=Levels(images(1)), cuda=False, cache=False, verbose=False, batch_size=N,
            fid=True, kid=True, isc=True, prc=True, feature_extractor="inception-v3-compat",
            feature_extractor_weights_path=str(weights), kid_subsets=2, kid_subset_size=N, isc_splits=SPLITS,
            samples_shuffle=False, prc_neighborhood=3, save_cpu_ram=True,
        )  # fmt: skip
    names = {"fid": "frechet_inception_distance", "is": "inception_score_mean", "precision": "precision", "recall": "recall"}  # fmt: skip
    return {**{ours: found[name] for ours, name in names.items()}, "kid": their_kid(weights)}


def their_kid(weights: Path) -> float:
    """Return it of features given as float64: of float32 it sums in float32 too, and keeps four digits."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    from torch_fidelity.metric_kid import kid_features_to_metric

    network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(weights))
    with torch.no_grad():
        first, second = (network(torch.from_numpy(x))[0].double() for x in (samples(), images(1)))
    options = {"kid_subsets": 2, "kid_subset_size": N, "kid_kernel": "poly", "kid_kernel_poly_degree": 3}
    options |= {"kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1, "rng_seed": 0, "verbose": False}
    return float(kid_features_to_metric(first, second, **options)["kernel_inception_distance_mean"])


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["fid", "is", "precision", "recall", "kid"])
def test_scores_are_those_of_torch_fidelity(metric: str, scored: tuple[dict[str, float], ...]) -> None:
    ours, theirs = scored
    assert ours[metric] == pytest.approx(theirs[metric], rel=1e-6)
