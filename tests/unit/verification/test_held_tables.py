"""Tables that somebody sends: every cell is held to the trials, and a row without trials is not passed."""

import csv
import io
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import scored
from forging import edit_score
from trials import shared_by_tests

import genbench
from genbench.cli import main
from genbench.errors import RequestError, StoreError
from genbench.output.tables_csv import to_csv
from genbench.ranking import frames
from genbench.ranking.board import boards
from genbench.verification import given_table, tables_given

Run = Callable[[str], tuple[int, str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the results of small trials."""
    folder = tmp_path_factory.mktemp("held") / "results"
    with shared_by_tests(tmp_path_factory):
        genbench.run("gaussian,kmeans,pca", reference="none", samples=100, seeds=2, results=folder)
    return folder


@pytest.fixture
def results(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the results, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return Path(shutil.copytree(made, "results"))


def change(path: Path, line: int, **cells: str) -> None:
    """Change cells of a line of a file, the header's being 1."""
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))
    for name, text in cells.items():
        rows[line - 1][rows[0].index(name)] = text
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    path.write_bytes(out.getvalue().encode())


def cell(path: Path, line: int, name: str) -> str:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))[line - 2][name]


@pytest.mark.parametrize(("name", "rows"), {"leaderboard.csv": 3, "trials.csv": 6}.items())
def test_a_table_as_it_was_written_holds(results: Path, name: str, rows: int) -> None:
    found = tables_given.held(results / name, None)
    assert found.holds
    assert [line.line for line in found.lines] == list(range(2, 2 + rows))
    assert given_table.verdict(found).startswith(f"Holds: {rows} rows of results/{name} are what the trials in ")


@pytest.mark.parametrize(
    ("name", "column", "text"),
    [
        ("leaderboard.csv", "mean", "99.5"),
        ("leaderboard.csv", "stderr", "0.5"),
        ("leaderboard.csv", "ci_low", "-1"),
        ("leaderboard.csv", "seeds_done", "5"),
        ("leaderboard.csv", "rank_high", "1"),
        ("leaderboard.csv", "samples", "10000"),
        ("leaderboard.csv", "samples_are", "draws"),
        ("leaderboard.csv", "stderr_examples", ""),
        ("trials.csv", "value", "99.5"),
        ("trials.csv", "seed", "7"),
        ("trials.csv", "model", "vae"),
    ],
)
def test_an_edited_cell_is_named_by_line_and_column(results: Path, name: str, column: str, text: str) -> None:
    path = results / name
    line = 3
    before = cell(path, line, column)
    assert before != text
    change(path, line, **{column: text})
    found = tables_given.held(path, None)
    differing = [each for each in found.lines if each.outcome == "differs"]
    assert [(each.line, each.column) for each in differing] == [(line, column)]
    assert differing[0].found == (before or "nothing")
    assert differing[0].stated == (text or "nothing") or float(differing[0].stated) == float(text)
    assert not found.holds


def test_the_last_bit_counts(results: Path) -> None:
    path = results / "leaderboard.csv"
    stored = float(cell(path, 2, "mean"))
    change(path, 2, mean=repr(math.nextafter(stored, math.inf)))
    assert [line.column for line in tables_given.held(path, None).lines if line.outcome == "differs"] == ["mean"]


def test_a_row_whose_trials_are_not_here_is_not_passed(results: Path) -> None:
    shutil.copy(results / "leaderboard.csv", "sent.csv")
    for folder in results.glob("trials/pca-*"):
        shutil.rmtree(folder)
    found = tables_given.held(Path("sent.csv"), None)
    assert not found.holds
    unchecked = [line for line in found.lines if line.outcome == "unchecked"]
    assert [(line.model, line.words) for line in unchecked] == [("pca", "its trials are not in results")]


def test_rows_that_were_left_out_twice_or_cut_are_said(results: Path) -> None:
    path = Path("sent.csv")
    lines = (results / "leaderboard.csv").read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1], lines[1]]) + "\n")
    assert list(tables_given.held(path, results).notes) == [
        "2 rows are not in it that the trials give.",
        "1 row stands in it more than once.",
    ]
    rows = [dict(row) for row in csv.DictReader(lines)]
    for row in rows:
        del row["sd"]
        row["ours"] = "yes"
    with path.open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    found = tables_given.held(path, results)
    assert found.holds
    assert list(found.notes) == ["It lacks the columns sd.", "Not held to anything: its columns ours."]


def test_a_published_number_is_not_passed(results: Path) -> None:
    frame = frames.leaderboard(boards(scored.scores("gan", [1.0, 2.0])))
    frame["kind"] = "published"
    Path("published.csv").write_text(to_csv(frame))
    found = tables_given.held(Path("published.csv"), results)
    assert [line.words for line in found.lines] == ["a published number, which no trial shows"]
    assert not found.holds


def test_the_command_prints_the_verdict_first_and_exits_by_it(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "results/leaderboard.csv"]) == 0
    capsys.readouterr()
    change(results / "leaderboard.csv", 2, mean="99.5", ci_high="120")
    assert main(["verify", "results/leaderboard.csv", "--results", "results"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("DIFFERS: 1 of 3 rows of results/leaderboard.csv.\n")
    assert " ! line 2, kmeans, parzen[samples=100]: mean is 99.5; the trials give " in out
    assert main(["verify", "results/leaderboard.csv", "--format", "json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert [(row["line"], row["column"], row["outcome"]) for row in rows] == [
        (2, "mean", "differs"), (2, "ci_high", "differs"), (3, None, "same"), (4, None, "same"),
    ]  # fmt: skip


def test_a_table_is_held_to_stored_scores_and_these_to_samples(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A forged trial gives a table that holds, which its caption does not hide: the trials are what is verified next."""
    edit_score(next(results.glob("trials/gaussian-*-s0-*")), value=50.0)
    main(["leaderboard", "--format", "csv", "-o", "sent.csv"])
    assert main(["verify", "sent.csv"]) == 0
    assert (
        "Held to the scores stored in results; whether these come out again: genbench verify" in capsys.readouterr().out
    )
    assert main(["verify"]) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    {
        "nothing.csv": "cannot read nothing.csv: No such file or directory",
        "pipe.csv": "cannot read pipe.csv: it is a pipe, not a plain file",
        "other.csv": "other.csv is no leaderboard.csv or trials.csv of genbench: expected the columns",
        "words.csv": "words.csv, row 2, column mean: 'many', expected a number",
        "results/leaderboard.csv --retrain": "is a table, held to stored scores; expected no option but --results",
        "results/leaderboard.csv --results nowhere": "no results in nowhere",
    }.items(),
)
def test_what_is_no_table_is_refused_in_one_line(
    results: Path, line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo("pipe.csv")
    Path("other.csv").write_text("a,b\n1,2\n")
    shutil.copy(results / "leaderboard.csv", "words.csv")
    change(Path("words.csv"), 2, mean="many")
    assert main(["verify", *line.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.count("\n") == 1


def test_hostile_labels_stay_text(results: Path) -> None:
    change(results / "leaderboard.csv", 2, model="\x1b[31mred\nline", metric="<b>&")
    found = tables_given.held(results / "leaderboard.csv", None)
    assert [(line.model, line.metric) for line in found.lines if line.outcome == "unchecked"] == [
        ("[31mred line", "<b>&")
    ]


def test_errors_are_ours(results: Path) -> None:
    with pytest.raises(StoreError, match="cannot read"):
        tables_given.held(Path("nothing.csv"), results)
    Path("other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(RequestError, match="is no leaderboard.csv"):
        tables_given.held(Path("other.csv"), results)
