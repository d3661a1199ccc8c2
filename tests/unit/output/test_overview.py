"""All metrics side by side: what stands where, in a terminal of any width and in the exports."""

from dataclasses import replace

import pytest
from scored import METRIC, scores

from genbench.output.overview_table import tables
from genbench.output.tables_csv import to_csv
from genbench.output.terminal import as_text
from genbench.ranking import frames
from genbench.ranking.board import boards
from genbench.ranking.overview import Overview, overviews
from genbench.ranking.scores import ScoreRow

FID = replace(METRIC, name="fid", label="fid", title="FID", higher_is_better=False)


def by_fid(rows: list[ScoreRow], protocol_id: str = "p2") -> list[ScoreRow]:
    return [replace(row, metric=FID, protocol_id=protocol_id) for row in rows]


def made(*more: ScoreRow) -> Overview:
    """Return the overview of a model that is best by both metrics, one that is not, one without FID, a reference."""
    parzen = [*scores("worse", [1.0, 1.1, 1.2]), *scores("best", [5.0, 5.1, 5.2]), *scores("half", [3.0, 3.1, 3.2])]
    fid = by_fid([*scores("worse", [90.0, 91.0, 92.0]), *scores("best", [9.0, 9.1, 9.2])])
    (found,) = overviews(boards([*parzen, *scores("real", [4.0, 4.0], role="reference"), *fid, *more]))
    return found


def test_ours_come_by_their_mean_rank_and_references_after_them() -> None:
    found = made()
    assert [(row.model, row.mean_rank) for row in found.rows] == [
        ("best", 1),
        ("half", 2),
        ("worse", 2.5),
        ("real", None),
    ]
    assert [row.on[1] is None for row in found.rows] == [False, True, False, True]


def test_a_cell_holds_mean_error_and_rank_and_what_is_missing_is_so() -> None:
    (table,) = tables([made()])
    assert [column.head for column in table.columns] == ["model", "parzen, higher", "fid, lower"]
    assert table.rows[0].cells == ("best", "5.100 ± 0.058 (1)", "9.100 ± 0.058 (1)")
    assert table.rows[1].cells == ("half", "3.100 ± 0.058 (2)", "-")
    assert [row.best for row in table.rows] == [True, False, False, False]
    assert [row.aside for row in table.rows] == [False, False, False, True]


def test_a_metric_under_two_protocols_has_a_column_for_each_by_its_id() -> None:
    again = made(*by_fid(scores("best", [8.0, 8.1]), "p3"))
    assert again.heads == ["parzen", "fid p2", "fid p3"]


@pytest.mark.parametrize(("width", "blocks"), [(80, 1), (40, 2), (30, 2)])
def test_what_a_terminal_has_no_room_for_follows_below_beside_the_models(width: int, blocks: int) -> None:
    text = as_text(tables([made()]), width)
    lines = text.splitlines()
    assert sum(line.startswith("model") for line in lines) == blocks
    assert sum(line.startswith("best") for line in lines) == blocks
    for head in ("parzen", "fid"):
        assert sum(head in line for line in lines if line.startswith("model")) == 1


def test_the_frame_has_full_precision_and_whole_ranks() -> None:
    frame = frames.overview([made()]).set_index("model")
    assert frame.loc["best", "parzen"] == pytest.approx(5.1, abs=1e-12)
    assert frame.loc["worse", "fid rank_low"] == 2
    assert frame.isna().loc["half", "fid"]
    header, first, *_ = to_csv(frames.overview([made()])).splitlines()
    assert (
        header
        == "dataset,target,model,kind,parzen,parzen stderr,parzen rank_low,parzen rank_high,fid,fid stderr,fid rank_low,fid rank_high"
    )
    assert first.startswith("digits,test,best,ours,5.1")


def test_datasets_have_an_overview_each() -> None:
    elsewhere = [
        replace(row, protocol_id="p9", trial=replace(row.trial, dataset={"label": "mnist", "digest": "m"}))
        for row in scores("best", [1.0, 2.0])
    ]
    found = overviews(boards([*scores("best", [1.0, 2.0]), *elsewhere]))
    assert [each.dataset for each in found] == ["digits", "mnist"]


def test_validation_and_test_images_share_no_table() -> None:
    asked = {"parzen-p2": {"id": "p2", "target": "valid"}, "parzen-p1": {"id": "p1", "target": "test"}}
    tuned = [replace(row, protocol_id="p2") for row in scores("best", [1.0, 2.0])]
    rows = [replace(row, trial=replace(row.trial, wanted=asked)) for row in (*scores("best", [1.0, 2.0]), *tuned)]
    found = overviews(boards(rows))
    assert [(each.target, [board.protocol_id for board in each.boards]) for each in found] == [
        ("test", ["p1"]),
        ("valid", ["p2"]),
    ]
    assert [table.title for table in tables(found)] == [
        "All metrics on digits",
        "All metrics on digits, scored against validation images",
    ]
