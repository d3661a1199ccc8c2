"""Tables of documents: Markdown and LaTeX show every text as it is; a board's tables keep protocols apart."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from awkward_texts import NASTY
from scored import METRIC, scores

from genbench.output import board_documents, tables_latex, tables_markdown
from genbench.output.tables import Column, Row, Table
from genbench.output.tables_latex import to_latex
from genbench.output.tables_markdown import to_markdown
from genbench.ranking.board import Board, BoardRow
from genbench.ranking.claims import Claim
from genbench.ranking.scores import Kind
from genbench.ranking.statistics import Summary

CLAIM = Claim(
    "gan", "digits", "parzen", 225.0, 2.0, "standard error over test images", "Goodfellow et al. 2014, Table 1"
)
PUBLISHED = BoardRow("gan", "published", Summary(1, 225.0, None, 2.0, None, None), seeds_planned=0, claim=CLAIM)


def scored(model: str, summary: Summary | None, kind: Kind = "ours", samples_are: str = "means") -> BoardRow:
    return BoardRow(model, kind, summary, seeds_planned=3, scores=scores(model, ["failed"], samples_are=samples_are))


VAE = replace(scored("vae", Summary(3, 27.931234567890123, 0.2137, 0.1234, 27.4, 28.46)), rank_low=1, rank_high=1)
GAN = replace(scored("gan", Summary(2, -3.5, 0.86, 0.61, -6.1, -0.9), samples_are="draws"), rank_low=2, rank_high=3)
REFERENCE = replace(VAE, model="gaussian", kind="reference", rank_low=None, rank_high=None)


def board(rows: Sequence[BoardRow], alone: Sequence[BoardRow] = ()) -> Board:
    return Board(
        replace(METRIC, unit="nats per test image"), "digits", ("d1g",), "5c1e09ab", "10,000 samples", rows, alone
    )


def under(claim: Claim) -> BoardRow:
    return replace(PUBLISHED, model=claim.model, claim=claim)


def of_one_cell(text: str) -> Table:
    columns = [Column("model"), Column("score", right=True)]
    return Table(f"of {text}", columns, [Row((text, "-1.5")), Row((text, text), best=True)], [text, text])


# Boards as tables ----------------------------------------------------------------------------------------------------


def test_markdown_table() -> None:
    text = to_markdown(board_documents.tables([board([VAE, GAN, REFERENCE, PUBLISHED])]))
    assert text == (
        "### parzen on digits, nats per test image, higher is better\n"
        "\n"
        "| rank | model | mean ± se | 95% interval | seeds | samples are |\n"
        "| ---: | --- | ---: | ---: | ---: | --- |\n"
        "| 1 | vae | 27.93 ± 0.12 | 27.4 .. 28.5 | 3/3 | means |\n"
        "| 2-3 | gan | -3.50 ± 0.61 | -6.1 .. -0.9 | 2/3 | draws |\n"
        "| - | gaussian (reference) | 27.93 ± 0.12 | 27.4 .. 28.5 | 3/3 | means |\n"
        "| - | gan (published, Goodfellow et al. 2014, Table 1) | 225 ± 2 | - | - | - |\n"
        "\n"
        "Protocol 5c1e09ab: 10,000 samples. ±: standard error over training seeds; "
        "interval: Student's t, on the logit scale for scores with bounds. "
        "± of published rows: over test examples. "
        "Without a rank (-): published and reference rows, and models with fewer than two seeds.\n"
    )


def test_each_metric_protocol_and_dataset_has_a_table_of_its_own() -> None:
    one = board([VAE])
    fid = replace(METRIC, label="fid", higher_is_better=False)
    several = [one, replace(one, protocol_id="00000000", protocol="500 samples"), replace(one, dataset="mnist")]
    found = board_documents.tables([*several, replace(one, metric=fid)])
    assert [table.title.partition(", ")[0] for table in found] == [
        "parzen on digits",
        "parzen on digits",
        "parzen on mnist",
        "fid on digits",
    ]
    assert found[3].title.endswith("lower is better")
    assert [table.caption[0] for table in found[:2]] == [
        "Protocol 5c1e09ab: 10,000 samples.",
        "Protocol 00000000: 500 samples.",
    ]


def test_published_rows_under_another_protocol_name_the_difference() -> None:
    alone = replace(CLAIM, differs="sigma not given")
    further = replace(alone, differs="other splits", error=None)
    rows = [under(claim) for claim in (alone, further, replace(alone, model="dbn"))]
    found = board_documents.tables([board([VAE], rows)])
    assert [[row.cells[0] for row in table.rows] for table in found] == [["1"], ["-", "-"], ["-"]]
    assert found[1].caption[0] == "Protocol not known in full: sigma not given."
    assert found[2].rows[0].cells[2] == "225"
    assert not any("published rows:" in line for line in found[2].caption)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("standard error over test images", "over test examples"),
        ("standard error over folds", "over folds"),
        ("standard deviation of 3 runs", "standard deviation of 3 runs"),
        ("", "over what is not known"),
    ],
)
def test_a_published_error_is_shown_with_what_it_means(said: str, shown: str) -> None:
    (table,) = board_documents.tables([board([under(replace(CLAIM, error_means=said))])])
    assert table.rows[0].cells[2] == "225 ± 2"
    assert f"± of published rows: {shown}." in table.caption


def test_errors_over_folds_are_called_so() -> None:
    (table,) = board_documents.tables([replace(board([replace(VAE, stderr_folds=0.5)]), digests=("a", "b"))])
    assert table.rows[0].cells[2] == "27.93 ± 0.50"
    assert table.caption[1].startswith("±: standard error over folds;")


def test_models_without_a_score_say_what_became_of_them() -> None:
    failed = replace(scored("vae", None, samples_are=""), statuses={"failed": 3})
    assert board_documents.tables([board([failed])])[0].rows[0].cells == ("-", "vae", "failed", "-", "0/3", "-")


@pytest.mark.parametrize("write", [to_markdown, to_latex])
def test_no_tables_are_no_text(write: Callable[[Sequence[Table]], str]) -> None:
    assert write([]) == ""


@pytest.mark.parametrize("text", NASTY)
def test_foreign_texts_of_boards_stay_on_one_line(text: str) -> None:
    nasty = replace(board([replace(VAE, model=text)]), dataset=text, protocol=text)
    (table,) = board_documents.tables([nasty])
    assert table.rows[0].cells[1] == on_one_line(text)
    assert table.title.startswith(f"parzen on {on_one_line(text)}, ")
    assert len(to_markdown([table]).split("\n")) == 8


def on_one_line(text: str) -> str:
    """Return text as a table shows it: without control characters, and blanks once."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


# Markdown ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*map(on_one_line, NASTY)])
def test_markdown_shows_any_text_in_its_cell(text: str) -> None:
    cells = re.split(r"(?<!\\)(?:\\\\)*\|", to_markdown([of_one_cell(text)]).split("\n")[4])
    assert len(cells) == 4
    assert re.sub(r"\\(.)", r"\1", cells[1]).strip() == text


def test_markdown_escapes() -> None:
    assert tables_markdown.escape("a|b\\`c` *d* [e]<f>_g_") == r"a\|b\\\`c\` \*d\* \[e\]\<f\>\_g\_"


# LaTeX ---------------------------------------------------------------------------------------------------------------


def test_latex_table() -> None:
    lines = to_latex(board_documents.tables([board([VAE, GAN, PUBLISHED])])).split("\n")
    assert lines[2:6] == [
        r"\begin{table}",
        r"\centering",
        r"\caption{parzen on digits, nats per test image, higher is better. Protocol 5c1e09ab: 10,000 samples. "
        r"$\pm$: standard error over training seeds; interval: Student's t, on the logit scale for scores with bounds. "
        r"$\pm$ of published rows: over test examples. "
        r"Without a rank (-): published and reference rows, and models with fewer than two seeds.}",
        r"\begin{tabular}{rlrrrl}",
    ]
    assert lines[6:14] == [
        r"\toprule",
        r"rank & model & mean $\pm$ se & 95\% interval & seeds & samples are \\",
        r"\midrule",
        r"\textbf{1} & \textbf{vae} & \textbf{27.93 $\pm$ 0.12} & \textbf{27.4 .. 28.5} & \textbf{3/3} "
        r"& \textbf{means} \\",
        r"2--3 & gan & $-$3.50 $\pm$ 0.61 & $-$6.1 .. $-$0.9 & 2/3 & draws \\",
        r"-- & gan (published, Goodfellow et al. 2014, Table 1) & 225 $\pm$ 2 & -- & -- & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


@pytest.mark.parametrize(("low", "high", "bold"), [(1, 1, True), (1, 2, False), (2, 2, False), (None, None, False)])
def test_latex_sets_a_certain_best_row_bold(low: int | None, high: int | None, bold: bool) -> None:
    row = replace(VAE, rank_low=low, rank_high=high)
    assert (r"\textbf{vae}" in to_latex(board_documents.tables([board([row])]))) is bold


@pytest.mark.parametrize("text", [*map(on_one_line, [*NASTY, "".join(NASTY)])])
def test_latex_is_well_formed_with_any_text(text: str) -> None:
    source = to_latex([of_one_cell(text), of_one_cell(text)])
    tokens = tex_tokens(source)
    assert well_nested(tokens)
    assert tokens.count("$") % 2 == 0
    assert not {"%", "#", "_", "~", "`", '"'} & set(tokens)
    for line in source.split("\n"):
        if line.endswith(r" \\"):
            assert tex_tokens(line).count("&") == 1
    assert tokens.count(r"\begin") == tokens.count(r"\end") == 2 * source.count(r"\toprule")


def tex_tokens(source: str) -> list[str]:
    """Return commands and characters as TeX reads them, comment lines and the one definition left out."""
    lines = [line for line in source.split("\n") if not line.startswith(("%", r"\providecommand"))]
    return re.findall(r"\\[a-zA-Z]+|\\.|.", "\n".join(lines))


def well_nested(tokens: list[str]) -> bool:
    depth = 0
    for token in tokens:
        depth += {"{": 1, "}": -1}.get(token, 0)
        if depth < 0:
            return False
    return depth == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50% & $x_1^2$ #1 {a} ~b", r"50\% \& \$x\_1\textasciicircum{}2\$ \#1 \{a\} \textasciitilde{}b"),
        ("a\\b", r"a\textbackslash{}b"),
        ("±1 σ ≤ 3", r"$\pm$1 $\sigma$ $\leq$ 3"),
        ("gan[lr=0.05]", "gan{[}lr=0.05{]}"),
        ("a--b-c---", "a-{}-b-c-{}-{}-"),
        ("Größe", "Größe"),
        ("模", r"\otherletter{模}{U+6A21}"),
        ("λ ↑", r"$\lambda$ $\uparrow$"),
    ],
)
def test_latex_escapes(text: str, expected: str) -> None:
    assert tables_latex.escape(text) == expected
