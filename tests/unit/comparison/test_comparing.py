"""genbench compare: what is a pair, what is said of it, and every request that cannot be met."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from places import ROOT
from safetensors.numpy import save_file
from scored import METRIC, scores
from trials import shared_by_tests

import genbench
from genbench.comparison import pairing
from genbench.comparison.comparing import Comparison, compared
from genbench.comparison.comparison_table import frame, tables
from genbench.comparison.pairing import Pair
from genbench.errors import RequestError, StoreError
from genbench.output.terminal import as_text
from genbench.ranking.board import boards
from genbench.ranking.columns import COMPARISON
from genbench.ranking.scores import ScoreRow

Cli = Callable[[str], tuple[int, str, str]]

A, B = [9.0, 9.1, 9.2], [1.0, 1.3, 1.1]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two models, three seeds of each, a metric with values per image and one without."""
    folder = tmp_path_factory.mktemp("compared") / "results"
    what = {"models": "gaussian,kmeans", "metrics": "parzen,ms-ssim[random]", "reference": "none"}
    with shared_by_tests(tmp_path_factory):
        genbench.run(**what, seeds=3, samples=100, results=folder)
    return folder


def paired(rows: list[ScoreRow], a: str = "a", b: str = "b") -> Pair:
    (found,) = pairing.of_models(boards(rows), lambda row: row.model == a, lambda row: row.model == b)
    return found


def with_metric(rows: list[ScoreRow], label: str, higher: bool, protocol_id: str) -> list[ScoreRow]:
    metric = replace(METRIC, name=label, label=label, higher_is_better=higher)
    return [replace(row, metric=metric, protocol_id=protocol_id) for row in rows]


def with_images(rows: list[ScoreRow], folder: Path, spread: float = 1.0, by: float = 0.0) -> list[ScoreRow]:
    """Return rows with 40 values per image around each score, moved by so much."""
    made = []
    for place, row in enumerate(rows):
        path = folder / f"{row.trial.id}.safetensors"
        noise = np.random.default_rng(place).normal(size=40)
        save_file({"per_example": row.value + by + spread * (noise - noise.mean())}, path)
        made.append(replace(row, per_example=path))
    return made


# Pairs


@pytest.mark.parametrize(("higher", "verdict", "share"), [(True, "A", 1.0), (False, "B", 0.0)])
def test_which_is_better_goes_by_the_metric(higher: bool, verdict: str, share: float) -> None:
    found = paired(with_metric([*scores("a", A), *scores("b", B)], "m", higher, "p1"))
    assert (found.verdict, found.found.mean > 0) == (verdict, True)
    assert found.a_is_better == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ([1.0, 2.0, 3.0], [1.5, 1.9, 2.2], "not told apart"),
        ([1.0], [5.0], "one seed"),
        ([1.0, 1.1, 1.2], [5.0], "one seed"),
        ([2.0, 2.0], [2.0, 2.0], "equal"),
        ([9.0, 9.1, "failed"], [1.0, 1.1, 1.3], "not told apart"),
        ([1.0, 1.1, "failed"], [9.0, 9.1, 9.3], "B"),
    ],
)
def test_what_cannot_be_told_is_so(a: list[float | str], b: list[float | str], verdict: str) -> None:
    assert paired([*scores("a", a), *scores("b", b)]).verdict == verdict


def test_images_made_elsewhere_have_no_seeds_to_pair_by() -> None:
    rows = scores("a", A)
    given = [
        replace(row, trial=replace(row.trial, model={**row.trial.model, "traits": {**row.trial.model["traits"], "given": True}}))
        for row in rows
    ]  # fmt: skip
    assert paired([*rows, *scores("b", B)]).found.paired
    assert not paired([*given, *scores("b", B)]).found.paired


def test_values_per_image_count_where_the_score_is_their_mean(tmp_path: Path) -> None:
    a, b = with_images(scores("a", A), tmp_path), with_images(scores("b", B), tmp_path)
    assert paired([*a, *b]).found.images == 40
    assert paired([*with_images(a, tmp_path, by=1.0), *b]).found.images == 0
    assert paired([*with_images(a[:2], tmp_path), replace(a[2], per_example=None), *b]).found.images == 0


def test_an_interval_holds_no_difference_that_cannot_be() -> None:
    metric = replace(METRIC, bounds=(0.0, 1.0))
    rows = [replace(row, metric=metric) for row in (*scores("a", [0.9, 0.5]), *scores("b", [0.1, 0.6]))]
    found = paired(rows).found
    assert (found.low, found.high) == (-1.0, 1.0)


def test_a_published_number_is_no_side_of_a_pair_and_a_model_without_a_score_neither() -> None:
    assert pairing.of_models(
        boards([*scores("a", A), *scores("b", ["failed"])]), lambda row: row.model == "a", lambda row: row.model == "b"
    ) == []  # fmt: skip


# Tables


def shown(rows: list[ScoreRow], of_folders: bool = False) -> str:
    pairs = pairing.of_models(boards(rows), lambda row: row.model == "a", lambda row: row.model == "b")
    return as_text(tables(Comparison("a", "b", of_folders, pairs)))


def test_a_table_says_in_words_which_is_better_and_what_is_unclear(tmp_path: Path) -> None:
    rows = [
        *with_images([*scores("a", A), *scores("b", B)], tmp_path, 0.1),
        *with_metric([*scores("a", A), *scores("b", B)], "fid", False, "p2"),
        *with_metric([*scores("a", [1.0, 2.0, 3.0]), *scores("b", [2.5, 1.0, 1.9])], "kid", False, "p3"),
        *with_metric([*scores("a", [1.0, 1.0]), *scores("b", [1.0, 1.0])], "copies", False, "p4"),
    ]
    text = shown(rows)
    assert text.startswith("a (A) against b (B) on digits\nmetric  A - B")
    for line in (
        " a (A) is better by: parzen.",
        " b (B) is better by: fid.",
        " Not told apart, so unclear by: kid.",
        " Equal by: copies.",
        " A - B: above 0 where A scores higher; lower is better by fid, kid, copies, else\n higher.",
        " Interval: t over seeds, paired by seed.",
        " Also over 40 test images by parzen: 10,000 bootstrap draws, always the same.",
        " Each of 3 differences is judged alone",
        " Protocols: parzen p1, fid p2, kid p3, copies p4.",
    ):
        assert line in text
    assert max(map(len, text.splitlines())) <= 80
    cells = {row.cells[0]: row.cells[1:] for row in tables(Comparison("a", "b", False, [paired(rows[:6])]))[0].rows}
    assert cells["parzen"][2:] == ("A", ">99 %", "2", "3 pairs")


def cells(pair: Pair) -> tuple[str, ...]:
    return tables(Comparison("a", "b", False, [pair]))[0].rows[0].cells


def test_what_no_number_of_seeds_would_tell_is_said_so(tmp_path: Path) -> None:
    a, b = scores("a", [1.0, 1.2, 1.4]), scores("b", [1.0, 1.0, 1.0])
    assert cells(paired([*a, *b]))[5:] == ("10", "3 pairs")
    same = np.random.default_rng(0).normal(size=40)
    for row in a:
        save_file({"per_example": row.value + 20 * (same - same.mean())}, tmp_path / f"{row.trial.id}.safetensors")
    hard = [replace(row, per_example=tmp_path / f"{row.trial.id}.safetensors") for row in a]
    assert cells(paired([*hard, *with_images(b, tmp_path, 0.0)]))[5:] == ("images", "3 pairs")
    assert cells(paired([*scores("a", [0.0, 2.0, 1.001]), *b]))[5:] == (">1,000", "3 pairs")
    apart = [replace(row, trial=replace(row.trial, seed=row.trial.seed + 7)) for row in b]
    assert cells(paired([*a, *apart]))[6] == "3 + 3"


def test_one_seed_is_told_from_an_interval_over_seeds(tmp_path: Path) -> None:
    text = shown(with_images([*scores("a", [9.0]), *scores("b", [1.0])], tmp_path))
    assert "One seed, so no verdict by: parzen." in text
    assert "! one seed of A or B tells nothing of others; the interval is on other images" in " ".join(text.split())
    assert "A ahead:" not in text


def test_cautions_name_the_side_and_the_metric() -> None:
    rows = [*scores("a", [9.0, 9.1, "failed"]), *scores("b", B)]
    text = " ".join(shown([*rows, *with_metric([*scores("a", A), *scores("b", B)], "fid", False, "p2")]).split())
    assert "! parzen: A without a score for some seeds: may be found worse, never better" in text
    assert "! parzen: seeds that A or B alone has are left out: 2" in text
    assert "! parzen: A s2 failed: it failed" in text


def test_a_hostile_label_stays_text() -> None:
    rows = [*scores("a", A), *scores("b", B)]
    pairs = [replace(paired(rows), a=replace(paired(rows).a, model="[red]\x1b[31m$x$"))]
    text = as_text(tables(Comparison("[bold]\x1b[0m", "b", True, pairs)))
    assert "\x1b" not in text
    assert "[red] [31m$x$" in text


# The command


def test_two_models_of_a_folder(results: Path, cli: Cli) -> None:
    code, out, err = cli(f"compare kmeans gaussian --results {results} --metric parzen")
    assert (code, err) == (0, "")
    assert out.startswith("kmeans (A) against gaussian (B) on digits\n")
    assert "kmeans (A) is better by: parzen[samples=100]." in out
    code, out, _ = cli(f"compare gaussian kmeans -r {results} --format json")
    parzen = next(row for row in json.loads(out) if row["metric"].startswith("parzen"))
    assert (parzen["verdict"], parzen["paired"], parzen["images"]) == ("B", True, 500)


@pytest.mark.parametrize(
    ("suffix", "has"), [("csv", "model_a,model_b"), ("tex", r"\begin{tabular}"), ("md", "| A - B |")]
)
def test_each_format_goes_to_a_file(results: Path, cli: Cli, tmp_path: Path, suffix: str, has: str) -> None:
    path = tmp_path / f"out.{suffix}"
    assert cli(f"compare kmeans gaussian -r {results} -o {path}") == (0, "", "")
    assert has in path.read_text()


def test_from_python_it_is_a_frame_with_the_figures_of_the_data(results: Path) -> None:
    found = genbench.compare("kmeans", "gaussian", results=results, metrics="ms-ssim")
    assert list(found) == list(COMPARISON)
    trials = genbench.load_results(results).trials
    of = {
        model: trials[(trials.model == model) & trials.metric.str.startswith("ms-ssim")].value
        for model in ("kmeans", "gaussian")
    }
    expected = of["kmeans"].mean() - of["gaussian"].mean()
    assert found.difference.tolist() == pytest.approx([expected])
    assert pd.isna(found.results_a[0])


@pytest.fixture
def other(results: Path, tmp_path: Path) -> Path:
    """Return a copy of the results without a seed of one model, in which all scores by Parzen are gone."""
    folder = tmp_path / "other"
    shutil.copytree(results, folder)
    shutil.rmtree(next(folder.glob("trials/kmeans-digits-s2-*")))
    return folder


def test_two_folders_are_compared_model_by_model(results: Path, other: Path, cli: Cli) -> None:
    code, out, err = cli(f"compare {results} {other} --model kmeans --metric parzen --format json")
    (found,) = json.loads(out)
    assert (code, err, found["model_a"], found["model_b"], found["seeds_a"]) == (0, "", "kmeans", "kmeans", 2)
    assert (found["results_a"], found["results_b"], found["verdict"]) == (str(results), str(other), "equal")
    frame = genbench.compare(results, other)
    assert sorted(frame.model_a) == ["gaussian", "gaussian", "kmeans", "kmeans"]


def test_what_one_folder_alone_has_is_named(results: Path, other: Path, cli: Cli) -> None:
    for path in other.glob("trials/kmeans-*"):
        shutil.rmtree(path)
    code, out, err = cli(f"compare {results} {other}")
    assert (code, "not compared, for A alone has some of their scores: kmeans" in err) == (0, True)
    assert "kmeans" not in out


def test_a_damaged_trial_is_named_and_the_rest_compared(results: Path, other: Path, cli: Cli) -> None:
    next(other.glob("trials/kmeans-digits-s1-*/trial.json")).write_text("{")
    code, out, err = cli(f"compare {results} {other} --metric ms-ssim")
    assert (code, "not read:" in err, "kmeans" in out) == (1, True, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("kmean gaussian -r {results}", "no model 'kmean' in these results. Did you mean kmeans? There: gaussian, kmeans"),
        ("kmeans kmeans -r {results}", "'kmeans' and 'kmeans' are one model; expected two"),
        ("{results} {results}", "are one folder; expected two"),
        ("{results} kmeans", "'kmeans' is no results folder; expected two of them, or two models"),
        ("{results} {empty}", "is no results folder; expected two of them, or two models"),
        ("{empty} kmeans", "is no results folder; expected two of them"),
        ("empty kmeans -r {results}", "'empty' is no results folder, nor a model in these results"),
        ("kmeans gaussian", "no results in results: expected a folder that genbench run wrote to"),
        ("kmeans gaussian -r {empty}", "expected a folder that genbench run wrote to"),
        ("kmeans gaussian -r {results} --metric fid", "no scores of metric 'fid'. Expected some of: ms-ssim"),
        ("kmeans gaussian -r {results} --model kmeans", "--model with two models; expected it with two results folders"),
        ("kmeans", "Missing argument 'B'"),
        ("kmeans gaussian -r {results} -o x.png", "no format is of this suffix"),
        ("'\x1b[31m' gaussian -r {results}", "no model '[31m' in these results."),
    ],
)  # fmt: skip
def test_what_cannot_be_met_is_said_in_a_line(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli, words: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    code, out, err = cli(f"compare {words.format(results=results, empty=tmp_path / 'empty')}")
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_scores_of_unlike_protocols_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [*scores("a", A), *scores("b", B, protocol_id="p2")]
    collected = type("Collected", (), {"notes": [], "damaged": []})()
    monkeypatch.setattr("genbench.runs.stored.read", lambda paths: (boards(rows), collected))
    with pytest.raises(RequestError, match="a and b have no scores under one protocol; expected one"):
        compared("a", "b", [])
    rows += with_metric([*scores("a", A), *scores("b", B)], "fid", False, "p3")
    assert compared("a", "b", []).notes == [
        "not compared, for a (A) alone has scores by that protocol: parzen p1 on digits",
        "not compared, for b (B) alone has scores by that protocol: parzen p2 on digits",
    ]


def test_a_name_that_several_have_is_asked_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [*scores("gan[lr=1.0]", A), *scores("gan[lr=2.0]", B), *scores("vae", B)]
    collected = type("Collected", (), {"notes": [], "damaged": []})()
    monkeypatch.setattr("genbench.runs.stored.read", lambda paths: (boards(rows), collected))
    with pytest.raises(RequestError, match=r"'gan' may be any of: gan\[lr=1.0\], gan\[lr=2.0\]; expected one"):
        compared("gan", "vae", [])
    assert compared("gan[lr=1.0]", "vae", []).a == "gan[lr=1.0]"
    rows = rows[3:]
    assert compared("gan", "vae", []).a == "gan[lr=2.0]"


def test_of_python_what_is_no_path_or_no_text_is_refused(results: Path) -> None:
    with pytest.raises(RequestError, match="a is 3; expected a path"):
        genbench.compare(3, "kmeans")  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="metrics is 3; expected a text or a list of texts"):
        genbench.compare("gaussian", "kmeans", results, metrics=3)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="no results in nowhere"):
        genbench.compare("gaussian", "kmeans", "nowhere")


def test_a_frame_holds_what_the_columns_say() -> None:
    found = frame(Comparison("a", "b", False, [paired([*scores("a", A), *scores("b", B)])]))
    (row,) = found.to_dict("records")
    assert row["difference"] == pytest.approx(row["mean_a"] - row["mean_b"])
    assert row["ci_low"] < row["difference"] < row["ci_high"]
    assert (row["verdict"], row["seeds_needed"], row["images"]) == ("A", 2, 0)


def test_the_page_explains_each_head_of_the_table() -> None:
    text = (ROOT / "docs" / "comparing.md").read_text()
    (table,) = tables(Comparison("a", "b", False, [paired([*scores("a", A), *scores("b", B)])]))
    assert all(f"`{column.head}`" in text for column in table.columns)
