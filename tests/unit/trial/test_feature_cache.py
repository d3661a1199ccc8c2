"""Features of real splits are computed once, kept under a complete key, and never believed when they are damaged."""

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from genbench import FeatureExtractor, Space, Split, TrainingData, files, setting
from genbench.api import ImageSet
from genbench.testing.made_images import made
from genbench.trial.evaluation import Shared, TrialEvaluation
from genbench.trial.feature_cache import Features, What, cache_identity, make_ready

CPU = torch.device("cpu")
IMAGES = torch.rand(30, 1, 4, 4, generator=torch.Generator().manual_seed(0))


@dataclass(eq=False)
class Counting(FeatureExtractor):
    """Values times a factor; says how often it was asked."""

    asked: ClassVar[list[str]] = []

    factor: float = 2.0
    place: str = setting("")

    digest: ClassVar[str] = "one"
    weights_digest: ClassVar[str] = ""

    def features(self, images: Tensor) -> Tensor:
        self.asked.append("features")
        return images.flatten(1) * self.factor

    def logits(self, images: Tensor) -> Tensor:
        self.asked.append("logits")
        return images.flatten(1)[:, :3]


@dataclass(eq=False)
class InOnePass(Counting):
    """Gives both when either is asked for."""

    def features_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.asked.append("both")
        return images.flatten(1) * self.factor, images.flatten(1)[:, :3]


@dataclass(eq=False)
class OtherDigest(Counting):
    digest: ClassVar[str] = "two"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(Counting, "asked", [])
    return tmp_path / "features"


def kept(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.safetensors"))


def test_features_are_computed_once_for_all_who_ask(cache: Path) -> None:
    first = Features("digest", CPU).get(Counting(), "features", "test", IMAGES)
    again = Features("digest", CPU).get(Counting(), "features", "test", IMAGES)
    assert torch.equal(first, IMAGES.flatten(1) * 2)
    assert torch.equal(first, again)
    assert Counting.asked == ["features"]
    assert len(kept(cache)) == 1


@pytest.mark.parametrize("damage", ["bit", "half", "empty", "rows", "link"])
def test_what_is_damaged_is_computed_again(damage: str, cache: Path) -> None:
    features = Features("digest", CPU)
    expected = features.get(Counting(), "features", "test", IMAGES)
    (path,) = kept(cache)
    content = bytearray(path.read_bytes())
    if damage == "bit":
        content[-5] ^= 1
        path.write_bytes(content)
    elif damage == "half":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "rows":
        features.get(Counting(), "features", "train", IMAGES[:10])
        (other,) = set(kept(cache)) - {path}
        path.write_bytes(other.read_bytes())
    else:
        path.unlink()
        path.symlink_to("nowhere")
    Counting.asked.clear()
    for _ in range(2):
        assert torch.equal(features.get(Counting(), "features", "test", IMAGES), expected)
    assert Counting.asked == ["features"]


def test_the_key_is_complete(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(extractor: FeatureExtractor, dataset: str = "digest", split: str = "test", n: int = 30) -> None:
        Features(dataset, CPU).get(extractor, "features", split, IMAGES[:n])
        seen.append(len(kept(cache)))

    seen: list[int] = []
    ask(Counting())
    ask(Counting(factor=3.0))
    ask(OtherDigest())
    ask(Counting(), dataset="other")
    ask(Counting(), split="train")
    ask(Counting(), n=20)
    bound = Counting()
    bound.bind(Space((1, 4, 4), bounds=(-1.0, 1.0)), "digest")
    ask(bound)
    Features("digest", CPU).get(Counting(), "logits", "test", IMAGES)
    seen.append(len(kept(cache)))
    monkeypatch.setattr(Counting, "weights_digest", "trained here")
    ask(Counting())
    monkeypatch.setattr(Counting, "version", 2)
    ask(Counting())
    monkeypatch.setattr(torch, "__version__", "99.0")
    ask(Counting())
    assert seen == list(range(1, 12))


@pytest.mark.parametrize("order", [("features", "logits"), ("logits", "features")])
def test_what_one_pass_gives_of_a_split_is_kept_of_both(order: tuple[What, What], cache: Path) -> None:
    found = {what: Features("digest", CPU).get(InOnePass(), what, "test", IMAGES) for what in order}
    assert torch.equal(found["features"], IMAGES.flatten(1) * 2)
    assert torch.equal(found["logits"], IMAGES.flatten(1)[:, :3])
    assert Counting.asked == ["both"]
    assert len(kept(cache)) == 2


@pytest.mark.parametrize("order", [("features", "logits"), ("logits", "features")])
@pytest.mark.parametrize("of", ["samples", "target"])
def test_what_one_pass_gives_is_shared_by_metrics(of: ImageSet, order: tuple[What, What]) -> None:
    split = Split(IMAGES, None)
    data = SimpleNamespace(space=Space((1, 4, 4)), split=lambda *_: split)
    shared = Shared(data, CPU, lambda n: IMAGES[:n], lambda: pytest.fail("no model is needed"))
    evaluation, extractor = TrialEvaluation(shared, "test", 0, "id"), InOnePass()
    found = {what: getattr(evaluation, what)(extractor, of, 20) for what in order}
    n = 20 if of == "samples" else 30
    assert torch.equal(found["features"], IMAGES[:n].flatten(1) * 2)
    assert torch.equal(found["logits"], IMAGES[:n].flatten(1)[:, :3])
    assert Counting.asked == ["both"]


def test_more_samples_extract_only_the_further_ones() -> None:
    samples = torch.rand(2000, 1, 4, 4)
    shared = Shared(None, CPU, lambda n: samples[:n], lambda: None)  # type: ignore[arg-type, return-value]
    for n in (500, 2000, 1000, 1200):
        assert torch.equal(shared.of_samples(Counting(), "features", n), samples[:n].flatten(1) * 2)
    assert Counting.asked == ["features"] * 5  # four whole batches, and 200 of the third


def test_features_of_another_processor_have_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {torch.device("cuda", number): name for number, name in enumerate(("A100", "H100", "A100"))}
    monkeypatch.setattr(torch.cuda, "get_device_name", names.__getitem__)
    first, other, same, cpu = (
        Features("digest", device)._path(Counting(), "features", "test", 3) for device in (*names, CPU)
    )
    assert len({first, other, cpu}) == 3
    assert first == same


def test_keys_of_a_cpu_are_what_they_were() -> None:
    known = [
        cache_identity(Counting()),
        "features",
        "digest",
        "test",
        3,
        ["cpu", torch.__version__.split("+")[0], "float32"],
    ]
    assert Features("digest", CPU)._path(Counting(), "features", "test", 3).stem == files.digest(known, 24)


def test_extractors_are_trained_and_used_in_true_float32() -> None:
    class Training(Counting):
        def prepare(self, data: TrainingData, originals: Path, cache: Path) -> None:
            self.seen_ = [torch.backends.cudnn.allow_tf32]

        def features(self, images: Tensor) -> Tensor:
            self.seen_.append(torch.backends.cudnn.allow_tf32)
            return super().features(images)

    space, extractor, before = Space((1, 4, 4)), Training(), torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        make_ready(extractor, space, "digest", lambda: TrainingData(made(space, 3), made(space, 3), space))
        Features("digest", CPU).get(extractor, "features", "test", IMAGES)
        assert extractor.seen_ == [False, False]
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32 = before


def test_a_setting_is_no_part_of_the_key() -> None:
    assert cache_identity(Counting(place="/a")) == cache_identity(Counting(place="/b"))


def test_cheap_features_are_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counting, "is_cheap", True)
    Features("digest", CPU).get(Counting(), "features", "test", IMAGES)
    assert not cache.exists()


def test_what_is_known_once_prepared_is_not_asked_for_before() -> None:
    class Late(Counting):
        @property
        def weights_digest(self) -> str:  # type: ignore[override]
            return self.digest_

        def prepare(self, data: TrainingData, originals: Path, cache: Path) -> None:
            self.digest_ = "trained"

    space = Space((1, 4, 4))
    extractor = Late()
    make_ready(extractor, space, "digest", lambda: TrainingData(made(space, 3), made(space, 3), space))
    assert cache_identity(extractor)[-1] == "trained"


SLOW = """
    import os, sys, time
    from dataclasses import dataclass
    from pathlib import Path
    import torch
    from genbench import FeatureExtractor
    from genbench.trial.feature_cache import Features

    @dataclass(eq=False)
    class Slow(FeatureExtractor):
        digest = "slow"

        def features(self, images):
            with open(os.environ["LOG"], "a") as log:
                log.write("computed\\n")
            time.sleep(1)
            return images.flatten(1)

    here, there = sys.argv[1:]
    Path(here).touch()
    while not Path(there).exists():
        time.sleep(0.01)
    found = Features("digest", torch.device("cpu")).get(Slow(), "features", "test", torch.arange(8.0).view(2, 1, 2, 2))
    assert found.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
"""


def test_two_processes_at_once_compute_features_once(tmp_path: Path, cache: Path) -> None:
    script = tmp_path / "slow.py"
    script.write_text(textwrap.dedent(SLOW))
    log, ready = tmp_path / "log", [str(tmp_path / name) for name in ("a", "b")]
    environment = {**os.environ, "LOG": str(log), "PYTHONPATH": os.pathsep.join(sys.path)}
    both = [
        subprocess.Popen([sys.executable, script, *order], env=environment, stderr=subprocess.PIPE, text=True)
        for order in (ready, ready[::-1])
    ]
    ends = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert log.read_text() == "computed\n"
    assert len(kept(cache)) == 1
