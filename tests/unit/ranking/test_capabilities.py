"""Table 2: what a source says of families in words, and what the store knows of models beside it."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scored import scores

import genbench
from genbench import files
from genbench.cli import main
from genbench.errors import RequestError
from genbench.output.capabilities_table import tables
from genbench.ranking import claims, frames
from genbench.ranking.board import boards
from genbench.ranking.capabilities import Capability, capabilities
from genbench.ranking.claims import ASPECTS, Family
from genbench.ranking.columns import CAPABILITIES
from genbench.ranking.scores import ScoreRow
from genbench.store.records import Stage

FAMILY = Family("Nets", "a,b@paper", "hard", "none", "easy", "no", "free", "A 2014, Table 2")
DRAWN = Stage({}, 4.0, details={"batch": 100, "batches": 6})


def changed(rows: list[ScoreRow], traits: Any = None, **stages: Stage) -> list[ScoreRow]:
    made = []
    for row in rows:
        model = {**row.trial.model, "traits": {**row.trial.model["traits"], **(traits or {})}}
        record = replace(row.trial, model=model, stages={**row.trial.stages, **stages})
        made.append(replace(row, trial=record))
    return made


def only(rows: list[ScoreRow], families: list[Family] | None = None) -> Capability:
    (found,) = capabilities(boards(rows), families or [])
    return found


def test_times_are_means_over_trials_whatever_was_scored() -> None:
    rows = changed(scores("a", [1.0, 2.0]), samples=DRAWN)
    slow = changed(rows[1:], fit=Stage({}, 6.0), samples=replace(DRAWN, seconds=12.0))
    again = [replace(row, protocol_id="p2") for row in rows[:1]]
    found = only([rows[0], *slow, *again])
    assert (found.trials, found.fit_seconds, found.samples_per_second) == (2, 4.0, (150 + 50) / 2)


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({"abilities": ["encode", "bound", "log_prob"], "family": "explicit"}, (True, "exact", False)),
        ({"abilities": ["bound"], "family": "chain"}, (False, "bound", True)),
        ({"abilities": ["log_weights", "log_joint", "latents"]}, (False, "bound or AIS", None)),
        ({"abilities": ["log_partition", "energy"]}, (False, "AIS", None)),
        ({"abilities": ["log_partition", "energy_bound"]}, (False, "AIS", None)),
        ({"abilities": ["energy", "log_joint"]}, (False, "Parzen", None)),
        ({"abilities": [], "family": "implicit"}, (False, "Parzen", False)),
        ({"abilities": ["log_prob", "energy", "log_partition"]}, (False, "learned or AIS", None)),
        ({}, (None, None, None)),
        ({"abilities": 7, "family": ["chain"]}, (None, None, None)),
        ({"abilities": [7, None, "encode"]}, (True, "Parzen", None)),
    ],
)
def test_abilities_are_what_was_recorded(traits: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = only(changed(scores("a", [1.0]), traits))
    assert (found.inference, found.density, found.chain) == expected


@pytest.mark.parametrize(
    ("details", "extras", "expected"),
    [({"effective_samples": 12.5}, {}, 12.5), ({}, {"effective_samples": 7}, 7.0), ({"effective_samples": 1.0}, {"effective_samples": 7}, 7.0), ({"effective_samples": "many"}, {}, None), ({}, None, None)],
)  # fmt: skip
def test_effective_samples_are_taken_from_a_metric_or_a_stage(details: Any, extras: Any, expected: Any) -> None:
    rows = changed(scores("a", [1.0]), samples=replace(DRAWN, details=details))
    assert only([replace(rows[0], extras=extras)]).ess == expected


@pytest.mark.parametrize(
    "stage",
    [
        replace(DRAWN, seconds=0.0),
        replace(DRAWN, seconds=-1.0),
        replace(DRAWN, seconds=5e-324),
        replace(DRAWN, details={}),
        replace(DRAWN, details={"batch": True, "batches": 6}),
        replace(DRAWN, details={"batch": 10**400, "batches": 6}),
        replace(DRAWN, details={"batch": float("nan"), "batches": 6}),
    ],
)
def test_nonsense_in_a_record_is_no_rate(stage: Stage) -> None:
    assert only(changed(scores("a", [1.0]), samples=stage)).samples_per_second is None


def test_families_are_told_by_name_and_preset() -> None:
    rows = [row for model in ("a[x=1]", "b", "b@paper", "c") for row in scores(model, [1.0])]
    found = {row.model: row.family for row in capabilities(boards(rows), [FAMILY])}
    assert found == {"a[x=1]": FAMILY, "b": None, "b@paper": FAMILY, "c": None}


def test_the_frame_has_the_columns_and_the_words_of_the_family() -> None:
    found = capabilities(boards(changed(scores("a", [1.0]), {"abilities": []}) + scores("c", [2.0])), [FAMILY])
    frame = frames.capabilities(found).set_index("model")
    assert [*frame.reset_index()[list(CAPABILITIES)]] == list(CAPABILITIES)
    assert frame.loc["a", ["has_density", "training", "source"]].tolist() == ["Parzen", "hard", "A 2014, Table 2"]
    assert frame.loc["c", ["has_density", "family", "design"]].isna().all()


def test_the_papers_words_have_five_rows_and_four_families() -> None:
    said, measured = tables(capabilities(boards(scores("gan", [1.0]))), claims.families(["goodfellow2014"]))
    assert tuple(column.head for column in said.columns) == (
        "", "Directed graphical models", "Undirected graphical models", "Generative autoencoders", "Adversarial models",
    )  # fmt: skip
    assert [row.cells[0] for row in said.rows] == [
        "Training",
        "Inference",
        "Sampling",
        "Evaluating p(x)",
        "Model design",
    ]
    assert [row.cells[3] for row in said.rows][2] == "needs a Markov chain"
    assert all(len(row.cells) == len(said.columns) for row in said.rows)
    assert measured.title == "Measured on digits"


@pytest.mark.parametrize("lacking", ["name", *ASPECTS, "source"])
def test_a_family_says_everything(lacking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {name: value for name, value in vars(FAMILY).items() if name != lacking}
    (tmp_path / "a.toml").write_text("[[family]]\n" + "".join(f'{k} = "{v}"\n' for k, v in entry.items()))
    monkeypatch.setattr(files, "shipped", lambda name: tmp_path)
    with pytest.raises(RequestError, match=f"claims a: a family has no {lacking}"):
        claims.families(["a"])


def test_every_model_that_ships_and_learns_is_in_a_family() -> None:
    found = claims.families(["goodfellow2014"])
    assert [[f.name.split()[0] for f in found if f.has(model)] for model in ("gan@paper", "vae", "kmeans")] == [
        ["Adversarial"],
        ["Directed"],
        [],
    ]


def test_the_table_is_printed_and_exported(
    toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    genbench.run(models="toy", metrics="brightness,parzen", reference="gaussian", seeds=2, samples=300)
    line = ["leaderboard", "--table", "capabilities"]
    assert main(line) == 0
    out = capsys.readouterr().out
    assert "In the words of Goodfellow et al. 2014, Table 2, shortened" in out
    assert re.search(r"gaussian +0 s +[\d,]+ +- +no +Parzen +no +-", out)
    assert max(map(len, out.splitlines())) <= 80
    assert main([*line, "--format", "csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [(row["model"], row["kind"], row["trials"]) for row in rows] == [
        ("toy", "ours", "2"),
        ("gaussian", "reference", "2"),
    ]
    assert all(float(row["samples_per_second"]) > 0 for row in rows)
    assert main([*line, "--format", "json"]) == 0
    assert [row["is_chain"] for row in json.loads(capsys.readouterr().out)] == [False, False]
    for form, head in (("markdown", "### Measured on digits"), ("latex", r"\caption{Measured on digits.")):
        assert main([*line, "--format", form]) == 0
        text = capsys.readouterr().out
        assert head in text
        assert "Helvetica" in text
