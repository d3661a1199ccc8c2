"""genbench show of a stored trial or a row: how it was made, by whatever it is called, and what is refused."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from given_images import noise, save

import genbench
from genbench.cli import main
from genbench.ranking import provenance
from genbench.runs import stored
from genbench.store.records import TrialRecord
from genbench.store.store import Store

Cli = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def here(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def run(models: str = "toy,toy[epochs=1]", metrics: str = "brightness", **rest) -> None:
    genbench.run(models, metrics, **{"seeds": 2, "reference": "none", **rest})


def record(seed: int = 0, model: str = "toy") -> TrialRecord:
    records = (copies[0][1] for copies in Store(Path("results")).read().trials.values())
    return next(each for each in records if (each.seed, each.model["label"]) == (seed, model))


@pytest.mark.parametrize("called", ["id", "digits", "folder", "path"])
def test_a_trial_by_its_id_first_digits_or_folder(called: str, here: Path, cli: Cli) -> None:
    run()
    folder = next((here / "results" / "trials").glob(f"*-{record().id}"))
    asked = {
        "id": record().id,
        "digits": record().id[:6],
        "folder": str(folder),
        "path": f"./{folder.relative_to(here)}",
    }
    code, out, err = cli(f"show {asked[called]}")
    assert (code, err) == (0, "")
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[0] == f"toy on digits, seed 0: trial {record().id}, done"
    assert provenance.of_trial(record()).commands[0] in lines, "on a line of its own, to be copied"
    text = " ".join(out.split())
    for part in ("versions genbench ", ", genbench-toy 1.0, torch ", "device cpu (", "took fit ", "SHA-256 of model "):
        assert part in text
    assert "options epochs=2, hidden=[4], lr=0.1, noise=uniform, verbose=false" in text
    value = json.loads(next(folder.glob("metrics/*.json")).read_text())["value"]
    assert repr(value) in text


def test_a_row_by_its_model_with_all_its_trials(here: Path, cli: Cli) -> None:
    run(metrics="brightness,picky")
    run(target="valid")
    code, out, err = cli("show toy --metric brightness --target test")
    assert (code, err) == (0, "")
    assert out.count("toy on digits") == 1
    assert "toy[epochs=1]" not in out
    assert "picky" not in out
    assert all(record(seed).id in out for seed in (0, 1))
    (board,) = (b for b in stored.read_boards(["results"])[0] if b.metric.name == "brightness" and b.target == "test")
    row = next(row for row in board.rows if row.model == "toy")
    assert provenance.of_scores(row.scores).commands[0] in out
    assert f"rank {row.rank_low}" in out
    assert " of 2; 2/2 seeds" in " ".join(out.split())
    whole = cli("show toy --results results")[1]
    assert whole.count("\ngenbench run ") == 2, "for each split"
    assert "--metrics brightness,picky" in whole


def test_the_printed_command_makes_the_same_scores(here: Path, cli: Cli) -> None:
    run()
    out = cli("show 'toy[epochs=1]' --metric brightness")[1]
    command = next(line for line in out.splitlines() if line.startswith("genbench run "))
    assert main([*shlex.split(command)[1:], "--results", "again"]) == 0
    stored_twice = {
        (score.trial.id, score.protocol_id, score.value)
        for row in stored.read_boards(["results"])[0][0].rows
        for score in row.scores
        if row.model == "toy[epochs=1]"
    }
    (board,) = stored.read_boards(["again"])[0]
    assert {(s.trial.id, s.protocol_id, s.value) for s in board.rows[0].scores} == stored_twice
    assert len(stored_twice) == 2


def test_names_of_plugins_stand_for_these_unless_results_are_named(here: Path, cli: Cli) -> None:
    run()
    assert "options: default, expected, meaning" in cli("show toy")[1]
    assert "options: default, expected, meaning" in cli("show 'toy[epochs=1]'")[1]
    assert "how it was made" in cli("show toy --results results")[1]


def test_a_trial_that_failed_says_why_and_how_it_can_be_made_again(here: Path, cli: Cli) -> None:
    run("faulty[fault=raises]", seeds=1)
    code, out, _ = cli(f"show {next(iter(Store(Path('results')).read().trials))}")
    assert code == 0
    assert ", failed (ValueError: no luck today" in out
    assert "took nothing is finished" in " ".join(out.split())
    assert "\ngenbench run --models 'faulty[fault=raises]' " in out


def test_images_made_elsewhere_are_shown_with_what_makes_their_scores_again(here: Path, cli: Cli) -> None:
    for seed in range(2):
        save(f"{seed}.npz", noise(60, seed=seed))
    assert main(["evaluate", "ours=0.npz,1.npz", "--metric", "brightness", "--reference", "none"]) == 0
    cli("list")
    out = cli(f"show {record(1, 'ours').id}")[1]
    assert f"\ngenbench evaluate ours={here}/0.npz,{here}/1.npz --metrics " in out
    assert "state" not in out


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_of_the_working_folder_is_recorded_and_shown(here: Path, cli: Cli) -> None:
    (here / "model.py").write_text("one")
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "model.py"], [*author, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *words], cwd=here, check=True, capture_output=True)
    (here / "model.py").write_text("two")
    run("toy", seeds=1)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, check=True, capture_output=True, text=True).stdout[
        :12
    ]
    assert record().environment["commit"] == f"{commit}+"
    assert f"{commit}+ (tracked files were changed)" in " ".join(cli(f"show {record().id}")[1].split())


def test_lines_fit_a_terminal_but_for_what_is_copied(here: Path, cli: Cli) -> None:
    run("toy[hidden=[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28]]")
    for line in cli(f"show {next(iter(Store(Path('results')).read().trials))}")[1].splitlines():
        assert len(line.rstrip()) <= 80 or line.startswith(("genbench run ", "toy[hidden", "in ", "to make it again"))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("show tay --results results", "no scores of model 'tay'. Did you mean toy?"),
        ("show toy --metric fid", "no scores of metric 'fid'. Expected some of: brightness"),
        ("show toy --results nowhere", "no results in nowhere: expected a folder that genbench run wrote to"),
        ("show ffffff", "no model or trial 'ffffff' in results"),
        ("show zzz", "unknown name 'zzz'. See: genbench list; of a stored trial or row, give --results FOLDER too"),
        ("show results", "unknown name 'results'"),
        ("show toy --target both --results results", "'both' is not one of 'test', 'valid'"),
    ],
)
def test_what_is_nowhere_ends_in_one_line(line: str, told: str, here: Path, cli: Cli) -> None:
    run("toy", seeds=1)
    code, _, err = cli(line)
    assert code == 2
    assert told in err
    assert len(err.splitlines()) == 1


def test_a_damaged_trial_says_so(here: Path, cli: Cli) -> None:
    run("toy")
    folder = next((here / "results" / "trials").glob(f"*-{record().id}"))
    score = next(folder.glob("metrics/*.json"))
    score.write_text("{}")
    assert "damaged: " in " ".join(cli(f"show {folder}")[1].split())
    code, out, err = cli("show toy --results results")
    assert (code, "not read: " in err) == (1, True)
    assert "1/2 seeds" in out
    (folder / "trial.json").write_text("{")
    code, _, err = cli(f"show {folder}")
    assert (code, len(err.splitlines())) == (2, 1)
