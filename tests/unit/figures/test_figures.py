"""Figures of stored trials: what is in them pixel by pixel, that they are the same each time, and what is refused."""

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import drawable
import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.image import imread
from trials import shared_by_tests

import genbench
from genbench import files
from genbench.abilities import ABILITIES
from genbench.cli import main
from genbench.data.folders import cache_folder
from genbench.errors import RequestError
from genbench.figures import canvas, curves, denoising, samples, walk
from genbench.figures.arrangement import Layout, parse_grid
from genbench.figures.drawing import Outcome, draw
from genbench.figures.kinds import KINDS
from genbench.figures.lacking import Lacking
from genbench.figures.subjects import find
from genbench.figures.trained import Trained
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.store.store import Store

FILE = drawable.__file__
ABLE, BELL = f"{FILE}:Able", f"{FILE}:Bell"
COLOUR, ODD = f"{FILE}:Noise", f"{FILE}:Noise[channels=2,height=5,width=7]"
GAN = "gan[epochs=2,latent=1]"


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the results of small trials."""
    folder = tmp_path_factory.mktemp("trials")
    with shared_by_tests(tmp_path_factory):
        given: dict[str, Any] = {"metrics": "parzen", "reference": "none", "samples": 100, "results": folder}
        genbench.run(models=[ABLE, GAN], seeds=2, **given)
        genbench.run(models=[ABLE, "pca"], datasets=[BELL, COLOUR, ODD], seeds=[3], **given)
    return folder


@pytest.fixture
def results(trials: Path, tmp_path: Path) -> Path:
    """Return a copy of the results of small trials, to be spoilt."""
    return Path(shutil.copytree(trials, tmp_path / "results"))


def trained(results: Path, model: str, dataset: str) -> Trained:
    subject = find(model, results, [dataset]).subjects[0]
    return Trained(subject, Resolver(load_registry(), cache_folder()), torch.device("cpu"), {model, dataset})


def drawn(asked: str, results: Path, output: Path, **given: Any) -> dict[str, Path]:
    """Return the figures drawn of one subject, by kind."""
    outcomes = list(draw(asked, results, output, **given))
    assert not any(outcome.failed for outcome in outcomes), outcomes
    return {outcome.path.stem.rpartition("-")[2]: outcome.path for outcome in outcomes if outcome.path}


def pixels(path: Path) -> np.ndarray:
    return imread(path)[..., :3].astype(float)


def tile(image: np.ndarray, row: int, column: int, rows: int, shape: tuple[int, int], left: int = 12) -> np.ndarray:
    """Return one tile of a grid at the bottom of a figure, a value for each of its pixels, all of which must be equal."""
    k = canvas.scale(*shape)
    h, w = k * shape[0], k * shape[1]
    top = image.shape[0] - 12 - 3 - (rows - row) * (h + 8) + 8
    x = left + 3 + column * (w + 8)
    part = image[top : top + h, x : x + w].reshape(shape[0], k, shape[1], k, 3)
    assert (part == part[:, :1, :, :1]).all()
    return part[:, 0, :, 0]


def close(shown: np.ndarray, image: torch.Tensor, bounds: tuple[float, float] = (0.0, 1.0)) -> None:
    """Assert that a tile shows an image (C, H, W): its three colours, or its first channel as grey."""
    low, high = bounds
    values = (image.numpy().astype(float) - low) / (high - low)
    values = values if len(values) == 3 else values[:1].repeat(3, 0)
    np.testing.assert_allclose(shown, values.transpose(1, 2, 0), atol=1.01 / 255)


# What is drawn -------------------------------------------------------------------------------------------------------


def test_no_image_made_elsewhere_is_shown_twice_for_want_of_others(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((12, 1, 8, 8), dtype=np.float32)
    given: dict[str, Any] = {"metrics": "parzen[samples=10]", "reference": "none", "results": tmp_path / "results"}
    genbench.evaluate({"ours": images}, **given)
    had = trained(tmp_path / "results", "ours", "digits").samples(20)
    assert sorted(had.flatten(1).tolist()) == sorted(images.reshape(12, -1).tolist())
    with pytest.raises(
        RequestError, match=r"left out of ours on digits, seed 0: samples \(12 images, of 20 to be shown\)"
    ):
        list(draw("ours", tmp_path / "results", kinds=["samples"]))


@pytest.mark.parametrize(
    ("dataset", "kinds"),
    [
        ("digits", ["samples", "walk", "reconstructions", "denoising", "inpainting", "classes", "curves"]),
        (BELL, ["density", "curves"]),
        (COLOUR, ["samples", "walk", "reconstructions", "denoising", "inpainting", "curves"]),
    ],
)
def test_every_kind_that_is_for_the_data_is_drawn_each_time_the_same(
    dataset: str, kinds: list[str], trials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = drawn(ABLE, trials, tmp_path / "a", datasets=[dataset])
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 30)
    monkeypatch.setitem(matplotlib.rcParams, "savefig.dpi", 30)
    torch.rand(3)
    again = drawn(ABLE, trials, tmp_path / "b", datasets=[dataset])
    assert list(first) == kinds
    for kind, path in first.items():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.read_bytes() == again[kind].read_bytes(), kind


@pytest.mark.parametrize(
    ("dataset", "shape", "bounds", "size"),
    [
        ("digits", (8, 8), (0.0, 1.0), (646, 414)),
        (COLOUR, (32, 32), (-1.0, 3.0), (838, 542)),
        (ODD, (5, 7), (-1.0, 3.0), (658, 310)),
    ],
)
def test_samples_stand_beside_their_nearest_training_image(
    dataset: str,
    shape: tuple[int, int],
    bounds: tuple[float, float],
    size: tuple[int, int],
    trials: Path,
    tmp_path: Path,
) -> None:
    subject = trained(trials, ABLE, dataset)
    image = pixels(drawn(ABLE, trials, tmp_path, datasets=[dataset], kinds=["samples"])["samples"])
    width, body = size
    assert image.shape[1] == width
    lines = (image.shape[0] - body - 12 - 8 - 12) / 18
    assert lines in (2, 3, 4, 5, 6)  # the path of this file may be long
    x, train = subject.samples(20), subject.data.split("train").images
    for row in range(4):
        for column in range(5):
            close(tile(image, row, column, 4, shape), x[5 * row + column], bounds)
        brute = min(
            range(len(train)), key=lambda i: float((train[i].double() - x[5 * row + 4].double()).square().sum())
        )
        close(tile(image, row, 5, 4, shape), train[brute], bounds)


def test_the_samples_are_those_that_were_scored_and_the_same_where_they_are_drawn_anew(trials: Path) -> None:
    subject = trained(trials, GAN, "digits")
    stored = subject.samples(1000)
    subject._record = subject._record.without("samples")
    assert torch.equal(subject.samples(1000), stored)
    assert torch.equal(subject.samples(1500)[:1000], stored)


def test_the_nearest_image_is_the_first_of_equals() -> None:
    x = torch.tensor([[0.0, 1.0], [5.0, 5.0]])
    assert samples.nearest(x, torch.tensor([[9.0, 9.0], [0.0, 1.1], [0.0, 1.1], [4.0, 5.0]])).tolist() == [1, 3]


def test_a_walk_goes_through_its_anchors_in_equal_steps_and_closes() -> None:
    anchors = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    points = walk.path(anchors, walk.segments(10))
    assert points.shape == (20, 4)
    at = [0, 3, 6, 9, 10, 13, 16, 19]
    assert torch.equal(points[at], anchors[[0, 1, 2, 3, 3, 4, 5, 0]])
    for start in (0, 3, 6, 10, 13, 16):
        steps = points[start + 1 : start + 4] - points[start : start + 3]
        torch.testing.assert_close(steps, (points[start + 3] - points[start]).expand(3, 4) / 3)


def test_the_ends_of_a_walk_are_the_decoded_anchors(trials: Path, tmp_path: Path) -> None:
    subject = trained(trials, GAN, "digits")
    image = pixels(drawn(GAN, trials, tmp_path, datasets=["digits"], kinds=["walk"])["walk"])
    model: Any = subject.model
    anchors = model.decode(model.latents(6, subject.generator("walk")))
    for (row, column), anchor in zip([(0, 0), (0, 9), (1, 0), (1, 9)], anchors[[0, 3, 3, 0]], strict=True):
        close(tile(image, row, column, 2, (8, 8)), anchor)
    frame = image[-12 - 96 - 5, 12 + 10]
    np.testing.assert_allclose(frame, canvas.MARK, atol=1 / 255)


def test_reconstructions_and_inpaintings_show_the_image_itself_first(trials: Path, tmp_path: Path) -> None:
    found = drawn(ABLE, trials, tmp_path, datasets=["digits"], kinds=["reconstructions", "inpainting"])
    subject = trained(trials, ABLE, "digits")
    x = subject.data.split("valid").images
    close(tile(pixels(found["reconstructions"]), 0, 0, 4, (8, 8)), x[0])
    close(tile(pixels(found["reconstructions"]), 0, 1, 4, (8, 8)), subject.model.reconstruct(x[:1])[0])  # type: ignore[attr-defined]
    inpainted = pixels(found["inpainting"])
    for row in range(4):
        close(tile(inpainted, row, 0, 4, (8, 8)), x[row])
        ways = [tile(inpainted, row, column, 4, (8, 8)) for column in range(2, 6)]
        for way in ways:
            close(way[:, :4], x[row, :, :, :4])
        assert len({way.tobytes() for way in ways}) == 4


def test_denoising_shows_what_is_made_of_noisy_images_and_of_those_with_hidden_pixels(
    trials: Path, tmp_path: Path
) -> None:
    image = pixels(drawn(ABLE, trials, tmp_path, datasets=["digits"], kinds=["denoising"])["denoising"])
    subject = trained(trials, ABLE, "digits")
    x, generator = subject.data.split("valid").images[:10], subject.generator("denoising")
    noisy = denoising.noisy(x, (0.0, 1.0), generator)
    masked = denoising.masked(x, (0.0, 1.0), generator)
    model: Any = subject.model
    left = image.shape[1] - 12 - 6 - 10 * 104 + 8
    for row, expected in enumerate((x, noisy, model.reconstruct(noisy), masked, model.reconstruct(masked))):
        for column in (0, 9):
            close(tile(image, row, column, 5, (8, 8), left), expected[column])


def test_noise_and_hidden_pixels_are_as_many_as_is_said() -> None:
    x, generator = torch.full((50, 3, 20, 20), 1.0), torch.Generator().manual_seed(0)
    noise = denoising.noisy(x, (-19.0, 21.0), generator) - x  # 2 standard deviations to either bound
    assert (noise.abs() < 10).float().mean().item() == pytest.approx(0.6827, abs=0.01)  # one standard deviation
    assert noise.min() == -20
    assert noise.max() == 20
    hidden = denoising.masked(x, (-19.0, 21.0), generator) == -19
    assert hidden.float().mean().item() == pytest.approx(denoising.HIDDEN, abs=0.01)
    assert (hidden == hidden[:, :1]).all(), "in all channels"


def test_rows_of_classes_are_in_order(trials: Path, tmp_path: Path) -> None:
    image = pixels(drawn(ABLE, trials, tmp_path, datasets=["digits"], kinds=["classes"])["classes"])
    left = image.shape[1] - 12 - 6 - 10 * 104 + 8
    means = [[tile(image, row, column, 10, (8, 8), left).mean() for column in range(10)] for row in range(10)]
    for lower, upper in pairwise(means):
        assert max(lower) < min(upper)


def test_the_density_of_samples_integrates_to_one_and_lines_go_from_z_to_x(trials: Path) -> None:
    from genbench.figures import density

    subject = trained(trials, ABLE, BELL)
    with subject.trial_environment("density"), canvas.defaults():
        figure = density.draw(subject)
        z, x = density.mapping(subject) or pytest.fail("z has one value")
    above, below, right = figure.axes[0], figure.axes[1], figure.axes[2]
    heights = above.patches[0].get_data()  # type: ignore[attr-defined]
    assert (heights.values * np.diff(heights.edges)).sum() == pytest.approx(1, abs=0.01)
    grid, p = above.lines[0].get_data()
    np.testing.assert_allclose(p, np.exp(-((np.asarray(grid) - 0.5) ** 2) / 2) / np.sqrt(2 * np.pi), atol=1e-6)
    assert right.get_ylim() == (0, 1)
    assert len(below.lines) == density.LINES
    np.testing.assert_allclose(z, (np.arange(25) + 0.5) / 25, atol=0.02)
    decoded = subject.model.decode(torch.tensor([[0.5]]))  # type: ignore[attr-defined]
    assert x[12] == pytest.approx(decoded.item(), abs=0.05)


# Learning curves -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "together"),
    [
        ([{"loop": 0, "step": 1, "d": 0.6, "g": 3.0}], [["d", "g"]]),
        ([{"loop": 0, "step": 1, "rec": -97.0, "kl": 1.9}], [["rec", "kl"]]),
        ([{"loop": 0, "step": 1, "loss": 0.1}, {"loop": 1, "step": 2, "loss": 0.1, "t": 1.0}], [["loss"], ["t"]]),
        ([{"loop": 0, "step": 1, "loss": 2e4, "lr": 1e-3, "size": 1e4}], [["lr"], ["loss", "size"]]),
        ([{"loop": 0, "step": 1, "zero": 0.0, "also": 0.0}], [["zero", "also"]]),
        ([], []),
    ],
)
def test_scalars_logged_together_and_of_like_size_share_a_panel(
    lines: list[dict[str, float]], together: list[list[str]]
) -> None:
    assert [list(panel) for panel in curves.panels([lines])] == together


def test_the_mean_is_over_the_updates_that_all_seeds_logged() -> None:
    steps, values = curves.mean([{10: 1.0, 20: 3.0, 30: 5.0}, {10: 2.0, 20: 5.0}])
    assert steps.tolist() == [10, 20]
    assert values.tolist() == [1.5, 4.0]


@pytest.mark.parametrize("line", ['{"loss": 1}', '{"step": 1, "loss": "much"}'])
def test_what_is_no_log_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(line + "\n")
    with pytest.raises(ValueError, match="expected numbers by name, among them step"):
        curves.read(tmp_path / "log.jsonl")


# The canvas ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "k"),
    [((8, 8), 12), ((28, 28), 4), ((5, 7), 14), ((1, 1), 96), ((128, 96), 4), ((256, 256), 2), ((4000, 9), 1)],
)
def test_pixels_are_enlarged_to_four_unless_the_image_is_large(shape: tuple[int, int], k: int) -> None:
    assert canvas.scale(*shape) == k


def test_values_outside_the_bounds_are_clipped_and_nan_is_refused() -> None:
    (shown,) = canvas.tiles(torch.tensor([[[[-9.0, 1.0, 9.0]]]]), (-1.0, 3.0))
    assert shown[0, :, 0].tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(ValueError, match="images that are not finite"):
        canvas.tiles(torch.full((1, 1, 2, 2), torch.nan), (0.0, 1.0))


@pytest.mark.parametrize(
    "shows", ["short", "many words " * 40, "W" * 500, "a $ sign, $\\frac and $x$", "数字 of a kind"]
)
def test_no_text_leaves_the_figure_or_lies_on_another(shows: str, trials: Path) -> None:
    subject = trained(trials, ABLE, "digits")
    white = [np.ones((8, 8, 3))] * 2
    with canvas.defaults():
        figure = canvas.grid(subject, shows, [white] * 3, labels=["0", "10", "200"])
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in figure.texts]
    width, height = figure.get_size_inches() * figure.dpi
    title = boxes[0]
    assert all(box.y0 >= 0 and box.y1 <= height and box.x0 >= 0 for box in boxes)
    assert title.x1 <= width or "W" in shows
    grid_height = 3 * 104 - 8 + 6
    assert title.y0 >= 12 + grid_height
    for above, below in pairwise(boxes):
        assert above.y0 > below.y1


# The layout ----------------------------------------------------------------------------------------------------------


def size(rows: int, columns: int) -> tuple[int, int]:
    """Return height and width in pixels of a grid of digits without a title and labels."""
    return 2 * 12 + 6 + 104 * rows - 8, 2 * 12 + 6 + 104 * columns - 8


def test_a_grid_has_as_many_rows_and_columns_as_are_asked_for(trials: Path, tmp_path: Path) -> None:
    asked = Layout((2, 5), titles=False)
    found = drawn(ABLE, trials, tmp_path, datasets=["digits"], layout=asked)
    shapes = {
        kind: pixels(path).shape[:2] for kind, path in found.items() if kind not in ("curves", "denoising", "classes")
    }
    pairs = 4 * 8 + 10 * 104 - 8  # pairs stand apart
    assert shapes == {
        "samples": size(2, 6),
        "walk": size(2, 5),
        "reconstructions": (size(2, 1)[0], 2 * 12 + 6 + pairs),
        "inpainting": size(2, 7),
    }
    assert pixels(found["classes"]).shape[0] == size(2, 1)[0], "two classes"
    assert pixels(found["denoising"]).shape[0] == size(5, 1)[0], "its rows have a meaning each"
    shown = trained(trials, ABLE, "digits").samples(10)
    for row in range(2):
        for column in range(5):
            close(tile(pixels(found["samples"]), row, column, 2, (8, 8)), shown[5 * row + column])


def test_without_titles_the_images_alone_are_left(trials: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"datasets": ["digits"], "kinds": ["samples", "curves", "classes"]}
    titled, bare = (
        drawn(ABLE, trials, tmp_path / str(titles), layout=Layout(titles=titles), **given) for titles in (True, False)
    )
    image = pixels(bare["samples"])
    assert image.shape[:2] == size(4, 6)
    np.testing.assert_array_equal(image[12:], pixels(titled["samples"])[-len(image) + 12 :])
    assert len(pixels(bare["classes"])) < len(pixels(titled["classes"]))
    assert bare["curves"].read_bytes() != titled["curves"].read_bytes()


def test_a_walk_of_any_length_begins_and_ends_at_anchors() -> None:
    assert [walk.segments(length) for length in (2, 4, 5, 10, 12)] == [[1], [3], [3, 1], [3, 3, 3], [3, 3, 3, 2]]
    anchors = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    points = walk.path(anchors, [3, 1])
    assert points.shape == (15, 4)
    assert torch.equal(points[[0, 3, 4, 5, 8, 9, 10, 13, 14]], anchors[[0, 1, 2, 2, 3, 4, 4, 5, 0]])


def test_pdf_files_are_equal_each_time_and_their_letters_are_truetype(trials: Path, tmp_path: Path) -> None:
    for dataset, kinds in (("digits", ["samples", "curves"]), (BELL, ["density"])):
        given: dict[str, Any] = {"datasets": [dataset], "kinds": kinds, "layout": Layout(form="pdf")}
        first, again = (drawn(ABLE, trials, tmp_path / name, **given) for name in "ab")
        for kind, path in first.items():
            content = path.read_bytes()
            assert (path.suffix, content[:5]) == (".pdf", b"%PDF-")
            assert content == again[kind].read_bytes()
            assert b"/FontFile2" in content, "the outlines of TrueType"
            assert b"/Type3" not in content
            assert not re.search(rb"/(CreationDate|Creator|Producer)\b", content)


@pytest.mark.parametrize("text", ["4", "0x5", "4x0", "41x1", "1x41", "axb", "4x5x6", "-1x5", "1e9x2", "9" * 30 + "x1"])
def test_a_grid_beyond_its_bounds_is_refused(text: str) -> None:
    with pytest.raises(
        RequestError, match=r"^--grid '.*': expected ROWSxCOLUMNS, each from 1 to 40, as in 4x8 for 4 rows"
    ):
        parse_grid(text)


def test_a_grid_that_would_take_gigabytes_is_left_out_in_words(trials: Path) -> None:
    assert parse_grid(" 40 X 40") == (40, 40)
    large = [[np.zeros((128, 128, 3))] * 40] * 40
    with pytest.raises(Lacking, match=r"20,798 x 20,798 pixels are too many, give fewer images: --grid"):
        canvas.grid(trained(trials, ABLE, "digits"), "", large)


def test_the_command_takes_a_layout(
    trials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["figures", GAN, "--results", str(trials), "-o", str(tmp_path), "-d", "digits"]
    assert main([*line, "--kind", "samples,walk", "--format", "pdf", "--grid", "1x1", "--no-titles"]) == 0
    assert [path.name for path in tmp_path.glob("*samples*")] == ["gan-epochs-2-latent-1-digits-s0-samples.pdf"]
    told = capsys.readouterr()
    assert "walk (a walk has two images in a row or more)" in told.err
    assert main([*line, "--grid", "big"]) == 2
    assert "expected ROWSxCOLUMNS" in capsys.readouterr().err


# What is asked for ---------------------------------------------------------------------------------------------------


def paths(outcomes: list[Outcome]) -> list[str]:
    return [outcome.path.name for outcome in outcomes if outcome.path]


def test_a_trial_is_found_by_id_prefix_name_and_path(trials: Path, tmp_path: Path) -> None:
    folder = next((trials / "trials").glob("gan-*digits-s1-*"))
    trial_id = folder.name.rpartition("-")[2]
    for asked in (trial_id, trial_id[:8], folder.name, str(folder)):
        results = Path("nowhere") if asked == str(folder) else trials
        outcomes = list(draw(asked, results, tmp_path, kinds=["curves"]))
        assert paths(outcomes) == ["gan-epochs-2-latent-1-digits-s1-curves.png"]


@pytest.mark.parametrize("asked", [GAN, "gan", "gan[epochs=2,latent=1]"])
def test_a_model_is_found_by_label_or_name_and_drawn_of_its_least_seed(
    asked: str, trials: Path, tmp_path: Path
) -> None:
    outcomes = list(draw(asked, trials, tmp_path, datasets=["digits"], kinds=["samples", "curves"]))
    assert paths(outcomes) == [f"gan-epochs-2-latent-1-digits-s0-{kind}.png" for kind in ("samples", "curves")]


def test_trials_of_one_name_do_not_overwrite_each_other(results: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"metrics": "parzen", "reference": "none", "samples": 100, "results": results}
    report = genbench.run(models=GAN, budget="3steps", seeds=1, **given)
    outcomes = list(draw(GAN, results, tmp_path, kinds=["curves"], datasets=["digits"]))
    names = paths(outcomes)
    assert len(set(names)) == 2
    assert f"gan-epochs-2-latent-1-digits-s0-{report.plan.todo[0].id}-curves.png" in names


def test_code_in_a_file_that_only_a_record_names_is_not_run(results: Path, tmp_path: Path) -> None:
    outcomes = list(draw("", results, tmp_path))
    told = [outcome.shows for outcome in outcomes if "is code in a file" in outcome.shows]
    assert any(
        f"model {ABLE} is code in a file, which is run only where you name it: give {ABLE}" in text for text in told
    )
    assert any(f"give --dataset {BELL}" in text for text in told)
    assert not any(outcome.failed for outcome in outcomes)
    drawn = paths(outcomes)
    assert {name.rpartition("-")[2] for name in drawn if name.startswith("able")} == {"curves.png"}
    assert "gan-epochs-2-latent-1-digits-s0-samples.png" in drawn


def test_what_a_model_cannot_do_is_left_out_and_told(trials: Path, tmp_path: Path) -> None:
    outcomes = list(draw("pca", trials, tmp_path, datasets=[COLOUR]))
    assert [name.rpartition("-")[2] for name in paths(outcomes)] == [
        "samples.png",
        "reconstructions.png",
        "denoising.png",
    ]
    assert outcomes[-1].shows == (
        f"left out of pca on {COLOUR}, seed 3: walk (no latents), inpainting (no inpaint), "
        "classes (no sample_class), curves (its training logged nothing)"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["gam"], "no model or trial 'gam' in results. Did you mean gan?"),
        (["vae"], "no model or trial 'vae' in results. Expected a trial's id or folder, a results folder, or one of: "),
        (["gan", "--kind", "walks"], "unknown kind of figure 'walks'. Did you mean walk?"),
        (["gan", "-d", "mnist"], "no trial on 'mnist'; expected some of: "),
        (["gan", "--results", "nowhere"], "no results in nowhere: expected a folder that genbench run wrote to"),
        (["gan", "-d", "digits", "--kind", "inpainting"], "nothing to draw: left out of gan"),
        (["gan", "-d", "digits", "--kind", "density"], "density (for data of a single value, not of 64)"),
        (["gan", "--device", "tpu"], "--device 'tpu': expected auto, cpu, cuda or cuda:N"),
        (["gan", "-d", "digits", "-o", "taken"], "cannot write taken/gan-epochs-2-latent-1-digits-s0-samples.png"),
    ],
)
def test_wrong_requests_end_in_one_line(
    arguments: list[str], told: str, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(results.parent)
    Path("taken").touch()
    assert main(["figures", *arguments]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("genbench: ")
    assert told in line


def test_the_command_prints_each_path_and_writes_beside_the_trials(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(results.parent)
    assert main(["figures", "gan", "--dataset", "digits", "--kinds", "walk,samples"]) == 0
    printed = capsys.readouterr()
    for line, kind in zip(printed.out.splitlines(), ("walk", "samples"), strict=True):
        path, _, shows = line.partition(": ")
        assert path == f"results/figures/gan-epochs-2-latent-1-digits-s0-{kind}.png"
        assert Path(path).is_file()
        assert shows == KINDS[kind].shows
    assert Store(results).get(find("gan", results).subjects[0].first.record.id) is not None


# Where the data are not here ------------------------------------------------------------------------------------------


@pytest.fixture
def received(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return results on somebody's own images, and figures of them in `before`, once these images are elsewhere."""
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)
    np.savez("own.npz", x_train=images[:40], y_train=np.arange(40) % 2, x_test=images[40:], y_test=np.arange(20) % 2)
    models = ["gan[epochs=2,latent=1]", "vae[epochs=1]"]
    genbench.run(models, "parzen", "npz:own.npz", reference="none", samples=50, seeds=1, results="results")
    drawn("", Path("results"), Path("before"))
    Path("own.npz").unlink()
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "another-cache"))
    return Path("results")


def test_of_a_received_folder_all_is_drawn_that_shows_no_training_image(received: Path, tmp_path: Path) -> None:
    outcomes = list(draw("", received, tmp_path / "after"))
    assert not any(outcome.failed for outcome in outcomes), outcomes
    gan, vae = "gan-epochs-2-latent-1-npz-s0", "vae-epochs-1-npz-s0"
    assert paths(outcomes) == [
        *(f"{gan}-{kind}.png" for kind in ("samples", "walk", "curves")),
        *(f"{vae}-{kind}.png" for kind in ("samples", "walk", "curves")),
    ]
    told = [outcome.shows for outcome in outcomes]
    assert (
        sum("without its data, and what shows them: npz file 'own.npz': there is no such file" in text for text in told)
        == 2
    )
    assert sum("without the training images nearest to them" in text for text in told) == 2
    assert any("reconstructions (its data are not here), denoising (its data are not here)" in text for text in told)
    for name in (f"{gan}-walk.png", f"{gan}-curves.png", f"{vae}-walk.png"):
        assert (tmp_path / "after" / name).read_bytes() == (tmp_path / "before" / name).read_bytes(), name
    before, after = (pixels(tmp_path / side / f"{gan}-samples.png") for side in ("before", "after"))
    for row in range(4):
        for column in range(5):
            shown = tile(after, row, column, 4, (8, 8))
            np.testing.assert_array_equal(shown, tile(before, row, column, 4, (8, 8)))


def test_other_data_under_the_name_are_not_shown(received: Path, tmp_path: Path) -> None:
    np.savez("own.npz", x_train=np.zeros((30, 8, 8), np.uint8), x_test=np.ones((30, 8, 8), np.uint8))
    outcomes = list(draw("gan", received, tmp_path / "after", kinds=["samples"]))
    assert [outcome.path is not None for outcome in outcomes] == [False, True]
    assert "is no longer the data that was trained on" in outcomes[0].shows


def test_steps_need_the_data(received: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="nothing to draw: gan.* without its data"):
        list(draw("gan", received, tmp_path / "after", steps=[0, None]))


def test_a_record_without_the_space_is_told_as_before(received: Path, tmp_path: Path) -> None:
    for path in received.glob("trials/*/trial.json"):
        record = json.loads(path.read_text())
        del record["dataset"]["space"], record["sha256"]
        path.write_text(files.sealed(record))
    outcomes = list(draw("gan", received, tmp_path / "after"))
    assert paths(outcomes) == ["gan-epochs-2-latent-1-npz-s0-curves.png"]
    assert outcomes[0].failed
    assert (
        "no pictures of gan[epochs=2,latent=1] on npz:own.npz, seed 0: npz file 'own.npz': there is no such file"
        in outcomes[0].shows
    )


# What is wrong with what is stored -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "lost"),
    [("model.safetensors", {"samples", "walk"}), ("log.jsonl", {"curves"}), ("samples/*.safetensors", {"samples"})],
)
def test_a_damaged_file_costs_only_what_needs_it(name: str, lost: set[str], results: Path, tmp_path: Path) -> None:
    path = next(next((results / "trials").glob("gan-*digits-s0-*")).glob(name))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    outcomes = list(draw("gan", results, tmp_path, datasets=["digits"]))
    kinds = {name.rpartition("-")[2].removesuffix(".png") for name in paths(outcomes)}
    assert kinds == {"samples", "walk", "curves"} - lost
    assert [outcome.shows for outcome in outcomes if outcome.failed and "does not match its checksum" in outcome.shows]


def test_a_damaged_record_is_told_and_the_others_drawn(results: Path, tmp_path: Path) -> None:
    next((results / "trials").glob("gan-*digits-s0-*/trial.json")).write_text("{")
    outcomes = list(draw("gan", results, tmp_path, datasets=["digits"], kinds=["curves"]))
    assert outcomes[0].failed
    assert outcomes[0].shows.startswith("not read: ")
    assert paths(outcomes) == ["gan-epochs-2-latent-1-digits-s1-curves.png"]


def test_a_model_that_is_no_longer_what_was_trained_is_not_drawn(tmp_path: Path) -> None:
    source = tmp_path / "mine.py"
    source.write_text(Path(FILE).read_text())
    model = f"{source}:Able"
    genbench.run(models=model, metrics="parzen", reference="none", samples=100, seeds=1, results=tmp_path / "results")
    source.write_text(source.read_text().replace("0.99", "0.98"))
    outcomes = list(draw(model, tmp_path / "results", tmp_path / "figures"))
    assert paths(outcomes) == ["able-digits-s0-curves.png"]
    assert "is not what was trained (version 1 of" in outcomes[0].shows
    assert outcomes[0].failed


def test_a_model_that_raises_costs_only_that_figure(tmp_path: Path) -> None:
    source = tmp_path / "mine.py"
    source.write_text(Path(FILE).read_text().replace("return (x + self.mean_) / 2", "raise OSError('no luck\\ntoday')"))
    model = f"{source}:Able"
    genbench.run(models=model, metrics="parzen", reference="none", samples=100, seeds=1, results=tmp_path / "results")
    outcomes = list(draw(model, tmp_path / "results"))
    failed = [outcome.shows for outcome in outcomes if outcome.failed]
    assert failed == [
        f"{kind} of {model} on digits, seed 0: OSError: no luck today" for kind in ("reconstructions", "denoising")
    ]
    assert len(paths(outcomes)) == 5


def test_a_trial_without_a_model_is_told(toy: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"metrics": "brightness", "reference": "none", "seeds": 1, "results": tmp_path / "results"}
    genbench.run(models="toy,faulty", **given)
    outcomes = list(draw("", tmp_path / "results"))
    assert outcomes[0].shows.startswith(
        "faulty on digits, seed 0: it has no trained model (failed: ValueError: no luck"
    )
    assert paths(outcomes) == ["toy-digits-s0-samples.png", "toy-digits-s0-curves.png"]
    with pytest.raises(
        genbench.GenbenchError, match="nothing to draw: faulty on digits, seed 0: it has no trained model"
    ):
        list(draw("faulty", tmp_path / "results"))


def test_every_kind_asks_for_abilities_that_there_are() -> None:
    assert {ability for kind in KINDS.values() for ability in kind.abilities} <= set(ABILITIES)


@pytest.mark.slow
def test_figures_are_drawn_whatever_backend_a_notebook_sets(toy: str, tmp_path: Path) -> None:
    """MPLBACKEND names one that only the notebook's own process has."""
    environment = {
        **os.environ,
        "MPLBACKEND": "module://no_such_package.backend_inline",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "GENBENCH_ENGINE": "inline",
    }
    command = (
        "run --models toy --metric brightness --seeds 1 --reference none",
        "figures toy",
    )
    for line in command:
        done = subprocess.run(
            [sys.executable, "-m", "genbench", *line.split()],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
    assert list(tmp_path.rglob("*.png"))
