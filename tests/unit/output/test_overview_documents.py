"""The overview of a paper: names as people write them, arrows, bold where ranks allow, a caption that says all of it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from scored import METRIC, scores

from genbench.output import latex_blocks, names
from genbench.output.overview_documents import tables
from genbench.output.tables import Column, Row, Table
from genbench.output.tables_latex import to_latex
from genbench.output.tables_markdown import to_markdown
from genbench.ranking.board import boards
from genbench.ranking.overview import overviews
from genbench.ranking.recorded import RecordedMetric, RecordedPlugin
from genbench.ranking.scores import ScoreRow

DOMAIN = RecordedPlugin("domain", "domain")
PARZEN = replace(METRIC, title="Parzen log-likelihood", unit="nats per test image")
FID = RecordedMetric(
    "fid", "fid[domain]", title="Fréchet distance", unit="squared distance", higher_is_better=False, extractor=DOMAIN
)


def scored(metric: RecordedMetric, models: dict[str, Sequence[float | str]], protocol_id: str, **row) -> list[ScoreRow]:
    rows = [each for model, values in models.items() for each in scores(model, values, protocol_id=protocol_id, **row)]
    return [replace(each, metric=metric) for each in rows]


def made(*more: ScoreRow) -> list[Table]:
    """Return the tables of two models alike by FID and apart by Parzen, one that is worst, a reference."""
    parzen = {"worst": [1.0, 1.1, 1.2], "best": [5.0, 5.1, 5.2], "next": [4.0, 4.1, 4.2]}
    fid = {"worst": [90.0, 91.0, 92.0], "best": [9.0, 9.2, 9.4], "next": [9.1, 9.2, 9.5]}
    rows = [*scored(PARZEN, parzen, "p1"), *scored(PARZEN, {"real": [9.0, 9.0, 9.0]}, "p1", role="reference")]
    return tables(overviews(boards([*rows, *scored(FID, fid, "p2"), *more])))


@pytest.mark.parametrize(
    ("label", "extractor", "expected"),
    [
        ("fid", None, "Fréchet distance"),
        ("fid[domain]", DOMAIN, "Fréchet distance (domain features)"),
        ("fid[extractor=domain]", DOMAIN, "Fréchet distance (domain features)"),
        ("fid[domain]", None, "Fréchet distance (domain)"),
        (
            "fid@cifar10-50k[inception[weights=w.pth],max_real=5000]",
            RecordedPlugin("inception", "inception[weights=w.pth]"),
            "Fréchet distance (cifar10-50k, inception features, weights w.pth, max real 5,000)",
        ),
        ("fid[sides=[1,2],on=true]", None, "Fréchet distance (sides [1,2], on true)"),
        ("no ] request", None, "Fréchet distance (no ] request)"),
    ],
)
def test_a_metric_is_called_by_its_title_and_what_sets_it_apart(
    label: str, extractor: RecordedPlugin | None, expected: str
) -> None:
    assert names.metric(replace(FID, label=label, extractor=extractor)) == expected


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("digits", "digits"),
        ("npz:/home/me/mine.npz", "mine"),
        ("folder:data/faces/[size=32]", "faces, size 32"),
        ("tfd[fold=3]", "tfd, fold 3"),
        ('npz:"odd, [name].npz"', "odd, [name]"),
        ("npz:/", "npz:/"),
        ("no ] request", "no ] request"),
    ],
)
def test_a_dataset_is_called_by_its_name_or_by_that_of_its_files(label: str, expected: str) -> None:
    assert names.dataset(label) == expected


def test_heads_have_titles_and_arrows_and_the_caption_the_units() -> None:
    (table,) = made()
    assert [column.head for column in table.columns] == [
        "model",
        "Parzen log-likelihood ↑",
        "Fréchet distance (domain features) ↓",
    ]
    assert table.title == "All metrics on digits"
    caption = " ".join(table.caption)
    assert "over 3 training seeds; ↑: higher is better, ↓: lower." in caption
    assert (
        "In nats per test image: Parzen log-likelihood; squared distance: Fréchet distance (domain features)."
        in caption
    )
    assert "Protocols, column by column: p1, p2." in caption


def test_bold_is_what_no_model_is_significantly_better_than() -> None:
    (table,) = made()
    assert {row.cells[0]: set(row.best_cells) for row in table.rows} == {
        "best": {1, 2},
        "next": {2},
        "worst": set(),
        "real (reference)": set(),
    }
    assert "Bold: no model is significantly better (Welch's t test, Holm over all pairs by a metric, alpha .05)." in (
        table.caption
    )
    assert "| best | **5.100 ± 0.058** | **9.20 ± 0.12** |" in to_markdown([table])
    latex = to_latex([table])
    assert r"best & \textbf{5.100 $\pm$ 0.058} & \textbf{9.20 $\pm$ 0.12} \\" in latex
    assert r"\shortstack[r]{Fréchet distance \\ (domain features) \\ $\downarrow$}" in latex
    assert latex.index(r"worst & ") < latex.rindex(r"\midrule") < latex.index("real (reference)")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"a": [1.0, 2.0, 3.0], "b": [1.1, 2.1, 3.1]}, "No bold: the seeds tell none of these models from the best."),
        ({"a": [1.0], "b": [2.0]}, "No ranks: those take two seeds or more of each model."),
    ],
)
def test_where_seeds_do_not_allow_it_nothing_is_bold(values: dict[str, list[float]], words: str) -> None:
    (table,) = tables(overviews(boards(scored(PARZEN, values, "p1"))))
    assert not any(row.best_cells for row in table.rows)
    assert words in table.caption
    assert not any(line.startswith("Bold") for line in table.caption)


def test_seeds_that_lack_a_score_are_shown_and_never_bold_alone() -> None:
    values = {"best": [5.0, 5.1, "failed"], "next": [4.0, 4.1, 4.2], "gone": ["diverged"] * 3}
    (table,) = tables(overviews(boards(scored(PARZEN, values, "p1"))))
    cells = {row.cells[0]: row.cells[1] for row in table.rows}
    assert cells == {"best": "5.050 ± 0.050 (2/3)", "next": "4.100 ± 0.058", "gone": "diverged"}
    assert "In brackets: seeds with a score, of those asked for, where some have none." in table.caption
    assert table.caption[0].startswith("Mean ± standard error over training seeds; ")
    assert not any(row.best_cells for row in table.rows)


def test_metrics_and_datasets_that_are_called_the_same_are_told_apart() -> None:
    again = scored(FID, {"best": [1.0, 1.1]}, "p3")
    (table,) = made(*again)
    assert [column.head for column in table.columns][2:] == [
        "Fréchet distance p2 ↓",
        "Fréchet distance p3 ↓",
    ]
    moved = [
        replace(
            row,
            protocol_id=f"p{n}",
            trial=replace(row.trial, dataset={"label": f"npz:{n}/mine.npz", "digest": f"d{n}"}),
        )
        for n in (4, 5)
        for row in scores("best", [1.0, 2.0])
    ]
    assert [table.title for table in made(*moved)] == [
        "All metrics on digits",
        "All metrics on mine (d4)",
        "All metrics on mine (d5)",
    ]


def test_what_all_metrics_share_stands_once_in_the_caption() -> None:
    kid = replace(FID, name="kid", label="kid[domain,samples=50]", title="Kernel distance", options={"samples": 50})
    parzen = replace(PARZEN, label="parzen[samples=50]", options={"samples": 50, "valid": 5})
    fid = replace(FID, label="fid[domain]", options={"samples": 50})
    rows = [*scored(kid, {"a": [1.0]}, "p1"), *scored(parzen, {"a": [1.0]}, "p2"), *scored(fid, {"a": [1.0]}, "p3")]
    (table,) = tables(overviews(boards(rows)))
    assert [column.head for column in table.columns[1:]] == [
        "Kernel distance ↓",
        "Parzen log-likelihood ↑",
        "Fréchet distance ↓",
    ]
    assert "Metrics that take them: domain features, samples 50." in table.caption
    other = replace(fid, options={"samples": 60})
    (table,) = tables(overviews(boards([*rows[:2], *scored(other, {"a": [1.0]}, "p3")])))
    assert [column.head for column in table.columns[1:]] == [
        "Kernel distance (samples 50) ↓",
        "Parzen log-likelihood (samples 50) ↑",
        "Fréchet distance ↓",
    ]
    assert "Metrics that take them: domain features." in table.caption


def wide(columns: int, rows: int) -> Table:
    heads = [Column("model"), *(Column(f"metric {n} ↓", right=True) for n in range(columns))]
    return Table("t", heads, [Row(("a", *["1.000 ± 0.100"] * columns))] * rows, in_blocks=True)


@pytest.mark.parametrize(("columns", "rows", "blocks"), [(1, 20, 1), (3, 20, 1), (12, 7, 2), (12, 25, 2)])
def test_columns_that_a_page_has_no_room_for_stand_below_in_smaller_letters(
    columns: int, rows: int, blocks: int
) -> None:
    table = wide(columns, rows)
    size, places = latex_blocks.fitted(table)
    assert [place for block in places for place in block[1:]] == list(range(1, columns + 1)), "each once"
    assert all(block[0] == 0 for block in places)
    assert len(places) >= blocks
    assert (size == "") == (columns <= 3)
    latex = to_latex([table])
    assert latex.count(r"\begin{tabular}") == len(places)
    assert latex.count(r"\begin{table}") == 1
    assert latex.count("$\\downarrow$") == columns


def test_bold_follows_its_column_into_its_block() -> None:
    table = wide(12, 1)
    row = replace(table.rows[0], cells=("a", *map(str, range(100, 112))), best_cells={12})
    latex = to_latex([replace(table, rows=[row] * 7)])
    assert latex.count(r"\textbf{111}") == 7
    assert latex.count(r"\textbf") == 7


def test_a_column_wider_than_a_page_stands_alone() -> None:
    table = Table("t", [Column("m"), Column("x"), Column("y")], [Row(("a", "b" * 500, "c"))], in_blocks=True)
    assert latex_blocks.fitted(table)[1] == [[0, 1], [0, 2]]
