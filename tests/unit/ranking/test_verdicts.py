"""Published numbers held against ours: the error rates of verdicts, every reason for none, and how they are shown."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored import METRIC, scores

import genbench
from genbench import files
from genbench.cli import main
from genbench.errors import RequestError
from genbench.output.claims_table import tables
from genbench.ranking import claims, frames
from genbench.ranking.board import boards
from genbench.ranking.claims import Claim
from genbench.ranking.columns import VERDICTS
from genbench.ranking.verdicts import Verdict, judge, verdicts
from genbench.registry import spec
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolved, Resolver

DIGITS = "6a8d787822a86325b3b3aec8f52c4c0013ebb9ead42d760974f0917401fd7b94"
CLAIM = Claim(
    "Nets", "digits", "parzen", 5.0, 1.0, "standard error over test images", "A 2014", protocol_id="p1",
    ours="a", within=10.0, claims="a2014", dataset_digest="d1g",
)  # fmt: skip


def resolved(**options: str) -> Resolved:
    return Resolved("metric", "parzen", "parzen", "", 1, "genbench", "1", options, {}, {"describe": ""}, "")


def only(values: Sequence[float | str], model: str = "a", claim: Claim = CLAIM, **row: Any) -> Verdict:
    (verdict,) = verdicts(boards(scores(model, values, **row)), [claim])
    return verdict


# The statistics


@pytest.mark.parametrize(
    ("published", "within", "higher", "expected"),
    [
        (5.0, 10.0, True, "reproduced"),
        (5.0, 0.01, True, "inconclusive"),
        (-50.0, 10.0, True, "better"),
        (50.0, 10.0, True, "worse"),
        (-50.0, 10.0, False, "worse"),
        (50.0, 10.0, False, "better"),
        (50.0, 0.01, True, "worse"),
    ],
)
def test_an_outcome_says_how_ours_does(published: float, within: float, higher: bool, expected: str) -> None:
    assert judge(published, [4.0, 5.0, 6.0], within, higher).outcome == expected


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_a_run_of_the_same_kind_is_told_apart_one_time_in_twenty_and_as_often_to_either_side(n: int) -> None:
    rng, count = np.random.default_rng(n), 6000
    found = [judge(run[0], run[1:], 1e9, True).outcome for run in rng.normal(225, 3, (count, n + 1)).tolist()]
    shares = {outcome: found.count(outcome) / count for outcome in ("reproduced", "better", "worse", "inconclusive")}
    assert shares["reproduced"] == pytest.approx(0.95, abs=0.012)
    assert shares["better"] == pytest.approx(0.025, abs=0.009)
    assert shares["worse"] == pytest.approx(0.025, abs=0.009)
    assert shares["inconclusive"] == 0


def test_the_bound_is_what_the_interval_reaches_to_a_side() -> None:
    low, high = judge(0.0, [-1.0, 1.0, 0.5], 1.0, True)[1:]
    half = (high - low) / 2
    assert judge(0.0, [-1.0, 1.0, 0.5], half * 1.000001, True).outcome == "reproduced"
    assert judge(0.0, [-1.0, 1.0, 0.5], half * 0.999999, True).outcome == "inconclusive"


def test_seeds_that_never_vary_reproduce_only_the_same_number() -> None:
    assert [judge(value, [5.0, 5.0], 10.0, True).outcome for value in (5.0, 5.1)] == ["reproduced", "worse"]


# From boards


def test_a_model_that_comes_out_alike_reproduces_the_claim() -> None:
    verdict = only([4.0, 5.0, 6.0])
    assert (verdict.outcome, verdict.model) == ("reproduced", "a")
    assert verdict.low == pytest.approx(5 - 4.30265 * (4 / 3) ** 0.5, abs=1e-4)


@pytest.mark.parametrize(
    ("values", "outcome", "why"),
    [
        ([5.0], "inconclusive", "one seed shows no spread"),
        (["failed", "diverged"], "inconclusive", "0 of 2 seeds have a score"),
        ([5.0, "failed"], "inconclusive", "1 of 2 seeds have a score"),
        ([4.9, 5.0, "failed"], "inconclusive", "only 2 of 3 seeds have a score"),
        ([90.0, 90.1, "failed"], "inconclusive", "only 2 of 3 seeds have a score"),
        ([-90.0, -90.1, "failed"], "worse", "not where one more of ours"),
        ([-90.0, 90.0], "inconclusive", "reaches 1981 to a side; expected at most 10"),
    ],
)
def test_what_is_missing_is_never_a_success(values: list[float | str], outcome: str, why: str) -> None:
    verdict = only(values)
    assert verdict.outcome == outcome
    assert why in verdict.why


NOT_RUN = [
    ({"ours": ""}, "no model of ours is named for it"),
    ({"dataset": "mnist"}, "nothing on mnist"),
    ({"metric": "fid"}, "no fid on digits"),
    ({"ours": "dbn@paper,rbm"}, "no dbn@paper or rbm in these results"),
    ({"protocol_id": "", "differs": "chain length"}, "another protocol: chain length; a has 5 by parzen"),
    ({"protocol_id": ""}, "another protocol: what it was is not stated; a has 5 by parzen"),
    ({"protocol_id": "p2", "resolved": resolved()}, "another protocol: in words; a has 5 by parzen"),
    ({"protocol_id": "p2", "resolved": resolved(grid="paper")}, "another protocol: grid None, not paper; a has 5 by"),
    (
        {"protocol_id": "p2", "resolved": resolved(), "dataset_digest": "other"},
        "another protocol: other images under the name digits; a has",
    ),
]


@pytest.mark.parametrize(("changed", "why"), NOT_RUN)
def test_why_a_claim_was_not_run(changed: dict[str, Any], why: str) -> None:
    verdict = only([4.0, 6.0], claim=replace(CLAIM, **changed))
    assert (verdict.outcome, verdict.model, verdict.low, verdict.row) == ("not run", "", None, None)
    assert verdict.why.startswith(why)


@pytest.mark.parametrize(
    ("label", "asked", "expected"),
    [
        ("gan@paper", "gan@paper", True),
        ("gan@paper[epochs=9]", "gan@paper", True),
        ("gan@paper", "gan", True),
        ("gan", "gan", True),
        ("gan", "gan@paper", False),
        ("gan@old", "gan@paper", False),
        ("vegan", "gan", False),
        ("gan-2", "gan", False),
        ("./gan.py:gan", "gan", False),
    ],
)
def test_which_labels_are_of_what_was_asked_for(label: str, asked: str, expected: bool) -> None:
    assert spec.is_of(label, asked) == expected


def test_each_model_that_a_claim_is_about_has_a_verdict() -> None:
    rows = scores("a", [4.0, 5.0, 6.0]) + scores("a[x=1]", [1.0, 1.1, 1.2]) + scores("b", [5.0, 5.0])
    found = verdicts(boards(rows), [CLAIM])
    assert [(v.model, v.outcome) for v in found] == [("a", "reproduced"), ("a[x=1]", "worse")]


def test_where_less_is_better_the_sides_change() -> None:
    metric = replace(METRIC, higher_is_better=False)
    rows = [replace(row, metric=metric) for row in scores("a", [1.0, 1.1, 1.2])]
    (verdict,) = verdicts(boards(rows), [CLAIM])
    assert verdict.outcome == "better"


def test_the_frame_has_the_columns_and_blanks_for_what_was_not_run() -> None:
    found = verdicts(boards(scores("a", [4.0, 5.0, 6.0])), [CLAIM, replace(CLAIM, dataset="mnist")])
    frame = frames.verdicts(found)
    assert list(frame) == list(VERDICTS)
    assert frame["verdict"].tolist() == ["reproduced", "not run"]
    assert frame["mean"].tolist()[0] == 5.0
    assert frame.loc[1, ["model", "mean", "low", "high", "seeds_done"]].isna().all()


def test_equal_reasons_stand_once_under_the_table() -> None:
    several = [replace(CLAIM, model=model, ours="dbn") for model in ("One", "Two")]
    (table,) = tables(verdicts(boards(scores("a", [4.0, 5.0])), several))
    assert table.title == "Against a2014"
    assert table.caption == ["One, Two on digits: not run: no dbn in these results."]


# The file


def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **keys: Any) -> list[Claim]:
    """Write a file of one claim, of toy on digits, and load it."""
    table = {"model": "Nets", "dataset": "digits", "metric": "brightness", "value": 0.3, "source": "A 2014", **keys}
    lines = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    (tmp_path / "a2014.toml").write_text("\n".join(["[[claim]]", *lines]))
    monkeypatch.setattr(files, "shipped", lambda name: tmp_path)
    return claims.load(["a2014"], Resolver(load_registry()))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"ours": "toy"}, "claims a2014: the claim of Nets has ours but not within; expected both"),
        ({"ours": "toy", "within": 0}, "claims a2014: within is 0; expected a finite number above 0"),
        ({"ours": "toy", "within": "10"}, "claims a2014: within is '10'; expected a whole number or a number"),
        ({"ours": ["toy"], "within": 1}, "claims a2014: ours is .*; expected a text"),
    ],
)
def test_a_claim_needs_a_bound(
    keys: dict[str, Any], message: str, toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RequestError, match=message):
        load(tmp_path, monkeypatch, **keys)


def test_what_ships_is_held_against_models_by_the_bounds_it_states() -> None:
    found = claims.load(["goodfellow2014"], Resolver(load_registry()))
    assert {(c.dataset, c.within) for c in found} == {("mnist", 10), ("tfd", 50)}
    assert {(c.dataset, c.ours) for c in found if c.model == "Adversarial nets"} == {
        ("mnist", "gan@paper"),
        ("tfd", "gan@paper-tfd"),
    }
    assert all(c.ours for c in found)


# The whole way


@pytest.fixture
def held(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run toy in an empty folder with a published number beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    load(tmp_path, monkeypatch, ours="toy", within=0.2, dataset_digest=DIGITS)
    report = genbench.run(models="toy", metrics="brightness", reference="none", seeds=3, against="a2014")
    assert report.against["verdict"].tolist() == ["reproduced"]
    return tmp_path


def test_verdicts_are_printed_exported_and_handed_to_python(held: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "--against", "a2014"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].startswith("Brightness on digits")
    assert "Against a2014" in out
    assert max(map(len, out.splitlines())) <= 80
    assert genbench.load_verdicts("a2014")["verdict"].tolist() == ["reproduced"]
    assert main(["leaderboard", "--against", "a2014", "--table", "verdicts", "--format", "csv"]) == 0
    (row,) = csv.DictReader(capsys.readouterr().out.splitlines())
    assert (row["model"], row["verdict"], list(row)) == ("toy", "reproduced", list(VERDICTS))
    assert main(["leaderboard", "--against", "a2014", "--format", "csv"]) == 0
    assert "verdict" not in capsys.readouterr().out
    for form, title in (("markdown", "### Against a2014"), ("latex", r"\caption{Against a2014.")):
        assert main(f"leaderboard --against a2014 --format {form}".split()) == 0
        text = capsys.readouterr().out
        assert title in text
        assert text.index("brightness on digits") < text.index(title)
        assert main(f"leaderboard --against a2014 --table verdicts --format {form}".split()) == 0
        assert "brightness on digits" not in capsys.readouterr().out


def test_a_run_prints_verdicts_and_other_data_leave_none(held: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "run --models toy --metric brightness --reference none --against a2014 --budget 5steps --quiet"
    assert main(line.split()) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Nets on digits: not run: another protocol: samples 500; training at most 5 steps; toy has" in out


def test_verdicts_without_claims_are_refused(held: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "--table", "verdicts"]) == 2
    assert "expected --against too, as in goodfellow2014" in capsys.readouterr().err
