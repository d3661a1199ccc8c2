"""Results folders from anywhere: what anyone may have put into one does no harm, and each trial counts once."""

import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from complaining import tree
from safetensors.numpy import save
from trials import contents_of

import genbench
from genbench import files
from genbench.cli import main
from genbench.errors import DamagedError, StoreError
from genbench.runs import execution, stored
from genbench.store import locks
from genbench.store.store import Store
from genbench.store.trial_folder import TrialFolder
from genbench.trial import environment

RUN = "run --models toy --metric brightness,parzen[samples=100] --reference none --seeds 2 --quiet"
GIVEN: dict[str, Any] = {"models": "toy", "metrics": "brightness,parzen[samples=100]", "reference": "none", "seeds": 2}


@pytest.fixture
def results(
    toy: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Return results/ in the working folder, with two seeds of a model; they are made once and copied."""
    made = tmp_path_factory.getbasetemp() / "shared-results"
    if not made.exists():
        genbench.run(**GIVEN, results=made)
    (tmp_path / "home" / "work").mkdir(parents=True)
    (tmp_path / "home" / "thesis.txt").write_text("mine")
    monkeypatch.chdir(tmp_path / "home" / "work")
    shutil.copytree(made, "results")
    return Path("results")


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str, str]]:
    """Return a function that runs a command line: (exit code, stdout, stderr)."""

    def call(line: str) -> tuple[int, str, str]:
        code = main(shlex.split(line))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def never_waits() -> Iterator[None]:
    """Fail what waits for a pipe that nobody writes to: in minutes, and only then."""

    def fail(number: int, frame: object) -> None:
        raise AssertionError("it waits for what never comes")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, 120, 1)  # once more where it was caught
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def trial(results: Path, seed: int = 0) -> Path:
    return next((results / "trials").glob(f"toy-digits-s{seed}-*"))


def reseal(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a trial's record, and give it the checksum of what it says now, as anyone can."""
    record = files.read_record(folder / "trial.json")
    change(record)
    (folder / "trial.json").write_text(json.dumps({**record, "sha256": files.digest(record)}))


# Names that lead out -------------------------------------------------------------------------------------------------

STAMP = {"size": 1, "sha256": "0" * 64}
STAGE = {"seconds": 0.0, "inputs": {}, "details": {}}


def stage_named(name: str, *listed: str) -> Callable[[dict[str, Any]], object]:
    return lambda record: record["stages"].update({name: {**STAGE, "files": dict.fromkeys(listed, STAMP)}})


def listing(stage: str, name: str) -> Callable[[dict[str, Any]], object]:
    return lambda record: record["stages"][stage]["files"].update({name: STAMP})


THESIS = "../../../../thesis.txt"  # seen from a trial's folder
LEADING_OUT = {
    "a stage outside": stage_named("../../../../x", "../thesis.txt"),
    "a stage with a slash": stage_named("a/b", "metrics/a/b.json"),
    "a stage of dots": stage_named("..", "metrics/...json"),
    "a stage of nothing": stage_named("", "metrics/.json"),
    "a file outside": listing("fit", THESIS),
    "a file outside, of samples": listing("samples", f"samples/00000-00000.safetensors/{THESIS}"),
    "a file outside, by a line's end": listing("samples", "samples/00001-00001.safetensors\n"),
    "a file by its whole path": listing("samples", "/etc/passwd"),
    "a stage's only file outside": stage_named("brightness-0", THESIS),
    "a path that comes back": listing("fit", "../trials/x/../model.safetensors"),
    "a folder": listing("samples", "samples"),
    "the record itself": listing("fit", "trial.json"),
    "another stage's file": stage_named("other-0", "metrics/other-0.json", "model.safetensors"),
}
COMMANDS = [
    f"{RUN} --fresh",
    RUN.replace("brightness", "brightness[samples=1500]"),
    RUN.replace("--seeds 2", "--seeds 0-3"),
    "leaderboard",
    "figures --kinds curves",
    "doctor --verify",
]


@pytest.mark.parametrize("change", LEADING_OUT.values(), ids=LEADING_OUT)
def test_a_record_that_names_what_is_elsewhere_is_told_and_left_alone(
    change: Callable[[dict[str, Any]], object], results: Path, command: Callable[[str], tuple[int, str, str]]
) -> None:
    folder = trial(results)
    (folder.parent / "thesis.txt").write_text("theirs")
    reseal(folder, change)
    kept = tree(folder)
    outside = tree(Path.cwd().parent)
    code, out, err = command(RUN)
    assert (code, out) == (2, "")
    assert f"{folder}/trial.json is not as genbench writes it" in err
    assert f"It is left alone: move {folder.name} out of results/trials, and the trial is done again" in err
    assert tree(Path.cwd().parent) == outside
    for line in COMMANDS:
        code, out, err = command(line)
        assert code in (1, 2), line
        assert "is not as genbench writes it" in " ".join((out + err).split()), line
        assert "Traceback" not in out + err
        assert tree(folder) == kept, line
        assert Path("../thesis.txt").read_text() == "mine"
    shutil.move(folder, Path.cwd())
    assert command(RUN)[0] == 0, "the advice helps"


def test_what_a_record_lists_is_not_read_through_a_folder_that_is_a_link(results: Path) -> None:
    folder = trial(results)
    shutil.move(folder / "metrics", "elsewhere")
    (folder / "metrics").symlink_to(Path("elsewhere").absolute())
    (board,), damaged = stored.read_boards(["results"])[0][:1], stored.read_boards(["results"])[1]
    assert board.rows[0].seeds_done == 1
    assert [line.endswith(".json is no plain file") for line in damaged] == [True, True]  # each of its scores


def test_trials_that_are_a_link_are_neither_read_nor_written(results: Path) -> None:
    shutil.move(results / "trials", "elsewhere")
    (results / "trials").symlink_to(Path("elsewhere").absolute())
    before = tree(Path("elsewhere"))
    for call in (lambda: genbench.run(**GIVEN, fresh=True), lambda: stored.read_boards(["results"])):
        with pytest.raises(StoreError, match=r"results/trials is a link, which may lead anywhere; expected a folder"):
            call()
    assert tree(Path("elsewhere")) == before


@pytest.mark.parametrize("mark", ["../../../../x", "a/b", "", "A", "x" * 65, "ü", "\0"])
def test_a_mark_of_a_fresh_run_that_could_lead_out_is_none(mark: str, results: Path) -> None:
    store = Store(results)
    store.keep_fresh_mark("0a1b2c3d")
    assert store.fresh_mark() == "0a1b2c3d"
    (results / ".fresh").write_text(mark)
    assert store.fresh_mark() == ""


def test_a_mark_that_cannot_be_removed_is_told(results: Path) -> None:
    (results / ".fresh").mkdir()
    with pytest.raises(StoreError, match=r"cannot remove results/.fresh: (Is a directory|Operation not permitted)"):
        Store(results).keep_fresh_mark("")


def test_a_file_that_a_stage_does_not_list_is_none_of_its(results: Path) -> None:
    folder = TrialFolder(trial(results))
    record = folder.record()
    assert record is not None
    with pytest.raises(DamagedError, match=r"toy-digits-s0-.* has no output.txt"):
        folder.checked(record, "fit", "output.txt")


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
@pytest.mark.parametrize("name", [".holder", ".lock", "output.txt", "traceback.txt", "trial.json", "model.safetensors"])
@pytest.mark.usefixtures("never_waits")
def test_what_is_no_plain_file_is_not_waited_for(
    name: str, make: Callable[[Path], object], results: Path, command: Callable[[str], tuple[int, str, str]]
) -> None:
    path = trial(results) / name
    path.unlink(missing_ok=True)
    make(path)
    assert locks.holder(path.parent) == ""
    assert not locks.is_held(path.parent)
    for line in ("leaderboard", "doctor --verify", RUN, f"{RUN} --fresh"):
        code, out, err = command(line)
        assert code in (0, 1, 2)
        assert "Traceback" not in out + err
        assert "it waits" not in out + err


@pytest.mark.parametrize("name", [".holder", ".lock", "output.txt", "traceback.txt", "trial.json", "model.safetensors"])
def test_a_hard_link_in_an_archive_to_a_file_that_lay_there_changes_nothing_in_it(
    name: str, results: Path, command: Callable[[str], tuple[int, str, str]]
) -> None:
    folder = trial(results)
    (folder / name).unlink(missing_ok=True)
    with tarfile.open("a.tar", "w") as archive:
        archive.add(results)
        member = tarfile.TarInfo(str(folder / name))
        member.type, member.linkname = tarfile.LNKTYPE, "notes.txt"
        archive.addfile(member)
    shutil.rmtree(results)
    Path("notes.txt").write_text("mine")
    with tarfile.open("a.tar") as archive:
        archive.extractall(filter="data")
    assert (folder / name).samefile("notes.txt"), "tar links to whatever has the name"
    code, out, err = command(RUN.replace("brightness", "brightness[samples=1500]"))
    assert code in (0, 1, 2)
    assert "Traceback" not in out + err
    assert Path("notes.txt").read_text() == "mine"
    assert ("it is a hard link to a file that has other names; remove it" in err) == (name in (".lock", "output.txt"))


def test_what_a_trial_prints_and_locks_goes_into_no_hard_link(results: Path) -> None:
    folder = trial(results)
    for name in ("output.txt", ".lock"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).hardlink_to(Path("../thesis.txt"))
    refused = r"it is a hard link to a file that has other names; remove it"
    with pytest.raises(StoreError, match=refused), environment.output_to(folder / "output.txt"):
        print("theirs")
    with pytest.raises(StoreError, match=refused), locks.held(folder):
        pass
    assert Path("../thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("../thesis.txt")])
@pytest.mark.usefixtures("never_waits")
def test_a_mark_that_is_no_plain_file_is_told_or_replaced(
    make: Callable[[Path], object], results: Path, command: Callable[[str], tuple[int, str, str]]
) -> None:
    make(results / ".fresh")
    code, out, err = command(f"{RUN} --fresh")
    assert code == 0 or re.search(
        r"genbench: cannot write results/.fresh: it is a (pipe|folder), not a plain file", err
    )
    assert "Traceback" not in out + err
    assert "it waits" not in out + err
    assert Path("../thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b" " * (2**24 + 1), r"trial.json is too large; expected at most 16,777,216 bytes"),
        (b"[" * 100 + b"]" * 100, r"trial.json is too deep; expected at most 64 objects and lists in each other"),
    ],
)
def test_a_record_beyond_all_bounds_is_not_taken_apart(content: bytes, message: str, results: Path) -> None:
    (trial(results) / "trial.json").write_bytes(content)
    with pytest.raises(StoreError, match=message):
        TrialFolder(trial(results)).record()


def test_what_is_needed_to_go_on_is_asked_for_when_it_is_read(results: Path) -> None:
    for change, message in (
        (lambda record: record["stages"]["fit"]["files"].pop("model.safetensors"), "fit lists no model.safetensors"),
        (lambda record: record["stages"]["samples"]["details"].pop("batch"), "it has no samples.details.batch"),
        (lambda record: record["stages"]["samples"].update(files={}), "samples lists no file of samples"),
        (lambda record: record["stages"]["fit"]["inputs"].update(moon="full"), "expected what a stage is computed"),
        (lambda record: record["wanted"].update(twice=min(record["wanted"].values(), key=str)), "a protocol twice"),
    ):
        shutil.copytree(trial(results), "changed")
        reseal(Path("changed"), change)
        with pytest.raises(StoreError, match=message):
            TrialFolder(Path("changed")).record()
        shutil.rmtree("changed")


# Which trial it is ---------------------------------------------------------------------------------------------------


def summary(report: execution.Report) -> list[tuple[str, float, int, int]]:
    """Return what a report says of each row."""
    frame = report.leaderboard
    columns = (frame[name] for name in ("metric", "mean", "stderr", "seeds_done", "seeds_planned"))
    return list(zip(*columns, strict=True))


@pytest.fixture
def expected(results: Path) -> list[tuple[str, float, int, int]]:
    return summary(genbench.run(**GIVEN))


@pytest.mark.parametrize("pattern", ["{}.bak", "{}-copy", "{} (copy)", "Copy of {}", "backup"])
def test_a_copy_of_a_trial_is_no_other_seed(pattern: str, results: Path, expected: Any) -> None:
    folder = trial(results)
    copy = folder.with_name(pattern.format(folder.name))
    shutil.copytree(folder, copy)
    report = genbench.run(**GIVEN)
    assert (report.outcomes, report.damaged) == ({}, [])
    assert summary(report) == expected
    assert report.total[1] == 2
    (note,) = report.notes
    assert note.startswith("a trial lies in several folders, and counts once: ")
    assert {str(folder), str(copy)} == set(note.partition(": ")[2].split(" and "))
    assert len(genbench.load_results("results").trials) == 4


def test_a_copy_is_drawn_and_verified_too(results: Path, command: Callable[[str], tuple[int, str, str]]) -> None:
    folder = trial(results)
    shutil.copytree(folder, folder.with_name("copy"))
    code, out, _ = command("figures results/trials/copy --kinds curves")
    assert code == 0
    assert out.split(": ")[0].endswith("/results/figures/toy-digits-s0-curves.png")
    flip(folder.with_name("copy") / "log.jsonl")
    code, out, _ = command("doctor --verify")
    assert code == 1
    assert "copy/log.jsonl is damaged" in " ".join(out.split())


def test_doctor_follows_no_link_to_see_who_is_at_work(
    results: Path, command: Callable[[str], tuple[int, str, str]]
) -> None:
    shutil.move(trial(results), "elsewhere")
    (results / "trials" / "link").symlink_to(Path("elsewhere").absolute())
    with TrialFolder(Path("elsewhere")).lock(), TrialFolder(trial(results, 1)).lock():
        _, out, _ = command("doctor")
    assert f"by process {os.getpid()}" in out
    assert "link by" not in out


@pytest.mark.parametrize("name", ["moved", "toy-digits-s0-000000000000"])
def test_a_trial_under_another_name_is_found_and_gone_on_with(name: str, results: Path, expected: Any) -> None:
    folder = trial(results)
    before = TrialFolder(folder).record()
    folder.rename(folder.with_name(name))
    assert summary(genbench.run(**GIVEN)) == expected
    more = genbench.run(**{**GIVEN, "metrics": "brightness[samples=1500]"})
    assert [outcome.status for outcome in more.outcomes.values()] == ["done", "done"]
    after = TrialFolder(folder.with_name(name)).record()
    assert before is not None
    assert after is not None
    assert after.stages["fit"] == before.stages["fit"]
    assert len(list((results / "trials").iterdir())) == 2


def test_a_seed_that_another_was_copied_over_is_trained_again(results: Path, expected: Any) -> None:
    zero, one = trial(results, 0), trial(results, 1)
    bits = {name: content for name, content in contents_of(results).items() if one.name in name}
    shutil.rmtree(one)
    shutil.copytree(zero, one)
    ((board, _), _) = stored.read_boards(["results"])
    assert (board.rows[0].seeds_done, board.rows[0].seeds_planned) == (1, 1)
    report = genbench.run(**GIVEN)
    assert [outcome.status for outcome in report.outcomes.values()] == ["done"]
    assert summary(report) == expected
    again = {name: content for name, content in contents_of(results).items() if f"{one.name}-2/" in name}
    assert list(again.values()) == list(bits.values()), "in a folder of its own, to the same bits"
    assert genbench.run(**GIVEN).outcomes == {}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda record: record.update(id="0" * 12), "id"),
        (lambda record: record.update(seed=5), "seed"),
        (lambda record: record["identity"].update(select="best-valid:10"), "id"),
        (lambda record: record["dataset"].update(digest="0"), "dataset"),
        (lambda record: record.update(budget={"steps": 3}), "budget"),
    ],
)
def test_a_record_that_is_not_of_its_own_id_is_of_no_trial(
    change: Callable[[dict[str, Any]], object], wrong: str, results: Path
) -> None:
    reseal(trial(results), change)
    (board, _), damaged = stored.read_boards(["results"])
    assert board.rows[0].seeds_done == 1
    (problem,) = damaged
    assert f"is of no trial: its {wrong} is not what its identity says" in problem


# Several folders -----------------------------------------------------------------------------------------------------


def rewritten(folder: Path, **changes: Any) -> None:
    """Change parts of a trial's record."""
    record = TrialFolder(folder).record()
    assert record is not None
    TrialFolder(folder).write(dataclasses.replace(record, **changes))


UNFINISHED = [
    {"stages": {}, "status": "interrupted"},
    {"stages": {}, "status": "failed", "reason": "MemoryError: all eaten"},
    {"stages": {}, "wanted": {}, "status": "interrupted"},
]


@pytest.mark.parametrize("changes", UNFINISHED)
def test_of_several_folders_the_order_changes_nothing_and_a_score_beats_none(
    changes: dict[str, Any], results: Path, expected: Any
) -> None:
    shutil.copytree("results", "a-begun")
    shutil.copytree("results", "z-begun")
    for name in ("a-begun", "z-begun"):
        for seed in (0, 1):
            rewritten(trial(Path(name), seed), **changes)
    tables = []
    for paths in (["a-begun", "results"], ["results", "a-begun"], ["z-begun", "results", "a-begun"]):
        boards, collected = stored.read(paths)
        tables.append([(board.metric.label, row.summary.mean, row.seeds_done) for board in boards for row in board.rows])  # fmt: skip
        assert collected.damaged == []
        assert len(collected.notes) == 1
        assert collected.notes[0].startswith("2 trials lie in several folders, and each counts once: a-begun/trials/")
    assert tables == [[(metric, mean, done) for metric, mean, _, done, _ in expected]] * 3


def test_scores_that_lie_apart_come_together(results: Path, expected: Any) -> None:
    shutil.copytree("results", "theirs")
    for folder, gone in ((trial(results), "brightness"), (trial(Path("theirs")), "parzen")):
        record = TrialFolder(folder).record()
        assert record is not None
        kept = {name: {n: v for n, v in getattr(record, name).items() if not n.startswith(gone)} for name in ("stages", "wanted")}  # fmt: skip
        rewritten(folder, **kept)
    for paths in (["results", "theirs"], ["theirs", "results"]):
        boards, _ = stored.read_boards(paths)
        assert [(board.metric.label, board.rows[0].seeds_done) for board in boards] == [(row[0], 2) for row in expected]  # fmt: skip
    shutil.copytree(trial(Path("theirs")), results / "trials" / "theirs")
    boards, _ = stored.read_boards(["results"])
    assert [board.rows[0].seeds_done for board in boards] == [2, 2]


def test_boards_stand_in_one_order_whichever_folder_comes_first(results: Path) -> None:
    genbench.run(models="toy@long", metrics="parzen[samples=200]", reference="none", seeds=1, results="more")
    orders = [stored.read_boards(paths)[0] for paths in (["results", "more"], ["more", "results"])]
    labels = [[board.metric.label for board in boards] for boards in orders]
    assert labels[0] == labels[1]
    assert len(labels[0]) == 3


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("whole", ["toy-digits-s0.whole", "A whole one"])
@pytest.mark.parametrize("name", ["trial.json", "model.safetensors", "metrics/brightness-*.json"])
def test_of_several_copies_a_damaged_one_is_named_and_a_whole_one_used(
    name: str, whole: str, results: Path, expected: Any
) -> None:
    folder = trial(results)
    shutil.copytree(folder, folder.with_name(whole))
    flip(next(folder.glob(name)))
    before = tree(folder), tree(folder.with_name(whole))
    report = genbench.run(**GIVEN)
    assert report.outcomes == {}
    assert summary(report) == expected
    assert (tree(folder), tree(folder.with_name(whole))) == before
    if name != "model.safetensors":  # which no table reads
        assert len(report.damaged) == 1
        assert f"{folder}/{name.partition('*')[0]}" in report.damaged[0]
        assert "damaged" in report.damaged[0]


def test_a_folder_that_is_not_ours_beside_a_whole_one_stops_nothing(results: Path, expected: Any) -> None:
    folder = trial(results)
    shutil.copytree(folder, folder.with_name("whole"))
    reseal(folder, listing("fit", THESIS))
    report = genbench.run(**GIVEN)
    assert report.outcomes == {}
    assert summary(report) == expected
    assert [THESIS in problem for problem in report.damaged] == [True]


def test_values_per_image_that_are_damaged_are_told_and_not_used(results: Path) -> None:
    flip(next(trial(results).glob("metrics/parzen-*.safetensors")))
    boards, _ = stored.read_boards(["results"])
    row = boards[-1].rows[0]
    assert row.stderr_examples is None
    assert row.seeds_done == 2
    ((note,),) = [score.notes for score in row.scores if score.notes]
    assert note.startswith("no error over test images: ")
    assert note.endswith("is damaged: its content does not match its checksum")


def restamped(folder: Path, stage: str, name: str) -> None:
    """Let a trial's record list a file as it is now."""
    reseal(folder, lambda record: record["stages"][stage]["files"].update({name: files.stamp(folder / name)}))


@pytest.mark.parametrize(
    "values",
    [
        {"per_example": np.array(1, np.float32)},
        {"per_example": np.ones((3, 2), np.float32)},
        {"per_example": np.ones(0, np.float32)},
        {"per_example": np.full(3, np.nan, np.float32)},
        {"other": np.ones(3, np.float32)},
        b"no safetensors",
        b"",
    ],
)
def test_values_per_image_that_genbench_did_not_write_are_not_used(values: Any, results: Path) -> None:
    for seed in (0, 1):
        path = next(trial(results, seed).glob("metrics/parzen-*.safetensors"))
        path.write_bytes(values if isinstance(values, bytes) else save(values))
        restamped(trial(results, seed), path.stem, f"metrics/{path.name}")
    boards, damaged = stored.read_boards(["results"])
    assert boards[-1].rows[0].stderr_examples is None
    assert boards[-1].rows[0].seeds_done == 2
    assert damaged == []


@pytest.mark.parametrize("line", ["[" * 100_000, f'{{"step": {10**400}}}', '{"step": 1, "loss": "x"}', "\x1b", "{}"])
def test_a_log_that_genbench_did_not_write_costs_its_own_pictures(
    line: str, results: Path, command: Callable[[str], tuple[int, str, str]]
) -> None:
    (trial(results) / "log.jsonl").write_text(line)
    restamped(trial(results), "fit", "log.jsonl")
    code, out, err = command(f"{RUN} --tensorboard")
    assert code == 0
    assert "not read: toy on digits, seed 0" in out
    code, _, err = command("figures --kinds curves")
    assert code in (1, 2)
    assert err.startswith("curves of toy on digits, seed 0: ")
    assert "Traceback" not in err


# Killed and set back -------------------------------------------------------------------------------------------------


def test_a_kill_at_any_change_while_tables_are_written_loses_none(results: Path) -> None:
    genbench.run(**GIVEN)
    names = ("leaderboard.csv", "trials.csv")
    before = {name: (results / name).read_bytes() for name in names}
    (trial(results, 1)).rename("elsewhere")
    genbench.run(**{**GIVEN, "seeds": 1})
    smaller = {name: (results / name).read_bytes() for name in names}
    Path("elsewhere").rename(results / "trials" / "back")
    for number in range(1, 100):
        if not killed_at(number, results):
            break
        for name in names:
            assert (results / name).read_bytes() in (before[name], smaller[name])
    assert number > 6
    genbench.run(**GIVEN)
    assert {name: (results / name).read_bytes() for name in names} == before


def killed_at(number: int, results: Path) -> bool:
    """Write the tables in a forked process that is killed at its n-th change; return whether it came so far."""
    import sys

    child = os.fork()
    if child == 0:
        seen = 0

        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            if event in ("os.rename", "os.remove", "os.chmod", "open") and ".csv" in str(arguments[0]):
                seen += 1
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(audit)
        try:
            stored.write_tables(Store(results))
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_what_changed_after_the_clock_was_set_back_is_found(results: Path) -> None:
    folder = trial(results)
    coming = 2 * (folder / "trial.json").stat().st_mtime_ns
    os.utime(folder / "trial.json", ns=(coming, coming))
    assert genbench.run(**GIVEN).outcomes == {}
    flip(folder / "model.safetensors")
    report = genbench.run(**GIVEN)
    (outcome,) = report.outcomes.values()
    assert "model.safetensors is damaged: its content does not match its checksum" in outcome.notes[0]
