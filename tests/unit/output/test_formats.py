"""CSV and JSON: CSV reads back to equal values and runs nothing, and JSON keeps every one."""

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
from awkward_texts import NASTY

from genbench.errors import StoreError
from genbench.output.tables_csv import read_csv, to_csv
from genbench.output.tables_json import to_json
from genbench.ranking.columns import LEADERBOARD, TRIALS

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
        ("parzen", "digits", "test", "gan", "ours", 0, 1 / 3, None, '{"sigma":0.2}', "done", "5c1e09ab", "3f0a"),
        (*["x"] * 5, 1, *[None] * 6),
    ]
    table = pd.DataFrame(rows, columns=list(TRIALS))
    assert_same(read_csv(written(tmp_path, table)), table)


def test_empty_leaderboards_have_no_rows() -> None:
    assert to_csv(frame()) == ",".join(LEADERBOARD) + "\r\n"
    assert to_json(frame()) == "[]\n"


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


def test_json_shows_leaderboards_from_before_the_metrics_own_error(tmp_path: Path) -> None:
    old = read_csv(written(tmp_path, frame(OURS, PUBLISHED).drop(columns=["stderr_metric"])))
    assert "27.93" in to_json(old)


@pytest.mark.parametrize("columns", [LEADERBOARD, TRIALS])
def test_columns_are_described_in_one_line(columns: Any) -> None:
    for column in columns.values():
        assert column.meaning
        assert len(column.meaning) <= 100
        assert "\n" not in column.meaning


def test_columns_shared_by_both_files_hold_the_same() -> None:
    assert all(LEADERBOARD[name].holds == TRIALS[name].holds for name in LEADERBOARD.keys() & TRIALS.keys())
