"""How stored scores were made: the commands make the very trials again, and all that is said stands in the records."""

import dataclasses
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from given_images import noise, save

import genbench
from genbench.cli import main
from genbench.data import resizing
from genbench.ranking import provenance
from genbench.ranking.provenance import Provenance
from genbench.runs import stored
from genbench.store.records import TrialRecord
from genbench.store.store import Store

Cli = Callable[[str], tuple[int, str, str]]
SINGLE = """
from dataclasses import dataclass
from genbench_toy import Toy

@dataclass(eq=False)
class Mine(Toy):
    presets = {}
"""


@pytest.fixture
def here(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def records(results: str = "results") -> list[TrialRecord]:
    return [copies[0][1] for copies in Store(Path(results)).read().trials.values()]


def of_trials() -> list[Provenance]:
    return [provenance.of_trial(record, records()) for record in records()]


def planned(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Return the ids of the trials that a command would do in an empty folder."""
    capsys.readouterr()
    assert main([*shlex.split(command)[1:], "--dry-run", "--results", "again"]) == 0
    return {line.split()[2] for line in capsys.readouterr().out.splitlines()}


@pytest.mark.parametrize(
    "line",
    [
        "--models 'toy[hidden=[4,4],lr=.05]' --seeds 3,7 --budget 5steps --threads 2",
        "--models toy@long --set toy.verbose=true --seed 2 --target valid",
        "--models gan@paper --set gan.epochs=1 --seed 2 --select best-valid:1",
        "--models ./mine.py:Mine[epochs=1] --seeds 2 --dataset 'npz:odd, name.npz'",
        "--models train-data --seed 5 --samples 200 --metric 'picky,fid[random]' --budget 30s",
    ],
)
def test_a_command_makes_the_very_trials_again(line: str, here: Path, capsys) -> None:
    Path("mine.py").write_text(SINGLE)
    np.savez("odd, name.npz", noise(60, 1, 8, 8))
    asked = [] if "--metric" in line else ["--metric", "brightness"]
    main(["run", *shlex.split(line.replace("npz:odd, name.npz", 'npz:"odd, name.npz"')), *asked, "--reference", "none"])
    done = of_trials()
    assert {trial: seed for made in done for trial, seed in made.trials.items()} == {r.id: r.seed for r in records()}
    for made in done:
        (command,) = made.commands
        assert planned(command, capsys) == set(made.trials)
    for board in stored.read_boards(["results"])[0]:
        for row in board.rows:
            (command,) = provenance.of_scores(row.scores).commands
            assert planned(command, capsys) == {score.trial.id for score in row.scores}


def test_what_it_makes_is_the_same_under_the_same_protocols(here: Path) -> None:
    genbench.run("toy", "brightness,picky", seeds=2, target="valid", reference="none", samples=100)
    (row, *_) = stored.read_boards(["results"])[0][0].rows
    main([*shlex.split(provenance.of_scores(row.scores).commands[0])[1:], "--results", "again"])
    (board,) = stored.read_boards(["again"])[0]
    assert [(s.trial.id, s.protocol_id, s.value) for s in board.rows[0].scores] == [
        (s.trial.id, s.protocol_id, s.value) for s in row.scores
    ]


def test_scores_against_both_splits_take_two_commands(here: Path, capsys) -> None:
    for target in ("test", "valid"):
        genbench.run("toy", "brightness", seeds=1, target=target, reference="none")
    (made,) = of_trials()
    assert ["--target valid" in command for command in made.commands].count(True) == 1
    assert len(made.commands) == 2
    assert len(made.protocols) == 2
    assert [planned(command, capsys) for command in made.commands] == [set(made.trials)] * 2


def test_images_made_elsewhere_are_named_with_those_of_all_seeds(here: Path, capsys) -> None:
    for seed in range(2):
        save(f"odd, [{seed}].npz", noise(40, 1, 10, 10, seed=seed))
    line = """evaluate 'ours="odd, [0].npz","odd, [1].npz"' --samples-are draws --size 8 --metric brightness"""
    assert main([*shlex.split(line), "--reference", "pca"]) == 0
    theirs = [made for made in of_trials() if made.model.is_given]
    assert len(theirs) == 2
    for made in theirs:
        assert planned(made.commands[0], capsys) == {trial for each in theirs for trial in each.trials}
    (beside,) = (made for made in of_trials() if made.model.name == "pca" and made.trials[next(iter(made.trials))] == 0)
    assert (beside.commands, beside.no_command[:46]) == ((), "it was scored beside images made elsewhere: ge")
    alone = provenance.of_trial(next(r for r in records() if r.model["name"] == "ours"))
    assert (alone.commands, alone.no_command) == (
        (),
        "of 2 files of its images, it is known where 1 lay; all make a trial",
    )
    assert resizing.in_words(8).startswith(resizing.WORDS)


def test_what_is_recorded_is_told(here: Path) -> None:
    genbench.run("toy[lr=.2]", "brightness", seeds=2, reference="none", threads=2)
    made = provenance.of_scores(stored.read_boards(["results"])[0][0].rows[0].scores)
    first = min(records(), key=lambda record: record.seed)
    one = provenance.of_trial(first)
    assert made.options == one.options == {**first.model["options"], "verbose": False}
    assert made.options["lr"] == 0.2
    assert one.digests["model"] == first.stages["fit"].files["model.safetensors"]["sha256"]
    assert set(one.digests) == {"dataset", "model", "samples"}
    assert made.digests == {"dataset": first.dataset["digest"]}
    assert made.versions["genbench-toy"] == "1.0"
    assert {"genbench", "torch", "python"} < set(made.versions)
    assert made.device.startswith("cpu (")
    assert made.device.endswith(f"), 2 threads, {first.environment['platform']}")
    assert list(one.seconds) == ["fit", "samples", next(iter(first.wanted))]
    assert made.commands[0].endswith("--seeds 0-1 --reference none --device cpu --threads 2")
    assert one.commands[0].endswith("--seed 0 --reference none --device cpu --threads 2")
    fits = [record.stages["fit"].seconds for record in records()]
    assert made.seconds["fit"] == pytest.approx(sum(fits) / 2)
    assert one.commit == (first.environment["commit"] or "")


def test_where_trials_differ_all_is_told(here: Path) -> None:
    genbench.run("toy", "brightness", seeds=2, reference="none")
    scores = stored.read_boards(["results"])[0][0].rows[0].scores
    other = dataclasses.replace(
        scores[1].trial, environment={**scores[1].trial.environment, "torch": "9", "commit": "a1+"}
    )
    made = provenance.of_scores([scores[0], dataclasses.replace(scores[1], trial=other)])
    assert made.versions["torch"] == f"{scores[0].trial.environment['torch']}, 9"
    assert made.commit.endswith("a1+")


def test_a_record_that_anyone_may_have_written_is_made_safe(here: Path) -> None:
    genbench.run("toy", "brightness", seeds=1, reference="none")
    (record,) = records()
    evil = "toy'; rm -rf \x1b[31m$(x)\n"
    wanted = {k: {**w, "words": evil, "metric": {**w["metric"], "label": evil}} for k, w in record.wanted.items()}
    made = provenance.of_trial(
        dataclasses.replace(
            record, model={**record.model, "label": evil}, wanted=wanted, environment={"commit": evil, "threads": evil}
        )
    )
    words = shlex.split(made.commands[0])
    assert words[:5] == ["genbench", "run", "--models", "toy'; rm -rf  [31m$(x) ", "--metrics"]
    assert all(text.isprintable() for text in (*made.commands, made.commit, *made.protocols.values(), made.device))


def test_an_older_record_tells_less(here: Path) -> None:
    genbench.run("toy", "brightness", seeds=1, reference="none")
    (record,) = records()
    made = provenance.of_trial(dataclasses.replace(record, environment={}, stages={}, wanted={}))
    assert (made.commands, made.no_command) == ((), "no score was asked for")
    assert (made.commit, made.genbench_commit, made.device, made.seconds) == ("", "", "", {})
