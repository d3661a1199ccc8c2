"""Curves as a picture and as a table, of scores that were never trained for."""

import dataclasses

import matplotlib.colors
import pytest

from genbench.output.terminal import as_text
from genbench.ranking.recorded import RecordedMetric
from genbench.registry.search_space import Searched
from genbench.runs.settings import RunSettings
from genbench.trial.identity import Budget
from genbench.tuning.configurations import Configuration
from genbench.tuning.tried import Rung, Tried, TunedModel
from genbench.tuning.tuned import Tuned
from genbench.tuning.tuning_picture import draw
from genbench.tuning.tuning_settings import TuningSettings
from genbench.tuning.tuning_tables import expected

METRIC = RecordedMetric("parzen", "parzen", title="Parzen", unit="nats of $x$")


def tuned(*models: tuple[str, list[float | None]]) -> Tuned:
    """Return what searches came to with these scores, the first of each that of its default."""
    found = []
    for name, scores in models:
        tried = [Tried(Configuration(number, name, {"lr": 0.1}), score) for number, score in enumerate(scores)]
        space = {"lr": Searched("lr", (0.1, 0.2))}
        found.append(TunedModel(name, space, [Rung(Budget(steps=5), tried)], higher_is_better=True))
    return Tuned(found, METRIC, "digits", TuningSettings(RunSettings()), 1.0)


def test_curves_are_told_apart_without_colours() -> None:
    (axes,) = draw(tuned(*((f"m{i}", [1.0 + i, 2.0 + i, 3.0 + i]) for i in range(6)))).axes
    curves = [line for line in axes.lines if line.get_marker() != "None"]
    assert len({(line.get_linestyle(), line.get_marker()) for line in curves}) == 6
    for line in axes.lines:
        red, green, blue = matplotlib.colors.to_rgb(line.get_color())
        assert red == green == blue


def test_the_curve_is_that_of_draws_beside_a_line_for_the_default() -> None:
    (axes,) = draw(tuned(("gan", [9.0, 1.0, 3.0]))).axes
    curve, default = axes.lines
    assert list(curve.get_xdata()) == [1, 2]
    assert list(curve.get_ydata()) == pytest.approx([2.0, 2.5])
    assert set(default.get_ydata()) == {9.0}


def test_a_disaster_leaves_room_for_what_is_compared() -> None:
    (axes,) = draw(tuned(("gan", [9.0, -1e6, *range(1, 30)]))).axes
    low, high = axes.get_ylim()
    assert low > -1000
    assert low < 9 < 29 < high


def test_a_search_without_scores_is_drawn_all_the_same() -> None:
    (axes,) = draw(tuned(("gan", [1.0]), ("vae", [None, None]))).axes
    assert len(axes.lines) == 3  # two curves of nothing, and a default


def test_the_table_of_curves_fits_a_terminal_whatever_models_are_called() -> None:
    long = "gan[" + ",".join(f"option{i}=0.001" for i in range(12)) + "]"
    text = as_text([expected(tuned((long, [1.0, 2.0, 3.0]), (long.replace("gan", "vae"), [2.0, 5.0, None])))])
    assert max(map(len, text.splitlines())) <= 80
    assert "default" in text


def test_a_draw_without_a_score_counts_as_the_worst_of_its_model() -> None:
    (higher,) = tuned(("gan", [2.0, None, 5.0, None])).models
    assert sorted(higher.scores) == [2.0, 2.0, 5.0]
    assert sorted(dataclasses.replace(higher, higher_is_better=False).scores) == [5.0, 5.0, 5.0]
    assert tuned(("gan", [3.0, None])).models[0].curve == []
