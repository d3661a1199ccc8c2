"""genbench study as it is typed: the page, the scores, and one line for what is refused."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import raters
from studies import FITTED, VAE

from genbench.output.tables_csv import read_csv
from genbench.ranking.columns import STUDY
from genbench.study import key

RATES = {VAE: 0.7, FITTED: 0.2, "": 0.9}


@pytest.fixture
def made(results: Path, cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> key.Key:
    """Make a study in the working folder, with answers of three raters; return its key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = cli(f"study make {results} --models {VAE},{FITTED} --dataset digits --per-model 5 --exposure 200")
    assert (code, err) == (0, "")
    found = key.read(Path("study.key.json"))
    assert out.splitlines() == [
        f"study.html: 20 images, 10 of them real, others of gaussian, vae[epochs=1]; 10 for practice. Study "
        f"{found.study}, protocol user-study {found.design.id}.",
        "study.key.json: which is which. Keep it from raters.",
    ]
    Path("answers").mkdir()
    rng = np.random.default_rng(0)
    for name in ("anna", "ben", "çem"):
        raters.written(Path("answers"), f"{name}.json", raters.answers(found, name, RATES, rng))
    return found


def test_scores_are_printed_as_a_table_that_fits(made: key.Key, cli) -> None:
    code, out, err = cli("study score answers/anna.json answers/ben.json answers/çem.json")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[1].split("  ")[0] == "model"
    assert lines[1].endswith("images  error rate")
    assert lines[0] == "User study on digits, called real, % of answers, higher is better"
    assert max(map(len, lines)) <= 80
    assert [re.split(r"  +", line.strip())[0] for line in lines[3:6]] == [VAE, FITTED, "real images"]
    assert f"Protocol user-study {made.design.id}: 8x8 pixels" in out
    assert "each for 200 ms, then a mask" in out.replace("\n", "")


def test_a_narrow_terminal_keeps_shares_and_an_interval(made: key.Key, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "45")
    out = cli("study score answers/anna.json answers/ben.json")[1]
    assert re.search(r"^model +called real +95% Wilson$", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 45


def test_scores_as_csv_json_markdown_and_latex(made: key.Key, cli) -> None:
    files = "answers/anna.json answers/ben.json"
    for name in ("scores.csv", "scores.json", "scores.md", "scores.tex", "scores.txt"):
        assert cli(f"study score {files} -o {name}") == (0, "", "")
    with open("scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == [VAE, FITTED, "real images"]
    assert list(rows[0]) == list(STUDY)
    shares = [row["called_real"] for row in json.loads(Path("scores.json").read_text())]
    assert shares == [float(row["called_real"]) for row in rows] == list(read_csv(Path("scores.csv")).called_real)
    assert "| called real" in Path("scores.md").read_text()
    assert r"\begin{tabular}" in Path("scores.tex").read_text()
    assert Path("scores.txt").read_text().startswith("User study on digits")
    assert cli(f"study score {files} --format csv")[1] == Path("scores.csv").read_bytes().decode()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("study make nowhere", r"nowhere"),
        ("study make -o page.txt", r"-o page\.txt: expected the name of a page, as in study\.html"),
        ("study make --per-model 0", r"Invalid value for '--per-model': 0 is not in the range 1<=x<=10000"),
        ("study make --seed 1 --seed 2", r"--seed is given 2 times; expected once\. See: genbench study make"),
        ("study make --seed -1", r"'--seed': -1 is not in the range x>=0\. See: genbench study make"),
        ("study score", r"Missing argument 'ANSWERS"),
        ("study score answers/anna.json --key none.json", r"cannot read none\.json: No such file"),
        ("study score answers/anna.json answers/anna.json", r"hold the same answers; expected each rater's once"),
        ("study score study.key.json", r"study\.key\.json is not as genbench writes it: it has no protocol"),
        ("study score answers/anna.json -o a.xyz", r"-o a\.xyz: no format is of this suffix; expected \.txt, \.csv"),
        ("study rate", r"No such command 'rate'"),
    ],
)
def test_what_is_refused_is_told_in_one_line(line: str, message: str, made: key.Key, cli) -> None:
    code, out, err = cli(line)
    assert (code, out) == (2, "")
    assert re.search(message, err)
    assert len(err.splitlines()) == 1
