"""What stays on the disk: --keep, and copies without weights and samples that still print their tables."""

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from trials import contents_of

import genbench
from genbench import files
from genbench.cli import main
from genbench.errors import NotKept, RequestError, StoreError
from genbench.runs import planning, stored
from genbench.runs.planning import task
from genbench.runs.settings import RunSettings
from genbench.runs.slimming import slim
from genbench.store.records import TrialRecord
from genbench.store.store import Store
from genbench.trial.worker import perform_assignment

QUICK = "gan[epochs=1]"
COMMAND = ["run", "--models", QUICK, "--metric", "parzen[samples=1000]", "--reference", "kmeans", "--seeds", "2", "--quiet"]  # fmt: skip

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "500")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        return code, *capsys.readouterr()

    return run


def records(results: str = "results") -> list[TrialRecord]:
    return [record for _, record in Store(Path(results)).all() if isinstance(record, TrialRecord)]


def kinds(results: str = "results") -> tuple[int, int]:
    """Return how many files of weights and of samples lie there."""
    trials = Path(results, "trials")
    return len(list(trials.glob("*/model.safetensors"))), len(list(trials.glob("*/samples/*.safetensors")))


def csv(results: str) -> dict[str, str]:
    return {name: Path(results, name).read_bytes().decode() for name in ("leaderboard.csv", "trials.csv")}


# genbench slim


def test_a_slim_copy_prints_the_same_tables_and_says_what_it_lacks(cli: Run) -> None:
    cli(*COMMAND)
    code, out, _ = cli("slim", "results", "-o", "deep/copy")
    assert code == 0
    assert re.match(r"deep/copy: 4 trials without samples and weights \([0-9.]+ MB left out\)\.", out)
    assert kinds() == (4, 4)
    assert kinds("deep/copy") == (0, 0)
    assert sorted(path.name for path in Path("deep").iterdir()) == ["copy"], "nothing lies beside it"
    assert csv("deep/copy") == csv("results")
    for form in ("csv", "table", "markdown", "json"):
        assert cli("leaderboard", "deep/copy", "--format", form) == cli("leaderboard", "results", "--format", form)
    size = sum(path.stat().st_size for path in Path("deep/copy").rglob("*") if path.is_file())
    assert size < 100_000


def test_what_reads_a_slim_copy_speaks_in_words(cli: Run) -> None:
    pytest.importorskip("tensorboard")
    cli(*COMMAND)
    cli("slim", "-o", "copy")
    code, out, err = cli("doctor", "--results", "copy", "--verify")
    assert code == 0
    assert re.search(r"stored results +every byte as it was stored", out)
    assert re.search(r"not kept +4 trials without samples and weights: genbench slim or --keep let them go", out)
    code, status, _ = cli("status", "copy")
    assert code == 0
    assert status.splitlines()[0] == "4 trials: 4 done"
    assert status.count("without samples and weights, which were not kept") == 4
    code, figures, told = cli("figures", "gan", "--results", "copy")
    assert code == 0
    assert "-curves.png" in figures
    assert "samples (its weights were not kept)" in told
    code, _, board = cli(*COMMAND, "--results", "copy", "--tensorboard")
    assert code == 0
    assert list(Path("copy/tensorboard").rglob("events*"))
    for said in (out, err, status, figures, told, board):
        assert "damaged" not in said
        assert "Traceback" not in said
    with pytest.raises(RequestError, match=r"nothing to draw: .*its weights were not kept"):
        from genbench.figures.drawing import draw

        list(draw("gan", Path("copy"), kinds=["samples"]))


def test_a_slim_copy_of_a_slim_copy_is_the_same(cli: Run) -> None:
    cli(*COMMAND)
    cli("slim", "-o", "copy")
    assert slim(Path("copy"), Path("again")).bytes_left_out == 0
    assert contents_of(Path("again")) == contents_of(Path("copy"))
    assert cli(*COMMAND, "--results", "again")[0] == 0
    assert contents_of(Path("again")) == contents_of(Path("copy")), "what has its scores is not done again"


def test_a_copy_is_made_beside_the_results_and_over_nothing(cli: Run) -> None:
    cli("run", "--models", "kmeans", "--reference", "none", "--seeds", "1", "--quiet")
    Path("full").mkdir()
    Path("full/mine").write_text("mine")
    Path("file").write_text("mine")
    Path("elsewhere").mkdir()
    Path("link").symlink_to("elsewhere")
    wrong = {"full": "is not empty", "file": "something else", "link": "something else", "results/in": "it lies in"}
    for place, words in wrong.items():
        with pytest.raises(RequestError, match=rf"^-o {place}: .*{words}"):
            slim(Path("results"), Path(place))
    with pytest.raises(StoreError, match="cannot write file/copy"):
        slim(Path("results"), Path("file/copy"))
    with pytest.raises(StoreError, match="no results in nowhere"):
        slim(Path("nowhere"), Path("copy"))
    assert (Path("full/mine").read_text(), Path("file").read_text()) == ("mine", "mine")
    assert list(Path("elsewhere").iterdir()) == []
    assert sorted(os.listdir()) == ["elsewhere", "file", "full", "link", "results"]
    Path("empty").mkdir()
    assert slim(Path("results"), Path("empty")).trials == 1


@pytest.mark.parametrize("how", ["cut", "link", "record"])
def test_of_damaged_results_no_copy_is_made(how: str, cli: Run) -> None:
    cli("run", "--models", "kmeans", "--reference", "none", "--seeds", "1", "--quiet")
    (score,) = Path("results").rglob("metrics/*.json")
    (record,) = Path("results").rglob("trial.json")
    if how == "record":
        record.write_text("{")
    else:
        shutil.copy(score, "secret")
        score.unlink()
        score.write_text("{") if how == "cut" else score.symlink_to(Path("secret").absolute())
    with pytest.raises(StoreError, match="is damaged" if how != "link" else "is no plain file"):
        slim(Path("results"), Path("copy"))
    assert not os.path.lexists("copy")
    assert [name for name in os.listdir() if name.startswith(".")] == []


# genbench run --keep


@pytest.mark.parametrize(("keep", "left"), [("all", (4, 4)), ("samples", (0, 4)), ("none", (0, 0))])
def test_what_is_kept_is_what_was_asked_for_and_the_tables_are_the_same(keep: str, left: tuple[int, int], cli) -> None:
    cli(*COMMAND, "--results", "whole")
    assert cli(*COMMAND, "--keep", keep)[0] == 0
    assert kinds() == left
    assert csv("results")["leaderboard.csv"].count("\n") == csv("whole")["leaderboard.csv"].count("\n") > 1
    assert {row.split(",")[4] for row in csv("results")["leaderboard.csv"].splitlines()} == {
        row.split(",")[4] for row in csv("whole")["leaderboard.csv"].splitlines()
    }
    before = contents_of(Path("results"))
    code, _, err = cli(*COMMAND[:-1])
    assert (code, "4 in the store" in err) == (0, True)
    assert contents_of(Path("results")) == before, "their scores are valid: nothing is done again"


def test_what_was_finished_before_is_let_go_too(cli: Run) -> None:
    cli(*COMMAND)
    assert kinds() == (4, 4)
    code, _, err = cli(*COMMAND[:-1], "--keep", "samples")
    assert (code, "4 in the store" in err, kinds()) == (0, True, (0, 4))
    cli(*COMMAND, "--keep", "none")
    assert kinds() == (0, 0)
    assert {record.lacking for record in records()} == {"without samples and weights, which were not kept"}


def test_what_cannot_be_let_go_costs_no_table(cli: Run) -> None:
    cli(*COMMAND)
    (next(Path("results/trials").iterdir()) / "link").symlink_to("/")
    code, out, err = cli("run", "--models", f"{QUICK},gaussian", *COMMAND[3:-1], "--keep", "none")
    assert code == 0, err
    assert "gaussian" in Path("results/leaderboard.csv").read_text()
    assert re.search(r"not let go of: .*/link is a link", out + err)


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["samples", "none"])
def test_a_score_asked_for_later_is_what_it_would_have_been(keep: str, cli: Run) -> None:
    later = ["parzen[samples=1000]", "--metric", "parzen[samples=12000]", "--metric", "fid[pixels,samples=700]"]
    whole = [*COMMAND[:4], *later, *COMMAND[5:]]
    cli(*whole, "--results", "whole")
    cli(*COMMAND, "--keep", keep)
    old = {record.id: record for record in records()}
    code, _, err = cli(*whole[:-1], "--keep", "all")
    assert code == 0
    assert re.search(r"seed \d, without .*, which were not kept \(and 3 more\): made again where that is needed", err)
    values = [[(r.trial.id, r.protocol_id, r.value) for r in stored.collect(Store(Path(p))).rows] for p in ("results", "whole")]  # fmt: skip
    assert sorted(values[0]) == sorted(values[1])
    for record in records():
        assert record.dropped == ()
        assert record.stages["fit"].files["model.safetensors"] == old[record.id].stages["fit"].files["model.safetensors"]  # fmt: skip
        first = next(name for name in old[record.id].stages if name.startswith("parzen-"))
        assert record.stages[first] == old[record.id].stages[first], "a score that is valid is not done again"
        drawn = old[record.id].stages["samples"]
        assert drawn.files.items() <= record.stages["samples"].files.items()
    assert stored.tables(Store(Path("results")))["leaderboard.csv"] == csv("results")["leaderboard.csv"]


def test_samples_that_are_kept_are_scored_without_training(cli: Run) -> None:
    cli(*COMMAND, "--keep", "samples")
    fits = {record.id: record.stages["fit"] for record in records()}
    code, out, _ = cli(*COMMAND[:4], "parzen[samples=500]", *COMMAND[5:], "--keep", "samples")
    assert (code, "made again" in out) == (0, False)
    assert {record.id: record.stages["fit"] for record in records()} == fits
    assert kinds() == (0, 4)
    assert cli("figures", "gan", "--kind", "samples")[0] == 0


def test_a_training_that_comes_to_other_weights_takes_its_old_scores_with_it(toy: str, cli: Run) -> None:
    run = ["run", "--models", "toy", "--metric", "brightness", "--reference", "none", "--seeds", "1", "--quiet"]
    cli(*run, "--keep", "none")
    (record,) = records()
    (path,) = Path("results").rglob("trial.json")
    content = json.loads(path.read_text())
    content.pop("sha256")
    for stage in content["stages"].values():  # as if it had been trained on another machine
        for name, stamp in stage["files"].items():
            stamp["sha256"] = "0" * 64 if name == "model.safetensors" else stamp["sha256"]
        stage["inputs"] |= {"model": "0" * 64} if "model" in stage["inputs"] else {}
    files.write_record(path, content)
    cli(*run[:4], "parzen[samples=1000]", *run[5:])
    (now,) = records()
    assert now.stages["fit"].files["model.safetensors"] == record.stages["fit"].files["model.safetensors"]
    assert {name.partition("-")[0] for name in now.stages} == {"fit", "samples", "parzen"}
    assert now.dropped == ()


def test_images_made_elsewhere_are_not_kept_a_second_time(cli: Run) -> None:
    import numpy as np

    np.savez("ours.npz", images=np.random.default_rng(0).integers(0, 256, (300, 1, 8, 8), dtype=np.uint8))
    given = {"metrics": "parzen", "reference": "none", "samples": 300}
    genbench.evaluate({"ours": "ours.npz"}, **given, keep="none")
    assert kinds() == (0, 0)
    whole = genbench.evaluate({"ours": "ours.npz"}, **{**given, "metrics": "parzen,fid[pixels]"})
    apart = genbench.evaluate({"ours": "ours.npz"}, **{**given, "metrics": "parzen,fid[pixels]"}, results="apart")
    assert list(whole.leaderboard["mean"]) == list(apart.leaderboard["mean"])


def test_a_trial_that_lacks_a_score_keeps_what_that_needs(toy: str, cli: Run) -> None:
    run = ["run", "--models", "toy", "--reference", "none", "--seeds", "1", "--quiet", "--keep", "none"]
    code, *_ = cli(*run, "--metric", "brightness,picky[mood=raises]")
    assert (code, kinds()[0]) == (1, 1)
    assert cli(*run, "--metric", "brightness")[0] == 0
    assert kinds() == (0, 0)


def test_what_was_let_go_is_read_as_such_and_not_as_damage(cli: Run) -> None:
    cli(*COMMAND, "--keep", "none")
    for folder, record in Store(Path("results")).all():
        assert isinstance(record, TrialRecord)
        assert folder.damage(record, every_byte=True) == {}
        with pytest.raises(NotKept, match="its weights were not kept"):
            folder.checked(record, "fit", "model.safetensors")


@pytest.mark.parametrize("name", ["log.jsonl", "../../../mine", "samples/00001-00002.safetensors"])
def test_a_record_lets_nothing_go_but_its_own_weights_and_samples(name: str, cli: Run) -> None:
    Path("mine").write_text("mine")
    cli("run", "--models", "kmeans", "--reference", "none", "--seeds", "1", "--quiet")
    (path,) = Path("results").rglob("trial.json")
    content = json.loads(path.read_text())
    content.pop("sha256")
    files.write_record(path, {**content, "dropped": [name]})
    with pytest.raises(StoreError, match="dropped names .*expected listed files of weights or samples"):
        Store(Path("results")).all().__next__()[0].record()
    assert Path("mine").read_text() == "mine"


@pytest.mark.slow
def test_killed_at_any_moment_of_letting_go_the_store_is_whole(cli: Run) -> None:
    planned = planning.plan(
        RunSettings(QUICK, "parzen[samples=1000]", seeds=1, reference="none", results="results", keep="none")
    )
    (spec,) = [task(planned, trial).spec for trial in planned.todo]
    perform_assignment(spec.replace('"keep":"none"', '"keep":"all"'))
    shutil.copytree("results", "before")
    (trial,) = Path("results/trials").iterdir()
    seen = set()
    for number in range(1, 30):
        shutil.rmtree("results")
        shutil.copytree("before", "results")
        killed = _dropping_killed_at(number, trial)
        (record,) = records()
        (folder,) = [folder for folder, _ in Store(Path("results")).all()]
        assert folder.damage(record, every_byte=True) == {}
        seen.add((bool(record.dropped), kinds()))
        if not killed:
            break
        perform_assignment(spec)
        assert kinds() == (0, 0)
        assert records()[0].stages.keys() == record.stages.keys()
    assert (True, (1, 1)) in seen, "between the record and the first file"
    assert (True, (0, 0)) in seen
    assert all(dropped or left == (1, 1) for dropped, left in seen), "no file goes before the record says so"


def _dropping_killed_at(number: int, trial: Path) -> bool:
    """Let weights and samples go in a forked process that kills itself before its n-th change of a file."""
    import sys

    from genbench.store.trial_folder import TrialFolder

    child = os.fork()
    if child == 0:
        count = 0

        def audit(event: str, arguments: tuple) -> None:
            nonlocal count
            if event in ("os.rename", "os.remove", "os.chmod"):
                count += 1
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(audit)
        try:
            TrialFolder(trial).drop_under_lock("none")
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_other_words_are_refused(cli: Run) -> None:
    code, _, err = cli(*COMMAND, "--keep", "some")
    assert code == 2
    assert "'some' is not one of 'all', 'samples', 'none'" in err
