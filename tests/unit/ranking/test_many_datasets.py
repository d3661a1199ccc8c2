"""Ranks over several datasets: Friedman's test, exact and approximate, critical differences, groups, their diagram."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, permutations, product

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from scipy import stats
from scored import METRIC, scores

from genbench.figures import critical_difference
from genbench.output.many_datasets_table import tables
from genbench.output.terminal import as_text
from genbench.ranking import frames, friedman
from genbench.ranking.board import boards
from genbench.ranking.columns import MANY_DATASETS
from genbench.ranking.filters import Filter
from genbench.ranking.many_datasets import ManyDatasets, many_datasets
from genbench.ranking.scores import ScoreRow

PUBLISHED = [
    [4, 3, 2, 1], [1, 2, 3, 4], [4, 1, 2, 3], [4, 1, 3, 2], [4, 2, 3, 1], [1, 2.5, 4, 2.5], [3, 2, 4, 1],
    [2.5, 2.5, 4, 1], [4, 3, 2, 1], [2.5, 2.5, 2.5, 2.5], [4, 2.5, 1, 2.5], [3, 2, 4, 1], [4, 1, 2, 3], [3, 1, 4, 2],
]  # fmt: skip
"""Demšar 2006, table 6: ranks of C4.5, and with m, cf and both tuned, on 14 datasets."""


# The test, against what others print


def test_demsars_worked_example_comes_out_as_published() -> None:
    found = friedman.test(PUBLISHED)
    assert np.mean(PUBLISHED, 0).round(3).tolist() == [3.143, 2.0, 2.893, 1.964]
    ties = sum(count**3 - count for row in PUBLISHED for count in np.unique(row, return_counts=True)[1])
    uncorrected = found.chi_square * (1 - ties / (14 * 4 * 15))  # as published; ours is corrected for ties
    assert round(uncorrected, 2) == 9.28
    assert round(13 * uncorrected / (14 * 3 - uncorrected), 2) == 3.69
    assert found.f == pytest.approx(13 * found.chi_square / (14 * 3 - found.chi_square))
    assert round(friedman.nemenyi(14, 4), 2) == 1.25
    assert found.by == "Monte Carlo"
    assert found.critical_difference == pytest.approx(1.25, abs=0.05)
    assert found.p < 0.05


def test_critical_values_are_those_of_demsars_table_5() -> None:
    found = [friedman.nemenyi(1, k) / (k * (k + 1) / 6) ** 0.5 for k in range(2, 11)]
    assert found == pytest.approx([1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164], abs=1.1e-3)


@pytest.mark.parametrize("ties", [False, True])
def test_the_statistic_is_scipys(ties: bool) -> None:
    values = np.random.default_rng(0).normal(size=(13, 6))
    table = values.round(0) if ties else values
    found, expected = friedman.test(friedman.ranks(table.tolist())), stats.friedmanchisquare(*table.T)
    assert found.chi_square == pytest.approx(expected.statistic)
    assert (found.by, found.p) == ("F and Nemenyi", pytest.approx(stats.f.sf(found.f, 5, 60)))
    assert abs(found.p - expected.pvalue) < 0.03


def by_hand(table: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return p, by scipy's statistic, and the critical difference, of all permutations of all rows."""
    seen = stats.friedmanchisquare(*np.array(table).T).statistic
    reached, ranges = [], []
    for rows in product(*(list(permutations(row)) for row in table)):
        columns = np.array(rows).T
        reached.append(stats.friedmanchisquare(*columns).statistic >= seen - 1e-9)
        means = columns.mean(1)
        ranges.append(round(max(abs(a - b) for a, b in combinations(means, 2)), 9))
    rare = [r for r in set(ranges) if np.mean([other >= r for other in ranges]) <= 0.05]
    return float(np.mean(reached)), min(rare, default=np.inf)


@pytest.mark.parametrize(
    "table",
    [
        [[1, 2, 3], [1, 2, 3], [1, 3, 2]],
        [[1, 2, 3], [1.5, 1.5, 3], [3, 1, 2], [1, 2, 3]],
    ],
)
def test_of_few_datasets_p_and_critical_difference_are_exact(table: Sequence[Sequence[float]]) -> None:
    found = friedman.test(table)
    assert found.by == "exact"
    assert (found.p, found.critical_difference) == pytest.approx(by_hand(table))


@pytest.mark.parametrize("agree", [3, 5, 6])
def test_of_two_models_it_is_the_sign_test(agree: int) -> None:
    found = friedman.test([[1, 2]] * agree + [[2, 1]] * (6 - agree))
    assert (found.by, found.p) == ("exact", pytest.approx(stats.binomtest(agree, 6).pvalue))
    assert found.critical_difference == 1.0  # that of six which agree


def test_the_exact_critical_value_is_that_of_printed_tables() -> None:
    """Friedman's chi-square of three models on three datasets: 6.0, p .028; on four: 6.5, p .042 (Siegel 1956, N)."""
    three = friedman.test([[1, 2, 3]] * 3)
    four = friedman.test([[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 3, 2]])
    assert (three.chi_square, round(three.p, 3)) == (pytest.approx(6.0), 0.028)
    assert (four.chi_square, round(four.p, 3)) == (pytest.approx(6.5), 0.042)


def test_drawn_permutations_agree_with_all_of_them_and_are_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    table = [[1, 2, 3, 4], [2, 1, 3, 4], [1, 2, 4, 3], [1, 4, 3, 2]]
    exact = friedman.test(table)
    monkeypatch.setattr(friedman, "MOST_EXACT", 1)
    drawn = friedman.test(table)
    assert (exact.by, drawn.by, friedman.test(table)) == ("exact", "Monte Carlo", drawn)
    assert drawn.p == pytest.approx(exact.p, abs=0.004)
    assert drawn.critical_difference == exact.critical_difference


@pytest.mark.parametrize(
    ("datasets", "models", "by"), [(11, 6, "F and Nemenyi"), (10, 6, "Monte Carlo"), (11, 5, "Monte Carlo")]
)
def test_approximations_are_for_more_than_10_datasets_and_5_models(datasets: int, models: int, by: str) -> None:
    table = np.random.default_rng(1).permuted(np.tile(np.arange(1.0, models + 1), (datasets, 1)), axis=1)
    assert friedman.test(table.tolist()).by == by


@pytest.mark.parametrize(("datasets", "models"), [(4, 3), (6, 4), (12, 6)])
def test_without_a_difference_some_pair_is_told_apart_in_5_percent_at_most(datasets: int, models: int) -> None:
    rng = np.random.default_rng(2)
    critical = friedman.test(rng.permuted(np.tile(np.arange(1.0, models + 1), (datasets, 1)), axis=1).tolist())
    drawn = [rng.permuted(np.tile(np.arange(1.0, models + 1), (datasets, 1)), axis=1).mean(0) for _ in range(3000)]
    assert np.mean([critical.tells(np.ptp(means)) for means in drawn]) < 0.065


def test_models_that_are_always_equal_are_not_told_apart() -> None:
    found = friedman.test([[1.5, 1.5]] * 6)
    assert (found.chi_square, found.p, found.critical_difference) == (0.0, 1.0, np.inf)


def test_where_all_datasets_agree_f_has_no_bound() -> None:
    found = friedman.test([[1, 2, 3, 4, 5, 6]] * 12)
    assert (found.f, found.p) == (np.inf, 0.0)


@pytest.mark.parametrize(("models", "fewest"), [(2, 6), (3, 3), (4, 3), (17, 3)])
def test_below_what_could_ever_tell_there_is_no_test(models: int, fewest: int) -> None:
    assert friedman.fewest_datasets(models) == fewest
    assert friedman.refused(fewest, models) == ""
    assert friedman.refused(fewest - 1, models) == (
        f"{fewest - 1} datasets are too few to test {models} models; expected {fewest} or more"
    )
    if models == 2:  # even if all agree
        assert friedman.test([[1, 2]] * 5).p > 0.05 >= friedman.test([[1, 2]] * 6).p


# From boards


def on(dataset: int, model: str, *values: float | str) -> list[ScoreRow]:
    """Return a model's scores on a dataset, under a protocol of its own."""
    rows = scores(model, values, protocol_id=f"p{dataset}")
    return [
        replace(row, trial=replace(row.trial, dataset={"label": f"set{dataset}", "digest": f"d{dataset}"}))
        for row in rows
    ]


def made(datasets: int, order: Sequence[str]) -> list[ScoreRow]:
    """Return rows by which models are in this order on all datasets, the best first."""
    return [
        row
        for dataset in range(datasets)
        for place, model in enumerate(order)
        for row in on(dataset, model, -place, -place - 0.1)
    ]


def only(rows: list[ScoreRow]) -> ManyDatasets:
    (found,) = many_datasets(boards(rows))
    return found


def test_ranks_are_averaged_over_datasets_and_smaller_is_better() -> None:
    rows = [*made(2, ["a", "b", "c"]), *on(2, "b", 5.0), *on(2, "a", 4.0), *on(2, "c", 4.0)]
    found = only(rows)
    assert [(m.model, m.average_rank, m.ranks) for m in found.models] == [
        ("a", 1.5, (1, 1, 2.5)),
        ("b", pytest.approx(5 / 3), (2, 2, 1)),
        ("c", pytest.approx(17 / 6), (3, 3, 2.5)),
    ]
    lower = [replace(row, metric=replace(METRIC, higher_is_better=False)) for row in rows]
    assert [m.model for m in only(lower).models] == ["c", "b", "a"]


def test_who_lacks_a_dataset_is_left_out_and_named() -> None:
    rows = [
        *made(3, ["a", "b", "c"]),
        *on(1, "d", 9.0),
        *on(2, "e", "failed"),
        *scores("r", [9.0], "reference", protocol_id="p0"),
    ]
    found = only(rows)
    assert found.left_out == {"d": ["set0", "set2"], "e": ["set0", "set1", "set2"]}
    assert [m.model for m in found.models] == ["a", "b", "c"]
    text = as_text(tables([found]))
    assert " Left out: d, without a score on set0, set2." in text


def test_who_is_not_asked_for_still_counts() -> None:
    rows = [*made(3, ["a", "b", "c"]), *on(1, "d", 9.0)]
    (found,) = many_datasets(Filter(models=["b"]).boards(boards(rows)))
    assert [(m.model, m.average_rank) for m in found.shown] == [("b", 2.0)]
    assert (len(found.models), found.left_out) == (3, {})
    assert [row.cells[1] for row in tables([found])[0].rows] == ["b"]
    assert frames.many_datasets([found])[["model", "models"]].values.tolist() == [["b", 3]]


def test_a_model_that_lacks_seeds_is_named() -> None:
    found = only([*made(3, ["a", "b"]), *on(0, "c", 1.0, "failed"), *on(1, "c", 1.0), *on(2, "c", 1.0)])
    assert found.incomplete == ["c"]
    assert "! ranked by the seeds that have a score, not by all: c" in as_text(tables([found]))


def test_scores_of_validation_images_are_ranked_apart() -> None:
    rows = made(2, ["a", "b"])
    asked = {"m": {"id": "v", "target": "valid"}}
    valid = [replace(row, protocol_id="v", trial=replace(row.trial, wanted=asked)) for row in on(7, "a", 1.0)]
    assert [found.datasets for found in many_datasets(boards([*rows, *valid]))] == [["set0", "set1"]]


def test_one_metric_under_two_protocols_of_a_dataset_makes_two_rankings_of_like_ones() -> None:
    rows = made(2, ["a", "b"])
    again = [replace(row, protocol_id=f"{row.protocol_id}x", protocol="other words") for row in rows]
    found = many_datasets(boards([*rows, *again]))
    assert [each.datasets for each in found] == [["set0", "set1"]] * 2


def test_what_is_closer_than_the_critical_difference_is_a_group() -> None:
    found = only(made(3, ["a", "b", "c"]))
    assert [[m.model for m in group] for group in found.groups] == [["a", "b"], ["b", "c"]]
    assert [found.letters(m) for m in found.models] == ["a", "ab", "b"]
    clear = only(made(12, ["a", "b"]))
    assert [clear.letters(m) for m in clear.models] == ["a", "b"]
    assert [row.best for row in tables([clear])[0].rows] == [True, False]


def test_without_a_difference_all_are_one_group() -> None:
    rows = [
        row
        for d, order in enumerate(["abc", "bca", "cab"])
        for place, m in enumerate(order)
        for row in on(d, m, -place)
    ]
    found = only(rows)
    assert not found.is_told
    assert [len(group) for group in found.groups] == [3]
    assert "No difference between models is found at alpha .05: none are told apart." in as_text(tables([found]))


def test_too_few_datasets_are_refused_in_words_and_ranks_still_shown() -> None:
    found = only(made(2, ["a", "b"]))
    assert (found.test, found.groups) == (None, [])
    text = as_text(tables([found]))
    assert " No test: 2 datasets are too few to test 2 models; expected 6 or more." in text
    assert "groups" not in text
    with pytest.raises(ValueError, match="no test of average ranks: 2 datasets are too few"):
        critical_difference.draw(found)
    frame = frames.many_datasets([found])
    assert (list(frame), frame.refused[0], frame.average_rank.tolist()) == (list(MANY_DATASETS), found.refused, [1, 2])


def test_the_table_says_the_test_and_the_frame_holds_it() -> None:
    found = only(made(12, [f"m{place}" for place in range(7)]))
    text = " ".join(as_text(tables([found])).split())
    assert "Parzen: ranks averaged over 12 datasets, lower is better" in text
    assert "Friedman's chi-square = 72.0; Iman-Davenport F(6, 66) = inf; p < .001, by F." in text
    assert f"Critical difference, alpha .05: {friedman.nemenyi(12, 7):.2f} (Nemenyi)." in text
    row = frames.many_datasets([found]).iloc[0]
    assert (row.chi_square, row.models, row.datasets, row.p_by) == (pytest.approx(72), 7, 12, "F and Nemenyi")
    assert json.loads(row.ranks) == {f"set{place}": 1.0 for place in range(12)}


# The command


def test_one_dataset_has_no_such_table(
    cli: Callable[[str], tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    collected = type("Collected", (), {"notes": [], "damaged": []})()
    monkeypatch.setattr("genbench.runs.stored.read", lambda *a: (boards(made(1, ["a", "b"])), collected))
    code, _, err = cli("leaderboard --table datasets")
    assert (code, "no metric has scores on several datasets; expected two or more" in err) == (2, True)
    monkeypatch.setattr("genbench.runs.stored.read", lambda *a: (boards(made(3, ["a", "b", "c"])), collected))
    assert "p = .028, exact" in cli("leaderboard --table datasets")[1]
    assert "average_rank" in cli("leaderboard --table datasets --format csv")[1]


# The diagram


@pytest.mark.parametrize(("datasets", "models"), [(12, 12), (6, 17), (3, 3), (6, 2)])
@pytest.mark.parametrize("close", [False, True])
def test_no_text_of_the_diagram_overlaps_or_is_cut(datasets: int, models: int, close: bool) -> None:
    names = [f"conditional-gan[loss=minimax,units={place}]" for place in range(models)]
    rng = np.random.default_rng(3)
    rows = [
        row
        for dataset in range(datasets)
        for place, model in enumerate(names)
        for row in on(dataset, model, rng.normal() - (0 if close else place))
    ]
    figure = critical_difference.draw(only(rows))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in texts]
    assert len([text for text in texts if "conditional-gan" in text.get_text()]) == models
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    width, height = canvas.get_width_height()
    assert all(box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height for box in boxes)


def test_the_diagram_is_black_on_white_and_joins_what_is_not_told_apart() -> None:
    figure = critical_difference.draw(only(made(3, ["a", "b", "c"])))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    assert np.ptp(pixels, axis=2).max() == 0
    bars = [line for line in figure.axes[0].lines if line.get_linewidth() == 4]
    assert len(bars) == 2
