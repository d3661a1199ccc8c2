"""What TensorBoard is given, read back by its own reader: every point once, whatever happened, and nothing else changed."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG
from trials import contents_of

import genbench
from genbench.cli import main
from genbench.engines.schedule import Outcome, Silent
from genbench.output.tensorboard import TensorBoard, grid
from genbench.runs import planning
from genbench.runs.planning import task
from genbench.runs.settings import RunSettings
from genbench.store.store import Store
from genbench.trial.worker import perform_assignment

GAN = "gan[epochs=4]"
GIVEN: dict[str, Any] = {"metrics": "parzen", "reference": "none", "samples": 100}


def read(run: Path) -> EventAccumulator:
    """Return what TensorBoard reads of a trial's folder, which holds one file."""
    assert len(list(run.iterdir())) == 1
    return EventAccumulator(str(run)).Reload()


def points(events: EventAccumulator) -> dict[str, list[tuple[int, float]]]:
    return {
        tag.removeprefix("train/"): [(point.step, point.value) for point in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
        if tag.startswith("train/")
    }


def logged(trial: Path) -> dict[str, list[tuple[int, float]]]:
    """Return what a trial's log holds, in single precision, as TensorBoard keeps it."""
    found: dict[str, list[tuple[int, float]]] = {}
    for line in map(json.loads, (trial / "log.jsonl").read_text().splitlines()):
        for name in line.keys() - {"loop", "epoch", "step"}:
            found.setdefault(name, []).append((line["step"], float(np.float32(line[name]))))
    return found


def runs(results: Path) -> list[Path]:
    return sorted((results / "tensorboard").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["inline", "process"])
def test_training_samples_and_scores_are_there_and_the_results_are_the_same(engine: str, tmp_path: Path) -> None:
    plain, shown = tmp_path / "plain", tmp_path / "shown"
    genbench.run(models=GAN, seeds=2, results=plain, **GIVEN)
    report = genbench.run(models=GAN, seeds=2, results=shown, engine=engine, tensorboard=True, **GIVEN)
    assert contents_of(shown) == contents_of(plain)
    assert [run.name for run in runs(shown)] == sorted(path.name for path in (shown / "trials").iterdir())
    for run in runs(shown):
        events, trial = read(run), shown / "trials" / run.name
        assert points(events) == logged(trial)
        assert len(points(events)["d"]) == 4
        steps = points(events)["d"][-1][0]
        (score,) = (tag for tag in events.Tags()["scalars"] if tag.startswith("scores/"))
        stored = json.loads(next((trial / "metrics").glob("*.json")).read_text())
        assert score == f"scores/parzen[samples=100]-{stored['protocol_id']}"
        assert [(p.step, p.value) for p in events.Scalars(score)] == [(steps, pytest.approx(stored["value"]))]
        (image,) = events.Images("samples")
        assert image.step == steps
        assert Image.open(io.BytesIO(image.encoded_image_string)).size == (image.width, image.height)
        options = events.SummaryMetadata(SESSION_START_INFO_TAG).plugin_data.content
        assert b"epochs" in options
        assert b"digits" in options
    assert not report.damaged


def test_stored_trials_get_their_events_when_they_are_asked_for(tmp_path: Path) -> None:
    genbench.run(models=[GAN, "pca"], seeds=1, results=tmp_path, **GIVEN)
    assert not (tmp_path / "tensorboard").exists()
    before = contents_of(tmp_path)
    for _ in range(2):
        report = genbench.run(models=[GAN, "pca"], seeds=1, results=tmp_path, tensorboard=True, **GIVEN)
        assert not report.plan.todo
        gan, pca = (read(run) for run in runs(tmp_path))
        assert points(gan) == logged(next((tmp_path / "trials").glob("gan-*")))
        assert points(pca) == {}
        assert pca.Tags()["images"] == gan.Tags()["images"] == ["samples"]
    assert contents_of(tmp_path) == before


def board_of(results: Path, model: str = GAN) -> tuple[TensorBoard, str, str]:
    """Return what writes for TensorBoard, a trial's id, and its assignment."""
    planned = planning.plan(RunSettings(model, seeds=1, results=results, checkpoint_every=0, **GIVEN))
    spaces = {planned.grid.datasets[0].digest: planned.data[0].space}
    board = TensorBoard(Store(results), planned.grid.trials(), spaces, Silent())
    trial = planned.grid.trials()[0]
    return board, trial.id, task(planned, trial).spec


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "steps"),
    [(GAN, 1), (GAN, 25), (GAN, 39), *(("layered[epochs=2]", steps) for steps in (3, 12, 20))],
)
def test_no_point_is_lost_or_doubled_where_training_was_interrupted(
    model: str, steps: int, toy: str, tmp_path: Path
) -> None:
    for attempt in range(2):
        board, trial, spec = board_of(tmp_path, model)
        asked = 0

        def stop(last: bool = attempt == 1) -> bool:
            nonlocal asked
            asked += 1
            return not last and asked > steps

        board.started(trial)
        told = perform_assignment(spec, lambda progress, b=board, t=trial: b.progressed(t, progress), stop)
        if attempt == 0:
            assert told["status"] == "interrupted"
            board.close()  # as where the run is killed, it is not told of the end
            continue
        board.ended(trial, Outcome(told["status"]))
    (run,) = runs(tmp_path)
    assert points(read(run)) == logged(tmp_path / "trials" / run.name)


def test_what_an_attempt_that_failed_told_is_not_mixed_with_the_results_that_are_kept(tmp_path: Path) -> None:
    genbench.run(models=GAN, seeds=1, results=tmp_path, **GIVEN)
    board, trial, _ = board_of(tmp_path)
    board.started(trial)
    board.progressed(trial, {"lines": ['{"loop": 0, "epoch": 1, "step": 1, "d": 77.0}']})
    (run,) = runs(tmp_path)
    assert points(read(run)) == {"d": [(1, 77.0)]}, "seen while it trains"
    board.ended(trial, Outcome("failed"))
    assert points(read(run)) == logged(tmp_path / "trials" / run.name)


@pytest.mark.slow
def test_a_run_killed_while_it_trains_goes_on_without_doubled_points(tmp_path: Path) -> None:
    results = tmp_path / "results"
    model = "gan[epochs=150]"
    command = [sys.executable, "-m", "genbench", "run", "-m", model, "--seeds", "1", "--reference", "none", "--samples"]
    command += ["100", "--results", str(results), "--checkpoint-every", "0.1", "--engine", "inline", "--tensorboard"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 300
    try:
        while not any(len(points(read(run)).get("d", [])) > 20 for run in results.glob("tensorboard/*")):
            assert process.poll() is None, "it ended before it was killed"
            assert time.monotonic() < until, "nothing is seen while it trains"
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    assert not list(results.glob("trials/*/log.jsonl"))
    report = genbench.run(models=model, seeds=1, results=results, tensorboard=True, checkpoint_every=0.1, **GIVEN)
    assert report.failed == 0
    (run,) = runs(results)
    assert points(read(run)) == logged(results / "trials" / run.name)
    assert len(points(read(run))["d"]) == 150


def test_a_model_that_fails_keeps_what_it_told(toy: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"metrics": "brightness", "reference": "none", "seeds": 1, "results": tmp_path}
    report = genbench.run(models="toy,faulty", tensorboard=True, **given)
    assert report.failed
    assert [run.name.partition("-")[0] for run in runs(tmp_path)] == ["toy"]


def test_damage_is_told_and_costs_only_its_trial(tmp_path: Path) -> None:
    genbench.run(models=GAN, seeds=2, results=tmp_path, **GIVEN)
    path = next(next((tmp_path / "trials").glob("*-s0-*")).glob("samples/*"))
    stamp = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    report = genbench.run(models=GAN, seeds=2, results=tmp_path, tensorboard=True, **GIVEN)
    assert [run.name.split("-s")[1][0] for run in runs(tmp_path)] == ["1"]
    assert len(report.damaged) == 1
    assert "does not match its checksum" in report.damaged[0]


RUN = ["run", "-m", GAN, "--seeds", "1", "--reference", "none", "--samples", "100", "--tensorboard"]


def test_without_the_package_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.chdir(tmp_path)
    assert main(RUN) == 2
    told = "genbench: --tensorboard: tensorboard is not installed; run: python -m pip install tensorboard\n"
    assert capsys.readouterr().err == told
    assert not list(tmp_path.iterdir())


def test_what_is_in_the_way_is_told_before_anything_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "tensorboard").touch()
    assert main(RUN) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "genbench: cannot write results/tensorboard: File exists"
    assert not (tmp_path / "results" / "trials").exists()


def test_the_command_says_how_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*RUN, "--quiet"]) == 0
    assert "\ntensorboard --logdir results/tensorboard\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("shape", "size", "colours"),
    [((1, 8, 8), (8 * 34 + 2, 8 * 34 + 2), 1), ((3, 40, 30), (8 * 32 + 2, 8 * 42 + 2), 3), ((2, 5, 7), (242, 178), 1)],
)
def test_a_grid_shows_the_first_64_samples_row_by_row(
    shape: tuple[int, int, int], size: tuple[int, int], colours: int
) -> None:
    samples = torch.rand(70, *shape, generator=torch.Generator().manual_seed(0)) * 4 - 1
    image = np.asarray(Image.open(io.BytesIO(grid(samples, (-1.0, 3.0)))))
    assert image.shape == (size[1], size[0], 3)
    k = max(1, 32 // max(shape[1:]))
    top, left = 2 + k * shape[1] + 2, 2 + 2 * (k * shape[2] + 2)
    tile = image[top : top + k * shape[1] : k, left : left + k * shape[2] : k]  # row 1, column 2
    expected = ((samples[8 + 2, :colours] + 1) / 4 * 255).round().permute(1, 2, 0).expand(*shape[1:], 3)
    np.testing.assert_allclose(tile, expected, atol=1)
