"""Boards: grouped by protocol, ranked, captioned; published rows where they belong."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from safetensors.numpy import save_file
from scored import METRIC, scores

from genbench.output.board_table import tables
from genbench.output.captions import caption
from genbench.output.terminal import print_tables
from genbench.ranking import frames
from genbench.ranking.board import boards
from genbench.ranking.claims import Claim
from genbench.ranking.columns import LEADERBOARD
from genbench.ranking.recorded import RecordedMetric
from genbench.ranking.scores import ScoreRow
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver


def test_the_clearly_better_ranks_first_and_the_indistinguishable_share_a_range() -> None:
    rows = scores("c", [1.0, 1.1, 0.9]) + scores("a", [9.0, 9.1, 8.9]) + scores("b", [1.05, 0.95, 1.1])
    (board,) = boards(rows)
    assert [(row.model, row.rank_low, row.rank_high) for row in board.rows] == [("a", 1, 1), ("b", 2, 3), ("c", 2, 3)]


def test_an_incomplete_row_cannot_be_first_alone() -> None:
    (board,) = boards(scores("a", [9.0, 9.1, "failed"]) + scores("b", [1.0, 1.1, 1.2]))
    assert [(row.rank_low, row.rank_high, row.seeds_done, row.seeds_planned) for row in board.rows] == [
        (1, 2, 2, 3),
        (1, 2, 3, 3),
    ]
    assert "! a s2 failed: it failed" in caption(board)


def test_seeds_that_never_began_count_as_planned() -> None:
    (board,) = boards(scores("a", [1.0, 2.0]), planned=lambda row: 5)
    assert (board.rows[0].seeds_done, board.rows[0].seeds_planned, board.rows[0].statuses) == (2, 5, {"interrupted": 3})


def test_one_seed_has_neither_error_nor_rank() -> None:
    (board,) = boards(scores("a", [1.0]) + scores("b", [2.0]))
    assert [(row.rank_low, row.summary.stderr) for row in board.rows if row.summary] == [(None, None)] * 2
    assert caption(board)[0].startswith("One seed: no error")


def errors(*stderr: float | None, name: str = "a") -> list[ScoreRow]:
    """Return a row per seed whose scores have these errors by the metric."""
    return [replace(row, stderr=error) for row, error in zip(scores(name, [1.0] * len(stderr)), stderr, strict=True)]


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        ((0.3,), 0.3),
        ((3.0, 4.0), 12.5**0.5),
        ((0.0, 0.0), 0.0),
        ((3.0, None), None),
        ((None,), None),
        ((1e200, 1e200), 1e200),
    ],
)
def test_the_metrics_own_error_is_the_root_mean_square_over_seeds(
    stderr: tuple[float | None, ...], expected: float | None
) -> None:
    (found,) = frames.leaderboard(boards(errors(*stderr)))["stderr_metric"].tolist()
    assert pd.isna(found) if expected is None else found == pytest.approx(expected)


def test_seeds_without_a_score_take_nothing_from_the_metrics_own_error() -> None:
    (board,) = boards(scores("a", [1.0, "failed"]) + scores("b", ["failed"]))
    assert [row.stderr_metric for row in board.rows] == [0.5, None]


def test_the_metrics_own_error_decides_no_rank() -> None:
    seeds = scores("a", [9.0, 9.1, 8.9]) + scores("b", [1.0, 1.1, 0.9])
    (board,) = boards([replace(row, stderr=1000.0) for row in seeds])
    assert [(row.rank_low, row.rank_high) for row in board.rows] == [(1, 1), (2, 2)]


def printed(rows: Sequence[ScoreRow], width: int = 80) -> str:
    with (console := Console(width=width)).capture() as capture:
        print_tables(tables(boards(rows)), console)
    return capture.get()


BY_METRIC = "se by metric: the metric's own standard error of that seed's score; it knows nothing of other seeds."


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_table_of_one_seed_shows_the_metrics_own_error(width: int) -> None:
    text = printed(errors(0.0123) + errors(None, name="b"), width)
    head, *lines = text.splitlines()[1:]
    assert "se by metric" in head
    assert "over examples" not in head
    assert "interval" not in head
    assert any("0.012" in line for line in lines)
    assert BY_METRIC in " ".join(text.split())


@pytest.mark.parametrize("rows", [errors(0.1, 0.2), errors(0.1) + errors(0.2, 0.2, name="b"), errors(None)])
def test_other_tables_are_as_they_were(rows: list[ScoreRow]) -> None:
    text = printed(rows, 200)
    assert "by metric" not in text
    assert "95% interval" in text
    assert "se over examples" in text


def test_an_error_over_examples_goes_before_the_metrics_own(tmp_path: Path) -> None:
    save_file({"per_example": np.array([1.0, 3.0])}, tmp_path / "a.safetensors")
    rows = [replace(row, per_example=tmp_path / "a.safetensors") for row in errors(0.7)]
    text = printed(rows, 200)
    assert "se over examples" in text
    assert "by metric" not in text
    (row,) = frames.leaderboard(boards(rows)).to_dict("records")
    assert (row["stderr_examples"], row["stderr_metric"]) == (pytest.approx(0.5**0.5), 0.7)


def test_tables_of_several_datasets_have_no_room_for_the_metrics_own_error() -> None:
    other = [replace(row, trial=replace(row.trial, dataset={"label": "mnist", "digest": "m"})) for row in errors(0.1)]
    text = printed(errors(0.1) + [replace(row, protocol_id="p2") for row in other])
    assert "mnist (rank)" in text
    assert "by metric" not in text


def test_references_follow_the_ranked_rows_unranked() -> None:
    rows = scores("real", [99.0, 99.0], role="reference", samples_are="real images") + scores("a", [1.0, 2.0])
    (board,) = boards(rows)
    assert [(row.model, row.kind, row.rank_low) for row in board.rows] == [
        ("a", "ours", 1),
        ("real", "reference", None),
    ]
    assert not any("real images" in line for line in caption(board))


def test_a_model_that_was_given_an_option_since_is_told_from_its_former_self() -> None:
    old, new = scores("a", [1.0, 2.0]), scores("a", [1.0, 2.0])
    newer = {
        "identity": {"model": ["a", "newer"]},
        "model": {**new[0].trial.model, "options": {"beta": 1.0, "lr": 0.1}},
    }
    rows = [replace(row, trial=replace(row.trial, model={**row.trial.model, "options": {"lr": 0.1}})) for row in old]
    rows += [replace(row, trial=replace(row.trial, id=f"n{row.trial.id}", **newer)) for row in new]
    (board,) = boards(rows)
    assert sorted(row.model for row in board.rows) == ["a", "a with beta"]


def test_scores_as_good_as_real_images_are_questioned() -> None:
    rows = scores("real", [1.0, 1.0], role="reference", samples_are="real images") + scores("a", [1.5, 2.0])
    (board,) = boards(rows)
    assert any(line.startswith("! a scores at least as well as real images") for line in caption(board))


@pytest.mark.parametrize(("name", "questioned"), [("memorisation[pixels]", False), ("fid[pixels]", True)])
def test_a_metric_that_looks_for_copies_questions_no_model_for_being_none(name: str, questioned: bool) -> None:
    metric = RecordedMetric.read(asdict(Resolver(load_registry(), None).resolve("metric", name)))
    rows = scores("real", [49.0, 49.0], role="reference", samples_are="real images") + scores("a", [1.5, 2.0])
    (board,) = boards([replace(row, metric=metric) for row in rows])
    assert any("at least as well as real images" in line for line in caption(board)) == questioned


def test_different_protocols_are_different_boards() -> None:
    found = boards(scores("a", [1.0]) + scores("a", [2.0], protocol_id="p2"))
    assert [board.protocol_id for board in found] == ["p1", "p2"]


def test_versions_of_a_model_are_different_rows() -> None:
    (board,) = boards(scores("a", [1.0, 1.1]) + scores("a", [2.0, 2.1], version=2))
    assert [row.model for row in board.rows] == ["a v2", "a v1"]


def test_trials_of_several_devices_are_named() -> None:
    (board,) = boards(scores("a", [1.0, 1.1]) + scores("b", [2.0, 2.1], device="cuda"))
    assert any("! trained on different devices: cpu, cuda" in line for line in caption(board))


CLAIMS = [
    Claim("Same", "digits", "parzen@paper", 5.0, 1.0, "standard error over test images", "A 2014", protocol_id="p1"),
    Claim(
        "Other", "digits", "parzen", 9.0, 2.0, "standard error over folds", "B 2013", "another grid", protocol_id="p9"
    ),
    Claim("Unknown", "digits", "parzen", 7.0, source="C 2012", differs="not stated"),
    Claim("Elsewhere", "mnist", "parzen", 7.0),
    Claim("Another metric", "digits", "fid", 7.0),
]


def test_published_rows_stand_beside_ours_only_under_the_same_protocol() -> None:
    (board,) = boards(scores("a", [1.0, 2.0]), CLAIMS)
    assert [(row.model, row.kind, row.rank_low) for row in board.rows] == [
        ("a", "ours", 1),
        ("Same", "published", None),
    ]
    assert [row.model for row in board.alone] == ["Other", "Unknown"]
    lines = caption(board)
    assert "Published Same: A 2014. ± standard error over test images. Same protocol." in lines
    assert "Published Other: B 2013. ± standard error over folds. Not our protocol: another grid." in lines
    assert "Published Unknown: C 2012. Not our protocol: not stated." in lines


def test_the_frame_has_the_columns_in_order_and_published_rows_claim_nothing_of_ours() -> None:
    frame = frames.leaderboard(boards(scores("a", [1.0, 2.0, "diverged"]), CLAIMS))
    assert list(frame.columns) == list(LEADERBOARD)
    ours, same, other, _ = frame.to_dict("records")
    assert (ours["mean"], ours["seeds_done"], ours["seeds_planned"], ours["diverged"]) == (1.5, 2, 3, 1)
    assert (ours["fit_seconds"], ours["parameters"], ours["device"], ours["threads"]) == (2.0, 10, "cpu", "1")
    assert (same["stderr_examples"], same["protocol_id"], same["source"]) == (1.0, "p1", "A 2014")
    assert (other["stderr"], other["error_over"], other["protocol"]) == (2.0, "folds", "another grid")
    assert frame.loc[1:, ["rank_low", "seeds_done", "device", "sd"]].isna().all(axis=None)


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_rows_does_not_matter(order: int) -> None:
    rows = scores("a", [3.0, 3.1]) + scores("b", [2.0, 2.1]) + scores("c", [1.0, 1.1])
    (board,) = boards(rows[::order])
    assert [row.model for row in board.rows] == ["a", "b", "c"]


def test_the_error_over_examples_is_of_the_seed_averaged_score(tmp_path) -> None:
    from genbench.ranking.examples import stderr_over_examples

    values = np.random.default_rng(0).normal(size=(3, 50))
    paths = [tmp_path / f"{seed}.safetensors" for seed in range(3)]
    for path, of_seed in zip(paths, values, strict=True):
        save_file({"per_example": of_seed}, path)
    assert stderr_over_examples(paths) == pytest.approx(values.mean(axis=0).std() / 50**0.5, rel=1e-12)
    assert stderr_over_examples([*paths, None]) is None
    assert stderr_over_examples([*paths, tmp_path / "missing"]) is None


def test_the_interval_of_a_share_stays_within_its_bounds_and_the_caption_says_how() -> None:
    share = replace(METRIC, name="recall", label="recall", bounds=(0.0, 1.0))
    rows = [replace(row, metric=share) for row in scores("a", [0.97, 0.999, 0.98]) + scores("b", [0.5, 0.51, 0.52])]
    (board,) = boards(rows)
    frame = frames.leaderboard([board])
    assert frame["ci_high"].max() < 1
    assert "df. On the logit scale, so within 0 and 1." in caption(board)[0]
    (plain,) = boards(scores("a", [0.97, 0.999, 0.98]))
    assert frames.leaderboard([plain])["ci_high"].max() > 1
    assert "logit" not in caption(plain)[0]


@pytest.mark.parametrize("bounds", [[1.0, 0.0], [0.0, 0.0], [], None])
def test_bounds_that_are_none_are_left_alone(bounds: list[float] | None) -> None:
    traits = {"title": "", "unit": "", "higher_is_better": True, "caption_extras": [], "bounds": bounds}
    odd = RecordedMetric.read({"label": "odd", "options": {}, "traits": traits})
    assert odd.bounds is None


def test_further_numbers_reach_the_tables_that_are_written() -> None:
    rows = scores("a", [1.0, 2.0, "failed"])
    rows[1] = replace(rows[1], extras={"sigma": 0.4, "train_gap": -3.0})
    (board,) = boards(rows)
    assert frames.leaderboard([board])["extras"].tolist() == ['{"sigma":0.30000000000000004,"train_gap":-3.0}']
    assert frames.trials(rows)["extras"].tolist() == ['{"sigma":0.2}', '{"sigma":0.4,"train_gap":-3.0}', pd.NA]
