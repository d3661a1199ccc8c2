"""What a metric is handed: computed once, shared, and never the test split while tuning."""

import pytest
import torch

from genbench.api import FeatureExtractor
from genbench.data.cache import prepare
from genbench.data.folders import cache_folder
from genbench.errors import Unsupported
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.trial.evaluation import Shared, TrialEvaluation, density_of

CPU = torch.device("cpu")


class Recording:
    """Notes which splits are read."""

    def __init__(self) -> None:
        resolved = Resolver(load_registry(), cache_folder()).resolve("dataset", "digits")
        self._data = prepare(resolved.instantiate(), resolved.identity)
        self.space = self._data.space
        self.read: list[str] = []

    def split(self, name: str, device: torch.device) -> object:
        self.read.append(name)
        return self._data.split(name, device)  # type: ignore[arg-type]


def shared(data: Recording) -> Shared:
    return Shared(data, CPU, lambda n: torch.rand(n, 1, 8, 8), lambda: None)  # type: ignore[arg-type, return-value]


def test_splits_are_read_once_and_test_not_while_tuning() -> None:
    data = Recording()
    both = shared(data)
    for protocol in ("a", "b"):
        evaluation = TrialEvaluation(both, "valid", 0, protocol)
        assert len(evaluation.target) == 297
        assert len(evaluation.train) == 1000
    assert sorted(data.read) == ["train", "valid"]


def test_every_protocol_has_a_stream_of_its_own() -> None:
    both = shared(Recording())
    draws = [
        torch.rand(3, generator=TrialEvaluation(both, "test", seed, p).generator)
        for seed, p in ((0, "a"), (0, "b"), (1, "a"))
    ]
    assert len({tuple(draw.tolist()) for draw in draws}) == 3


def test_the_density_is_the_dataset_itself_where_it_is_known() -> None:
    known, unknown = (
        Resolver(load_registry(), cache_folder()).resolve("dataset", name).instantiate()
        for name in ("gaussian1d", "digits")
    )
    assert density_of(known) is known
    assert density_of(unknown) is None
    given = Shared(Recording(), CPU, lambda n: torch.zeros(n), lambda: None, known)  # type: ignore[arg-type, return-value]
    assert TrialEvaluation(given, "test", 0, "a").density is known
    assert TrialEvaluation(shared(Recording()), "test", 0, "a").density is None


def test_features_are_computed_once_and_batch_by_batch() -> None:
    seen = []

    class Counting(FeatureExtractor):
        digest = "counting"

        def features(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(len(images))
            return images.flatten(1)

    both = shared(Recording())
    evaluation = TrialEvaluation(both, "test", 0, "a")
    found = evaluation.features(Counting(), "samples", n=2500)
    assert found.shape == (2500, 64)
    assert evaluation.samples_requested == 2500
    TrialEvaluation(both, "test", 0, "b").features(Counting(), "target")
    TrialEvaluation(both, "test", 0, "c").features(Counting(), "target")
    assert seen == [500] * 6
    with pytest.raises(Unsupported, match="Counting classifies nothing: choose an extractor that does, as domain"):
        evaluation.logits(Counting(), "target")
    with pytest.raises(ValueError, match="features of samples: expected n, how many samples"):
        evaluation.features(Counting(), "samples")
