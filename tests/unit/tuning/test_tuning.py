"""Searches from the command line and from Python: ordinary trials, validation images only, resumable, told in full."""

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import tunable

import genbench
from genbench.cli import command_line
from genbench.data.cache import Prepared
from genbench.errors import RequestError
from genbench.output.tables_csv import read_csv
from genbench.runs.planning import plan
from genbench.runs.settings import RunSettings
from genbench.store.store import Store
from genbench.tuning.tuned import Tuned

MINE = "./tunable.py:"
HOW = f"--dataset {MINE}Noise --metric {MINE}Distance --quiet"
GREY = 0.5
"""What the validation images are grey by, but for the noise of 1,600 pixels."""

Command = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, with the file of the models in it."""
    shutil.copy(tunable.__file__, tmp_path / "tunable.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def tune(models: str = "Grey", **given) -> Tuned:
    texts = ",".join(MINE + name for name in models.split(","))
    return genbench.tune(texts, f"{MINE}Distance", f"{MINE}Noise", **{"trials": 5, **given})


def stored(results: Path = Path("results")) -> dict[str, dict]:
    return {trial: copies[0][1].identity for trial, copies in Store(results).read().trials.items()}


def test_every_configuration_is_an_ordinary_trial_scored_against_validation_images(here: Path) -> None:
    tuned = tune()
    frame = tuned.configurations
    assert sorted(frame["number"]) == [0, 1, 2, 3, 4]
    for row in frame.itertuples():
        assert row.score == pytest.approx(abs(row.option_level - GREY), abs=0.03)
    assert frame["score"].is_monotonic_increasing
    default = frame.set_index("number").loc[0]
    assert (default["option_level"], default["configuration"]) == (0.3, f"{MINE}Grey")
    asked = RunSettings(list(frame["configuration"]), [f"{MINE}Distance"], [f"{MINE}Noise"], seeds=1, reference="none")
    assert {trial.id for trial in plan(asked).grid.trials()} == set(stored())
    assert set(genbench.load_results().leaderboard["mean"]) == set(frame["score"])


def test_more_trials_go_on_from_fewer_and_the_same_command_does_nothing_again(here: Path, cli: Command) -> None:
    assert cli(f"tune {MINE}Grey --trials 3 {HOW}")[0] == 0
    first = {path: path.stat().st_mtime_ns for path in here.rglob("trial.json")}
    code, out, err = cli(f"tune {MINE}Grey --trials 5 {HOW}")
    assert (code, "5 trials, 3 in the store" in err) == (0, True)
    assert {path: path.stat().st_mtime_ns for path in first} == first
    code, again, err = cli(f"tune {MINE}Grey --trials 5 {HOW}")
    assert "5 trials, 5 in the store" in err
    assert again.partition("results/tuning")[0] == out.partition("results/tuning")[0]


def test_test_images_are_neither_read_nor_part_of_any_score(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Prepared.split

    def valid_only(self, name, device="cpu"):
        assert name != "test"
        return whole(self, name, device)

    monkeypatch.setattr(Prepared, "split", valid_only)
    scores = [
        genbench.tune(f"{MINE}Grey", metric, f"{MINE}Noise[test={test}]", trials=3, results=f"r{test}").configurations[
            "score"
        ]
        for metric in (f"{MINE}Distance", "parzen[samples=50]")
        for test in (0.5, 0.9)
    ]
    assert scores[0].notna().all()
    assert scores[2].notna().all()
    pd.testing.assert_series_equal(scores[0], scores[1])
    pd.testing.assert_series_equal(scores[2], scores[3])


def test_an_interrupted_search_goes_on_where_it_was(here: Path, cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"tune {MINE}Grey --trials 4 {HOW}"
    monkeypatch.setenv("INTERRUPT_ABOVE", "0.5")
    code, out, err = cli(line)
    assert (code, out) == (130, "")
    assert "To go on from there, give the same command again." in err
    done = [copies[0][1].status for copies in Store(Path("results")).read().trials.values()].count("done")
    assert 0 < done < 4
    monkeypatch.delenv("INTERRUPT_ABOVE")
    code, out, err = cli(line)
    assert code == 0
    assert f"4 trials, {done} in the store" in err
    told = out.partition("results/tuning")[0]
    assert "configurations by seed 0" in told
    assert cli(f"{line} --results anew")[1].partition("anew/tuning")[0] == told


def test_failures_and_refusals_are_counted_and_shown_and_stop_nothing(here: Path, cli: Command) -> None:
    model = f"{MINE}Grey[refuses_above=0.8,fails_above=0.6]"
    code, out, _ = cli(f"tune '{model}' --trials 12 {HOW} --seed 3")
    frame = genbench.tune(model, f"{MINE}Distance", f"{MINE}Noise", trials=12, seed=3).configurations
    bad = frame[frame["score"].isna()]
    assert set(bad["status"]) == {"refused", "diverged"}
    assert bad["option_level"].min() > 0.6
    assert len(frame) == 12
    assert code == 0
    assert f"! {len(bad)} configurations without a score: " in out
    assert "A configuration without a score counts as the worst score of its model." in " ".join(out.split())
    assert ("too light" in out) or ("far too light" in out)
    code, out, _ = cli(f"tune {MINE}Grey[fails_above=-1.0] --trials 2 {HOW}")
    assert code == 1
    assert "none: no configuration has a score" in out


def test_halving_stops_the_worse_and_trains_the_others_anew_with_more(here: Path) -> None:
    tuned = tune(trials=9, halving=True, budget="9steps")
    (model,) = tuned.models
    assert [(len(rung.tried), str(rung.budget)) for rung in model.rungs] == [
        (9, "1 steps"),
        (3, "3 steps"),
        (1, "9 steps"),
    ]
    below = [each.configuration.number for each in model.rungs[0].best_first(False)]
    assert sorted(each.configuration.number for each in model.rungs[1].tried) == sorted(below[:3])
    assert model.best[0].configuration.number == below[0]
    budgets = sorted(identity["budget"]["steps"] for identity in stored().values())
    assert budgets == [1] * 9 + [3] * 3 + [9]
    assert list(tuned.curve["configurations"]) == list(range(1, 9))
    standing = [(str(rung.budget), each.configuration.number) for rung, each in model.standing]
    assert [budget for budget, _ in standing] == ["9 steps"] + ["3 steps"] * 2 + ["1 steps"] * 6
    assert {number for _, number in standing} == set(range(9))
    assert "Halving: 6 of 9 stopped after 1 steps, 3 trained anew." in " ".join(repr(tuned).split())


def test_the_command_of_the_final_run_is_one(here: Path) -> None:
    tuned = tune('Grey[words="it\'s; $HOME"],Darker', budget="7steps", seeds=2, results="a folder")
    words = shlex.split(tuned.command)
    assert words[:2] == ["genbench", "run"]
    command = command_line.get_command(None, "run")
    assert command is not None
    given = command.make_context("run", words[2:]).params
    assert (given["target"], given["seeds"], given["budget"]) == ("test", "2-4", "7steps")
    asked = RunSettings(
        given["models"], given["metrics"], given["datasets"], seeds=[2], budget="7steps", reference="none"
    )
    labels = [model.label for model in plan(asked).grid.models]
    assert labels == [model.best[0].configuration.label for model in tuned.models]
    assert str(given["results"]) == "a folder"


def test_several_models_have_equal_budgets_and_one_table_and_picture(here: Path, cli: Command) -> None:
    code, out, _ = cli(f"tune {MINE}Grey,{MINE}Darker --trials 16 {HOW} --budget 3steps --picture curves.png")
    assert code == 0
    assert max(map(len, out.partition("Tuned in")[0].splitlines())) <= 80
    assert "Expected best score of n random configurations" in out
    assert (here / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert out.count("rank correlation") == 2
    assert {identity["budget"]["steps"] for identity in stored().values()} == {3}


def test_configurations_are_exported(here: Path, cli: Command) -> None:
    code, out, err = cli(f"tune {MINE}Grey --trials 4 {HOW} -o found.csv")
    assert (code, out) == (0, "")
    assert "genbench run --models" in err
    frame = read_csv(here / "found.csv")
    assert list(frame.columns[:4]) == ["model", "number", "budget", "score"]
    assert len(frame) == 4
    for form, begins in (("json", "[\n"), ("latex", "% In the preamble")):
        assert cli(f"tune {MINE}Grey --trials 4 {HOW} --format {form}")[1].startswith(begins)


def test_what_models_are_tuned_over_is_no_part_of_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from genbench.registry.plugins import load_registry
    from genbench.registry.resolve import Resolver
    from genbench_plugins.models.vae import VAE

    before = Resolver(load_registry()).resolve("model", "vae")
    monkeypatch.setattr(VAE, "search", {})
    after = Resolver(load_registry()).resolve("model", "vae")
    assert before.identity == after.identity
    assert "search" not in {**before.options, **before.settings, **before.traits}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tune", "no model given; expected one, as in: genbench tune gan"),
        ("tune train-data", "nothing of train-data is tuned: it declares no search space"),
        (f"tune '{MINE}Grey[level=0.1,steps=1,kind=plain,sizes=[1]]'", "every option that it declares is given"),
        (f"tune {MINE}Grey --metric {MINE}Careless", "scores against the same images whatever the target"),
        ("tune gan --metric fid[against=train]", "scores against the same images whatever the target"),
        ("tune gan --metric parzen,fid", "2 metrics are given; expected one"),
        ("tune gan --dataset digits,mnist", "2 datasets are given; expected one"),
        ("tune gan --halving", "--halving without --budget; expected the budget of the last rung"),
        ("tune gan --trials 0", "Invalid value for '--trials'"),
        ("tune gan --picture curves.pdf", "expected a file that ends in .png"),
        ("tune gan --target test", "No such option '--target'"),
        ("tune nowhere", "unknown model 'nowhere'"),
        ("sweep gan", "unknown command 'sweep'. Did you mean tune?"),
    ],
)
def test_wrong_use_is_told_in_a_line_before_anything_is_trained(
    line: str, message: str, here: Path, cli: Command
) -> None:
    code, out, err = cli(line)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (here / "results").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 2.5}, "trials is 2.5; expected a whole number"),
        ({"seed": -1}, "--seed -1: expected 0 to"),
        ({"trials": 0}, "--trials 0: expected 1 to"),
    ],
)
def test_wrong_arguments_in_python(given: dict, message: str, here: Path) -> None:
    with pytest.raises(RequestError, match=message):
        tune(**given)


def test_a_dry_run_prints_the_configurations_and_writes_nothing(here: Path, cli: Command) -> None:
    code, out, _ = cli(f"tune {MINE}Grey --trials 9 --halving --budget 9steps --dry-run {HOW}")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["to", "do", "0", f"{MINE}Grey"]
    assert lines[9:] == [
        "then the best 3 of each model, at most 3 steps each",
        "then the best 1 of each model, at most 9 steps each",
    ]
    assert not (here / "results").exists()
