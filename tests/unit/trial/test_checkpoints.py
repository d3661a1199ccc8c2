"""Training taken up again where it was cut off: the same bits as if nothing had happened."""

import json
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from models import CPU, data_of
from safetensors import safe_open

from genbench.api import TrainingData
from genbench.errors import Interrupted
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.store.sealed import SealedFolder
from genbench.trial import seeding, state
from genbench.trial.checkpoints import SHARE, Checkpoints
from genbench.trial.training import TrainingRun

DATA = data_of((1, 8, 8), n=700)
STEPS_OF_LAYERED = 3 * 3 + 3 + 3 * 3
BUILTIN = ("gan[epochs=2]", "gan@paper[epochs=2,g_hidden=[8],d_hidden=[6]]", "gan@paper-tfd[epochs=1,below_from=1,g_hidden=[8],g_below=[6,100],d_hidden=[6]]", "vae[epochs=2]", "kmeans", "pca", "gaussian", "train-data")  # fmt: skip


def attempt(text: str, folder: Path, stop_after: int | None = None, data: TrainingData = DATA) -> Any:
    """Train, or go on training, a fresh build; stop after so many more steps. Return (model, run), or None if stopped."""
    model = Resolver(load_registry(), None).resolve("model", text).instantiate()
    with seeding.seeded(5, "init"):
        model.build(data.space, CPU)
    steps = count(1)
    keeper = Checkpoints(SealedFolder(folder), model, CPU, every=1e9, data=[data.train.images, data.valid.images])
    run = TrainingRun(5, CPU, keeper=keeper, stop=lambda: next(steps) == stop_after)
    try:
        with seeding.seeded(5, "fit"):
            model.fit(data, run)
    except Interrupted:
        return None
    run.end_epoch()
    return model, run


def outcome(attempted: Any, tmp_path: Path) -> tuple[bytes, list[str], int]:
    """Return all that a training came to: the state with its optimisers, the log, the number of steps."""
    model, run = attempted
    state.save(model, tmp_path / "state")
    return (tmp_path / "state").read_bytes(), run.lines, run.step


@pytest.fixture
def undisturbed(toy: str, tmp_path: Path) -> Callable[[str], Any]:
    return lambda text: outcome(attempt(text, tmp_path / "undisturbed"), tmp_path)


@pytest.mark.parametrize("cut", range(1, STEPS_OF_LAYERED + 1))
def test_a_layered_training_cut_after_any_step_goes_on_as_if_it_had_not_been(
    cut: int, undisturbed: Callable[[str], Any], tmp_path: Path
) -> None:
    expected = undisturbed("layered")
    assert expected[2] == STEPS_OF_LAYERED
    assert attempt("layered", tmp_path / "kept", stop_after=cut) is None
    torch.manual_seed(99)
    before = DATA.train.images.clone()
    again = attempt("layered", tmp_path / "kept")
    assert outcome(again, tmp_path) == expected
    assert torch.equal(DATA.train.images, before), "the data are never written to"
    assert again[0].same_ is again[0].trace_ or torch.equal(again[0].same_, again[0].trace_)


@pytest.mark.parametrize("every", [1, 2, 5])
def test_a_training_cut_again_and_again_ends_with_the_same_bits(
    every: int, undisturbed: Callable[[str], Any], tmp_path: Path
) -> None:
    expected = undisturbed("layered")
    attempts = 0
    while (ended := attempt("layered", tmp_path / "kept", stop_after=every)) is None:
        attempts += 1
    assert attempts >= STEPS_OF_LAYERED // every
    assert outcome(ended, tmp_path) == expected


@pytest.mark.parametrize("text", BUILTIN)
def test_every_built_in_model_cut_twice_ends_with_the_same_bits(
    text: str, undisturbed: Callable[[str], Any], tmp_path: Path
) -> None:
    expected = undisturbed(text)
    for cut in (3, 6):
        attempt(text, tmp_path / "kept", stop_after=cut)
    assert outcome(attempt(text, tmp_path / "kept"), tmp_path) == expected


def test_seconds_and_peak_memory_add_up_over_attempts(toy: str, tmp_path: Path) -> None:
    attempt("layered", tmp_path / "kept", stop_after=15)
    time.sleep(0.05)
    (path,) = (tmp_path / "kept").glob("loop00002-*")
    with safe_open(path, "pt") as file:
        run = dict(json.loads(file.metadata()["state"])["run"]["dict"])
    kept = {name: run[name]["value"] for name in ("seconds", "peak")}
    _, run = attempt("layered", tmp_path / "kept")
    assert kept["seconds"] < run.seconds < kept["seconds"] + 30
    assert run.peak == kept["peak"] > 1


def test_a_damaged_checkpoint_is_set_aside_and_the_loop_begun_anew(
    undisturbed: Callable[[str], Any], tmp_path: Path
) -> None:
    expected = undisturbed("layered")
    attempt("layered", tmp_path / "kept", stop_after=15)
    (path,) = (tmp_path / "kept").glob("loop00002-*")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    assert outcome(attempt("layered", tmp_path / "kept"), tmp_path) == expected
    assert list((tmp_path / "kept").glob("loop00002-*.damaged"))


def test_a_checkpoint_after_every_step_leaves_one_file_a_loop(
    undisturbed: Callable[[str], Any], tmp_path: Path
) -> None:
    expected = undisturbed("layered")
    model = Resolver(load_registry(), None).resolve("model", "layered").instantiate()
    with seeding.seeded(5, "init"):
        model.build(DATA.space, CPU)
    run = TrainingRun(5, CPU, keeper=Checkpoints(SealedFolder(tmp_path / "kept"), model, CPU, every=0))
    with seeding.seeded(5, "fit"):
        model.fit(DATA, run)
    run.end_epoch()
    assert outcome((model, run), tmp_path) == expected, "keeping the state changes nothing"
    assert sorted(path.name[:9] for path in (tmp_path / "kept").iterdir()) == ["loop00000", "loop00001", "loop00002"]
    assert outcome(attempt("layered", tmp_path / "kept"), tmp_path) == expected


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Let the time be what the test says."""
    now = [0.0]
    monkeypatch.setattr("genbench.trial.checkpoints.time.perf_counter", lambda: now[0])
    return now  # type: ignore[return-value]


@pytest.mark.parametrize(("every", "cost", "expected"), [(10, 0.02, 10), (10, 1.0, SHARE), (0.5, 0.001, 0.5)])
def test_checkpoints_are_rarer_where_they_cost_more_than_two_percent(
    every: float, cost: float, expected: float, clock: list[float], tmp_path: Path
) -> None:
    class Slow(SealedFolder):
        def put(self, *args: Any) -> None:
            clock[0] += cost

    model = torch.nn.Linear(1, 1)
    kept = Checkpoints(Slow(tmp_path), model, CPU, every)  # type: ignore[arg-type]
    kept.keep(0, 1, {})
    start = clock[0]
    clock[0] = start + expected * 0.99
    assert not kept.due()
    clock[0] = start + expected * 1.01
    assert kept.due()
    assert cost / (expected + cost) < 0.021
