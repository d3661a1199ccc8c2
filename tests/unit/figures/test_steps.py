"""Figures at chosen steps: the trial as it was then, which is what shorter trainings come to, and its own end."""

from pathlib import Path
from typing import Any

import drawable
import numpy as np
import pytest
import torch
from matplotlib.image import imread
from trials import contents_of

import genbench
from genbench.cli import main
from genbench.data.folders import cache_folder
from genbench.errors import RequestError, Unsupported
from genbench.figures import canvas, repeated, steps
from genbench.figures.drawing import draw
from genbench.figures.kinds import KINDS, chosen, parse_steps
from genbench.figures.subjects import find
from genbench.figures.trained import Trained
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.testing.fingerprint import changed, of_state
from genbench.trial import restoring

GAN = "gan[epochs=3,latent=1]"
BELL = f"{drawable.__file__}:Bell"
GIVEN: dict[str, Any] = {"metrics": "parzen", "reference": "none", "samples": 100, "seeds": 1}


def trained(results: Path, model: str, dataset: str = "digits", at: tuple[int | None, ...] = ()) -> Trained:
    (subject,) = find(model, results, [dataset]).subjects
    return Trained(subject, Resolver(load_registry(), cache_folder()), torch.device("cpu"), {model, dataset}, at)


def same(one: Any, other: Any) -> bool:
    return not changed(of_state(one), of_state(other))


PLAIN = "gan[marginals=false,epochs=3,latent=1]"  # whose fit does nothing before its first update


@pytest.mark.parametrize("model", [PLAIN, "dbn[epochs=1,burn_in=1]", "layered[epochs=1]"])
def test_the_last_step_is_the_stored_model_and_step_0_the_untrained_one(model: str, toy: str, tmp_path: Path) -> None:
    genbench.run(models=model, results=tmp_path, **GIVEN)
    whole, before = trained(tmp_path, model), contents_of(tmp_path)
    end = whole.subject.first.record.stages["fit"].details["steps"]
    with whole.trial_environment("steps"):
        then = repeated.moments(whole, [0, end])
        built = restoring.built(whole.resolved, whole.space, 0, whole.device)
    assert torch.equal(then[end].samples(20), whole.samples(20))
    assert list(then) == [0, end]
    if model == PLAIN:
        assert same(then[end].model, whole.model)
        z = torch.linspace(-1, 1, 9)[:, None]
        assert torch.equal(then[0].model.decode(z), built.decode(z))  # type: ignore[attr-defined]
        assert not torch.equal(then[0].model.decode(z), whole.model.decode(z))  # type: ignore[attr-defined]
    assert contents_of(tmp_path) == before, "nothing is written to the store"


@pytest.mark.parametrize("select", ["last", "best-valid:1"])
def test_a_step_is_what_a_training_with_that_budget_comes_to(select: str, tmp_path: Path) -> None:
    genbench.run(models=GAN, select=select, threads=2, results=tmp_path / "whole", **GIVEN)
    genbench.run(models=GAN, budget="13steps", threads=2, results=tmp_path / "part", **GIVEN)
    whole, part = trained(tmp_path / "whole", GAN), trained(tmp_path / "part", GAN)
    with whole.trial_environment("steps"):
        then = repeated.moments(whole, [13])
    assert same(then[13].model, part.model)
    assert not same(then[13].model, whole.model)


def test_other_numbers_than_those_stored_are_refused(tmp_path: Path) -> None:
    genbench.run(models=GAN, results=tmp_path, **GIVEN)
    other = trained(tmp_path, GAN)
    with pytest.raises(Unsupported, match=r"logs other numbers in epoch 1 than when it was stored \(.*torch 2"):
        repeated._check_same(other, ['{"loop": 0, "epoch": 1, "step": 10, "d": 77.0}'])
    with pytest.raises(RequestError, match="step 31: its training ended after 30; expected at most that, or end"):
        repeated.moments(other, [3, 31])


def test_panels_stand_side_by_side_over_the_same_x(tmp_path: Path) -> None:
    genbench.run(models=GAN, datasets=BELL, results=tmp_path, **GIVEN)
    at = (0, 5, None)
    subject = trained(tmp_path, GAN, BELL, at)
    with subject.trial_environment("steps"), canvas.defaults():
        figure = steps.draw(subject)
        figure.draw_without_rendering()
    above, below, right = figure.axes[:3], figure.axes[3:6], figure.axes[6:]
    assert [axes.get_title() for axes in above] == ["0 updates", "5 updates", "end: 60"]
    assert len({axes.get_xlim() for axes in figure.axes if axes not in right}) == 1
    assert len({axes.get_ylim() for axes in above}) == 1
    lefts = [axes.get_position().x0 for axes in above]
    assert lefts == sorted(lefts)
    assert len({np.asarray(axes.patches[0].get_data().values).tobytes() for axes in above}) == 3  # type: ignore[attr-defined]
    assert len({np.asarray(axes.lines[0].get_ydata()).tobytes() for axes in right}) == 3
    assert len({np.asarray(axes.lines[12].get_xdata()).tobytes() for axes in below}) == 3
    boxes = [text.get_window_extent() for text in [*figure.texts, *(axes.title for axes in above)]]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert len(figure.legends) == 1


def test_images_stand_in_a_row_of_samples_per_step(tmp_path: Path) -> None:
    genbench.run(models=GAN, results=tmp_path, **GIVEN)
    outcomes = list(draw(GAN, tmp_path, steps=[7, None]))
    assert [outcome.path.name for outcome in outcomes if outcome.path] == ["gan-epochs-3-latent-1-digits-s0-steps.png"]
    shown = imread(outcomes[0].path)[..., 0]  # type: ignore[arg-type]
    subject = trained(tmp_path, GAN)
    with subject.trial_environment("steps"):
        then = repeated.moments(subject, [7])[7].samples(10)
    k, last = 12, subject.samples(10)
    for row, images in enumerate((then, last)):
        top = shown.shape[0] - 12 - 3 - (2 - row) * 104 + 8
        tile = shown[top : top + 96 : k, -12 - 3 - 96 : -12 - 3 : k]
        np.testing.assert_allclose(tile, images[9, 0], atol=1.01 / 255)


# What is asked for ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "read"),
    [("0,200,1000,end", [0, 200, 1000, None]), ("end, 20 ,3", [3, 20, None]), ("5", [5]), ("7,007,7", [7, 7])],
)
def test_steps_are_read_in_order(text: str, read: list[int | None]) -> None:
    assert parse_steps(text) == read


@pytest.mark.parametrize("text", ["", "0,", "-1", "1e3", "last", "1 000", "9" * 13, "end,½", "٣"])
def test_what_is_no_step_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="expected updates of training, and end, as in 0,200,1000,end"):
        parse_steps(text)


def test_too_many_steps_are_refused() -> None:
    with pytest.raises(RequestError, match="13 steps; expected at most 12"):
        parse_steps(",".join(map(str, range(13))))


def test_nothing_is_trained_again_unless_steps_are_given() -> None:
    assert "steps" not in [kind.name for kind in chosen([])]
    assert [kind.name for kind in chosen([], [0])] == ["steps"]
    assert [kind.name for kind in chosen(["walk"], [0])] == ["walk", "steps"]
    assert {kind.name for kind in chosen([])} == KINDS.keys() - {"steps"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--kind", "steps"], "--kind steps: which steps? Give them too: --steps 0,200,1000,end"),
        (["--steps", "all"], "--steps 'all': expected updates of training"),
        (
            ["--steps", "31"],
            "nothing to draw: steps of gan[epochs=3,latent=1] on digits, seed 0: step 31: its training",
        ),
    ],
)
def test_wrong_requests_end_in_one_line(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    genbench.run(models=GAN, results=tmp_path, **GIVEN)
    assert main(["figures", "gan", "--results", str(tmp_path), *arguments]) == 2
    assert told in capsys.readouterr().err.splitlines()[-1]
