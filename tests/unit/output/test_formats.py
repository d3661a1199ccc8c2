"""Exported formats: CSV reads back to equal values and runs nothing; Markdown and LaTeX show every text as it is."""

import csv
import io
import json
import math
import random
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genbench.errors import RequestError, StoreError
from genbench.output import blocks, tables_latex, tables_markdown
from genbench.output.formats import FORMATS, export
from genbench.output.tables_csv import read_csv, to_csv
from genbench.output.tables_json import to_json
from genbench.output.tables_latex import to_latex
from genbench.output.tables_markdown import to_markdown
from genbench.ranking.columns import LEADERBOARD, TRIALS

NASTY = [
    "gan[lr=0.05]",
    "[bold]gan[/bold]",
    'vae "deep", wide',
    "Größe, naïve, 模型, 😀",
    "two\nlines",
    "two\r\nlines\rthree",
    "=1+1",
    "=HYPERLINK(\"http://x\",'y')",
    "+1",
    "-1",
    "-",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "＝1",
    "'",
    "'quoted'",
    "'=1",
    "''=1",
    "' =1",
    "'\t",
    "null",
    "NA",
    "nan",
    "None",
    "true",
    "1",
    "007",
    "1e5",
    "inf",
    " padded ",
    "a|b\\c`d`",
    "50% & $x_1^2$ #1 {a} ~b \\end{table}",
    "a--b---c",
    ",",
    '"',
    '""',
    "\x00",
]

OURS = {
    "metric": "parzen",
    "dataset": "digits",
    "model": "vae",
    "kind": "ours",
    "mean": 27.931234567890123,
    "stderr": 0.1234,
    "sd": 0.1234 * math.sqrt(3),
    "ci_low": 27.4,
    "ci_high": 28.46,
    "error_over": "seeds",
    "seeds_done": 3,
    "seeds_planned": 3,
    "rank_low": 1,
    "rank_high": 1,
    "unit": "nats per test image",
    "higher_is_better": True,
    "protocol_id": "5c1e09ab",
    "protocol": "10,000 samples",
    "samples": 10000,
    "samples_are": "means",
    "parameters": 2**60 + 1,
    "device": "cpu",
    "threads": "1",
}
TIED = {**OURS, "model": "gan", "mean": -3.5, "stderr": 0.61, "ci_low": -6.1, "ci_high": -0.9}
TIED |= {"rank_low": 2, "rank_high": 3, "samples_are": "draws", "seeds_done": 2}
REFERENCE = {**OURS, "model": "gaussian", "kind": "reference", "rank_low": None, "rank_high": None}
PUBLISHED = {
    **{name: OURS[name] for name in ("metric", "dataset", "unit", "higher_is_better", "protocol_id", "protocol")},
    "model": "gan",
    "kind": "published",
    "mean": 225.0,
    "stderr_examples": 2.0,
    "source": "Goodfellow et al. 2014, Table 1",
}


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(LEADERBOARD), dtype=object)


def same(value: Any, other: Any) -> bool:
    """Return whether two cells hold equal values, missing and empty ones being the same."""
    if pd.isna(value) or pd.isna(other) or "" in (value, other):
        return all(pd.isna(cell) or cell == "" for cell in (value, other))
    return bool(value == other) and isinstance(value, str) == isinstance(other, str)


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(found) == list(expected)
    assert len(found) == len(expected)
    for name in expected:
        for value, other in zip(found[name].tolist(), expected[name].tolist(), strict=True):
            assert same(value, other), (name, value, other)


def written(folder: Path, table: pd.DataFrame) -> Path:
    path = folder / "leaderboard.csv"
    path.write_bytes(to_csv(table).encode())
    return path


# CSV and JSON --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", NASTY)
def test_csv_reads_back_any_text(text: str, tmp_path: Path) -> None:
    table = frame({**OURS, "model": text, "source": text}, {**PUBLISHED, "model": text * 2})
    assert_same(read_csv(written(tmp_path, table)), table)


def test_csv_reads_back_random_texts_and_numbers(tmp_path: Path) -> None:
    draw = random.Random(0)
    rows = []
    for _ in range(1500):
        text = "".join(draw.choices("'=+-@\t\r\n ,\"a1ü[]", k=draw.randrange(1, 7)))
        value = draw.choice([draw.gauss(0, 1), draw.random() * 10 ** draw.randrange(-300, 300), -0.0, 5e-324, math.inf])
        count = draw.choice([None, 0, draw.randrange(2**62)])
        rows.append({"model": text, "mean": value, "parameters": count, "higher_is_better": draw.random() < 0.5})
    table = frame(*rows)
    assert_same(read_csv(written(tmp_path, table)), table)


@pytest.mark.parametrize("text", NASTY)
def test_csv_keeps_spreadsheets_from_running_text(text: str) -> None:
    (_, row) = csv.reader(io.StringIO(to_csv(frame({**OURS, "model": text})), newline=""))
    cell = row[list(LEADERBOARD).index("model")]
    assert not re.match(r"[=+\-@\t\r\n]", cell)
    assert cell in (text, f"'{text}")


def test_csv_is_rfc_4180() -> None:
    table = pd.DataFrame({"model": ['a "b", c\nd', "=1", "ü"], "kind": ["ours", None, "-"]})
    assert to_csv(table) == 'model,kind\r\n"a ""b"", c\nd",ours\r\n\'=1,\r\nü,\'-\r\n'


def test_csv_numbers_are_plain_and_exact() -> None:
    rows = [{"mean": -0.1 - 0.2, "seeds_done": 3, "higher_is_better": True}, {"higher_is_better": False}]
    table = pd.DataFrame(rows, columns=["mean", "seeds_done", "higher_is_better"])
    assert table["seeds_done"].dtype == "float64"
    text = "mean,seeds_done,higher_is_better\r\n-0.30000000000000004,3,true\r\n,,false\r\n"
    assert to_csv(table) == text
    assert to_csv(table.convert_dtypes()) == text


def test_csv_reads_typed_columns(tmp_path: Path) -> None:
    found = read_csv(written(tmp_path, frame(OURS, PUBLISHED)))
    kinds = {name: str(found[name].dtype) for name in ("model", "mean", "seeds_done", "higher_is_better", "threads")}
    assert kinds == {
        "model": "string",
        "mean": "Float64",
        "seeds_done": "Int64",
        "higher_is_better": "boolean",
        "threads": "string",
    }
    assert found["parameters"][0] == 2**60 + 1
    assert found["mean"].mean() == (27.931234567890123 + 225.0) / 2
    assert to_csv(found) == to_csv(frame(OURS, PUBLISHED))


def test_csv_writes_whole_numbers_of_a_number_column_as_read_back(tmp_path: Path) -> None:
    table = frame({**OURS, "mean": 28}).convert_dtypes()
    assert table["mean"].dtype == "Int64"
    assert str(read_csv(written(tmp_path, table))["mean"].dtype) == "Float64"


def test_csv_of_trials(tmp_path: Path) -> None:
    rows = [
        ("parzen", "digits", "gan", "ours", 0, 1 / 3, None, '{"sigma":0.2}', "done", "5c1e09ab", "3f0a"),
        (*["x"] * 4, 1, *[None] * 6),
    ]
    table = pd.DataFrame(rows, columns=list(TRIALS))
    assert_same(read_csv(written(tmp_path, table)), table)


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_empty_leaderboards_have_no_rows(form: str) -> None:
    expected = {"csv": ",".join(LEADERBOARD) + "\r\n", "json": "[]\n", "markdown": "", "latex": ""}
    assert export(frame(), form) == expected[form]


def test_csv_of_an_empty_leaderboard_reads_back(tmp_path: Path) -> None:
    assert_same(read_csv(written(tmp_path, frame())), frame())


def test_csv_may_have_a_byte_order_mark_and_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes("\ufeffmodel,note,mean\r\nnull,007,1\r\n".encode())
    assert read_csv(path).to_dict("records") == [{"model": "null", "note": "007", "mean": 1.0}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a table as CSV in UTF-8"),
        (b"model\r\n\xff\r\n", "is not a table as CSV in UTF-8: .*utf-8"),
        (b'model\r\n"open\r\n', "is not a table as CSV in UTF-8"),
        (b"model,mean\r\na\r\n", "row 2: 1 cells, expected 2"),
        (b"model,model\r\na,b\r\n", "a column name comes twice"),
        (b"model,mean\r\na,1\r\nb,high\r\n", "row 3, column mean: 'high', expected a number"),
        (b"seeds_done\r\n3.5\r\n", "row 2, column seeds_done: '3.5', expected a whole number"),
        (b"higher_is_better\r\nyes\r\n", "column higher_is_better: 'yes', expected true or false"),
    ],
)
def test_csv_that_is_no_table_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=message):
        read_csv(path)


def test_csv_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot read .*none.csv: No such file"):
        read_csv(tmp_path / "none.csv")


@pytest.mark.parametrize("write", [to_csv, to_json])
def test_cells_that_are_lists_are_refused(write: Any) -> None:
    with pytest.raises(ValueError, match=r"cell \[1, 2\]: expected a single value"):
        write(pd.DataFrame({"model": [[1, 2]]}))


def test_json_has_every_column_in_order_and_null_for_missing() -> None:
    rows = json.loads(to_json(frame(OURS, {**PUBLISHED, "sd": math.inf})), parse_constant=pytest.fail)
    assert [list(row) for row in rows] == [list(LEADERBOARD)] * 2
    assert rows[0]["mean"] == OURS["mean"]
    assert rows[0]["higher_is_better"] is True
    assert '"seeds_done": 3,' in to_json(frame(OURS, PUBLISHED))
    assert rows[1]["rank_low"] is None
    assert rows[1]["sd"] is None


@pytest.mark.parametrize("text", NASTY)
def test_json_keeps_any_text(text: str) -> None:
    assert json.loads(to_json(frame({**OURS, "model": text})))[0]["model"] == text


def test_unknown_format() -> None:
    with pytest.raises(RequestError, match=r"unknown format 'markdwon'\. Did you mean markdown"):
        export(frame(), "markdwon")


# Tables --------------------------------------------------------------------------------------------------------------


def test_markdown_table() -> None:
    text = to_markdown(frame(OURS, TIED, REFERENCE, PUBLISHED))
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
        "Protocol 5c1e09ab: 10,000 samples. ±: standard error over training seeds; interval: Student's t, on the logit scale for scores with bounds. "
        "± of published rows: over test examples. "
        "Without a rank (-): published and reference rows, and models with fewer than two seeds.\n"
    )


def test_each_metric_protocol_and_dataset_has_a_table_of_its_own() -> None:
    other = {**OURS, "protocol_id": "00000000", "protocol": "500 samples"}
    rows = [OURS, other, {**OURS, "dataset": "mnist"}, {**OURS, "metric": "fid", "higher_is_better": False}, TIED]
    found = blocks.blocks(frame(*rows))
    assert [block.title.partition(", ")[0] for block in found] == [
        "parzen on digits",
        "parzen on digits",
        "parzen on mnist",
        "fid on digits",
    ]
    assert [len(block.lines) for block in found] == [2, 1, 1, 1]
    assert found[3].title.endswith("lower is better")
    assert [block.caption[0] for block in found[:2]] == [
        "Protocol 5c1e09ab: 10,000 samples.",
        "Protocol 00000000: 500 samples.",
    ]


def test_published_rows_under_another_protocol_name_the_difference() -> None:
    alone = {**PUBLISHED, "protocol_id": None, "protocol": "sigma not given"}
    further = {**alone, "protocol": "other splits", "stderr_examples": None}
    found = blocks.blocks(frame(OURS, alone, further, {**alone, "model": "dbn"}))
    assert [[line.cells[0] for line in block.lines] for block in found] == [["1"], ["-", "-"], ["-"]]
    assert found[1].caption[0] == "Protocol not known in full: sigma not given."
    assert found[2].lines[0].cells[2] == "225"


def test_models_without_a_score_keep_their_row() -> None:
    failed = {**OURS, "mean": None, "stderr": None, "ci_low": None, "ci_high": None, "seeds_done": 0}
    failed |= {"rank_low": None, "rank_high": None, "samples_are": None}
    assert blocks.blocks(frame(failed))[0].lines[0].cells == ("-", "vae", "-", "-", "0/3", "-")


@pytest.mark.parametrize("table", [to_markdown, to_latex, to_json])
def test_leaderboards_from_before_the_metrics_own_error_are_shown(table: Any, tmp_path: Path) -> None:
    old = read_csv(written(tmp_path, frame(OURS, PUBLISHED).drop(columns=["stderr_metric"])))
    assert "27.93" in table(old)


@pytest.mark.parametrize("table", [to_markdown, to_latex])
def test_tables_need_a_leaderboard(table: Any) -> None:
    with pytest.raises(ValueError, match=r"no column unit, .*: expected a leaderboard"):
        table(frame(OURS).drop(columns=["unit", "source"]))


@pytest.mark.parametrize("text", NASTY)
def test_markdown_shows_any_text_in_its_cell(text: str) -> None:
    lines = to_markdown(frame({**OURS, "model": text, "protocol": text, "dataset": text})).split("\n")
    assert len(lines) == 8
    cells = re.split(r"(?<!\\)(?:\\\\)*\|", lines[4])
    assert len(cells) == 8
    assert " ".join(re.sub(r"\\(.)", r"\1", cells[2]).split()) == tables_text(text)


def tables_text(text: str) -> str:
    """Return text as a table shows it: on one line, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def test_markdown_escapes() -> None:
    assert tables_markdown.escape("a|b\\`c` *d* [e]<f>_g_") == r"a\|b\\\`c\` \*d\* \[e\]\<f\>\_g\_"


def test_latex_table() -> None:
    lines = to_latex(frame(OURS, TIED, PUBLISHED)).split("\n")
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
    assert (r"\textbf{vae}" in to_latex(frame({**OURS, "rank_low": low, "rank_high": high}))) is bold


@pytest.mark.parametrize("text", [*NASTY, "".join(NASTY)])
def test_latex_is_well_formed_with_any_text(text: str) -> None:
    rows = [{**OURS, "model": text, "protocol": text, "samples_are": text}, {**PUBLISHED, "source": text}]
    source = to_latex(frame(*rows))
    tokens = tex_tokens(source)
    assert well_nested(tokens)
    assert tokens.count("$") % 2 == 0
    assert not {"%", "#", "_", "~", "`", '"'} & set(tokens)
    for line in source.split("\n"):
        if line.endswith(r" \\"):
            assert tex_tokens(line).count("&") == 5
    assert tokens.count(r"\begin") == tokens.count(r"\end") == 2 * source.count(r"\toprule")


def tex_tokens(source: str) -> list[str]:
    """Return commands and characters as TeX reads them, comment lines left out."""
    lines = [line for line in source.split("\n") if not line.startswith("%")]
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
    ],
)
def test_latex_escapes(text: str, expected: str) -> None:
    assert tables_latex.escape(text) == expected


@pytest.mark.parametrize("columns", [LEADERBOARD, TRIALS])
def test_columns_are_described_in_one_line(columns: Any) -> None:
    for column in columns.values():
        assert column.meaning
        assert len(column.meaning) <= 100
        assert "\n" not in column.meaning


def test_columns_shared_by_both_files_hold_the_same() -> None:
    assert all(LEADERBOARD[name].holds == TRIALS[name].holds for name in LEADERBOARD.keys() & TRIALS.keys())
