"""Pictures of boards: every seed is drawn, and one model far off does not flatten the others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import scores

from genbench.html_report.cost_plot import Point, costs, front
from genbench.html_report.cost_plot import draw as draw_costs
from genbench.html_report.dot_plot import draw, limits
from genbench.ranking.board import boards


def test_seeds_means_and_intervals_are_drawn_where_they_are() -> None:
    board = boards([*scores("vae", [30.0, 31.0, 32.0]), *scores("gan", [20.0, 21.0, 25.0])])[0]
    axes = draw(board).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["vae", "gan"]
    lines = [line.get_xdata() for line in axes.get_lines()]
    first = board.rows[0].summary
    assert np.allclose(lines[0], [first.low, first.high])
    assert np.allclose(lines[1], [30, 31, 32])
    assert np.allclose(lines[2], [31])
    assert axes.get_xlim()[0] < 20 < 32 < axes.get_xlim()[1]
    assert [text.get_text() for text in axes.texts] == ["rank 1", "rank 2"]


def test_a_score_far_off_is_written_at_the_edge() -> None:
    rows = [row for n in range(5) for row in scores(f"m{n}", [30.0 + n, 30.5 + n, 31.0 + n])]
    axes = draw(boards([*rows, *scores("lost", [-9000.0, -9001.0, -9002.0])])[0]).axes[0]
    assert axes.get_xlim()[0] > 0
    assert "◂ -9001" in [text.get_text() for text in axes.texts]


def test_names_are_drawn_as_they_are_and_letters_begin_no_formula() -> None:
    figure = draw(boards([*scores("a$x^$", [1.0, 2.0]), *scores("b$", [1.0, 2.0])])[0])
    labels = figure.axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["a$x^$", "b$"]
    assert not any(label.get_parse_math() for label in labels)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e3)), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_an_axis_holds_the_middle_half_of_what_is_drawn(spans: list[tuple[float, float]]) -> None:
    quarter = len(spans) // 4
    least = sorted(low for low, _ in spans)[quarter]
    greatest = sorted(low + width for low, width in spans)[-1 - quarter]
    low, high = limits([(low, low + width) for low, width in spans])
    assert low < min(least, greatest)
    assert max(least, greatest) < high


@pytest.mark.parametrize("higher_is_better", [True, False])
@given(points=st.lists(st.tuples(st.integers(1, 6), st.integers(-3, 3)), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_the_front_is_what_nothing_beats(higher_is_better: bool, points: list[tuple[int, int]]) -> None:
    sign = 1 if higher_is_better else -1

    def beats(a: tuple[int, int], b: tuple[int, int]) -> bool:
        return a[0] <= b[0] and sign * a[1] >= sign * b[1] and a != b

    found = front([Point("m", cost, score) for cost, score in points], higher_is_better)
    assert {(p.cost, p.score) for p in found} == {p for p in points if not any(beats(q, p) for q in points)}
    assert len({(p.cost, p.score) for p in found}) == len(found)


def test_costs_are_of_our_models_and_of_those_that_have_them() -> None:
    rows = [*scores("vae", [1.0, 2.0]), *scores("gan", [3.0, 4.0]), *scores("pca", [2.0, 2.0], role="reference")]
    board = boards(rows)[0]
    assert costs(board) == {
        "training, seconds": [Point("gan", 2.0, 3.5), Point("vae", 2.0, 1.5)],
        "peak memory, MiB": [Point("gan", 5.0, 3.5), Point("vae", 5.0, 1.5)],
        "parameters": [Point("gan", 10.0, 3.5), Point("vae", 10.0, 1.5)],
    }
    assert [axes.get_xlabel() for axes in draw_costs(board).axes] == list(costs(board))
    assert draw_costs(boards(scores("vae", [1.0, 2.0]))[0]) is None
