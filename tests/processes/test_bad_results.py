"""Results that are damaged, or that somebody made to do harm: told in one line, the others shown, nothing followed."""

import json
import os
import pickle
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from complaining import Trap, check_line, tree

from genbench import files
from genbench.cli import main
from genbench.registry.loading import source_digest

ESCAPE = "\x1b[31m"
RUN = "run --models toy,toy@long --metric brightness,parzen[samples=100] --reference none --seeds 2 --quiet"
Damage = Callable[[Path], object]
NOT_LIKE = "is not as genbench writes it: "


@pytest.fixture
def stored(
    toy: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Path:
    """Return the trials of results/ in the working folder, and one trial's folder; they are made once and copied."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    made = tmp_path_factory.getbasetemp() / "results-to-damage"
    if not made.exists():
        assert main([*RUN.split(), "--results", str(made)]) == 0
    shutil.copytree(made, "results")
    capsys.readouterr()
    return next(Path("results/trials").glob("toy-digits-s0-*")).absolute()


@pytest.fixture
def genbench(capsys: pytest.CaptureFixture[str]):
    """Return a function that runs a command line: (exit code, stdout, stderr)."""

    def run(line: str) -> tuple[int, str, str]:
        code = main(shlex.split(line))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def text(content: str | bytes) -> Damage:
    return lambda trial: (trial / "trial.json").write_bytes(content if isinstance(content, bytes) else content.encode())


def sealed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a record and seal it anew, as anyone can who hands on results."""
    record = files.read_record(path)
    change(record)
    path.write_text(json.dumps({**record, "sha256": files.digest(record)}))


def put(path: str, value: Any) -> Damage:
    """Return what puts a value at a path of trial.json, as in model.label; * is the first key."""

    def change(record: dict[str, Any]) -> None:
        *parts, last = path.split(".")
        for part in parts:
            record = record[min(record) if part == "*" else part]
        record[last] = value

    return lambda trial: sealed(trial / "trial.json", change)


def left_out(key: str) -> Damage:
    return lambda trial: sealed(trial / "trial.json", lambda record: record.pop(key))


def score(**changes: Any) -> Damage:
    """Return what changes the content of a score's file."""

    def damage(trial: Path) -> None:
        path = min((trial / "metrics").glob("parzen-*.json"))
        sealed(path, lambda record: record.update(changes))
        stamps = {f"metrics/{path.name}": files.stamp(path)}
        sealed(trial / "trial.json", lambda record: record["stages"][path.stem]["files"].update(stamps))

    return damage


def score_text(content: str) -> Damage:
    return lambda trial: min((trial / "metrics").glob("parzen-*.json")).write_text(content)


def linked(name: str) -> Damage:
    """Return what moves a file or folder of a trial away and puts a link in its place."""

    def damage(trial: Path) -> None:
        elsewhere = trial.parents[2] / "elsewhere"
        (trial / name).rename(elsewhere)
        (trial / name).symlink_to(elsewhere)

    return damage


def replaced(name: str, make: Damage) -> Damage:
    def damage(trial: Path) -> None:
        (trial / name).unlink()
        make(trial / name)

    return damage


def other_stage(trial: Path) -> None:
    """Let a stage's name lead to a file outside, which is a good score."""
    shutil.copy(min((trial / "metrics").glob("brightness-*.json")), trial.parents[2] / "outside.json")

    def change(record: dict[str, Any]) -> None:
        good = min(record["wanted"])
        for part in ("wanted", "stages"):
            record[part]["../../../../outside"] = record[part].pop(good)

    sealed(trial / "trial.json", change)


DAMAGED: list[tuple[str, Damage, str]] = [
    ("empty", text(""), "trial.json is damaged: not JSON"),
    ("cut", lambda t: os.truncate(t / "trial.json", 500), "trial.json is damaged: not JSON"),
    ("text", text("hello"), "trial.json is damaged: not JSON"),
    ("latin-1", text("ü".encode("latin-1")), "trial.json is damaged: not JSON .*0xfc"),
    ("pickle", lambda t: text(pickle.dumps(Trap(t / "sprung")))(t), "trial.json is damaged: not JSON"),
    ("deep", text("[" * 100_000), "trial.json is damaged: not JSON .*recursion"),
    ("long number", text('{"a": ' + "1" * 5000 + "}"), "trial.json is damaged: not JSON .*digits"),
    ("NaN", text('{"seed": NaN}'), r"trial.json is damaged: not JSON \(NaN is no number"),
    ("list", text("[]"), "trial.json is damaged: its content does not match its checksum"),
    ("null", text("null"), "trial.json is damaged: its content does not match its checksum"),
    ("unsealed", text('{"schema": 1}'), "trial.json is damaged: its content does not match its checksum"),
    ("folder", replaced("trial.json", Path.mkdir), "trial.json: it is a folder, not a plain file"),
    ("pipe", replaced("trial.json", os.mkfifo), "trial.json: it is a pipe, not a plain file"),
    ("link", linked("trial.json"), "trial.json: it is a link, not a plain file"),
    ("device", replaced("trial.json", lambda p: p.symlink_to("/dev/zero")), "trial.json: it is a link, not"),
    ("schema to come", put("schema", 99), "trial.json has schema 99; this genbench reads 1"),
    ("schema as text", put("schema", "1"), "trial.json has schema '?1'?; this genbench reads 1"),
    ("no schema", left_out("schema"), "trial.json has schema None; this genbench reads 1"),
    ("no stages", left_out("stages"), f"trial.json {NOT_LIKE}it has no stages"),
    ("no model", left_out("model"), f"trial.json {NOT_LIKE}it has no model"),
    ("stages as list", put("stages", []), rf"trial.json {NOT_LIKE}stages is \[\]; expected an object"),
    ("unknown key", put("colour", "red"), f"trial.json {NOT_LIKE}it has colour, which is unknown"),
    ("unknown key with an escape", put(ESCAPE, "red"), rf"trial.json {NOT_LIKE}it has \[31m, which is unknown"),
    ("seed as text", put("seed", "zero"), f"trial.json {NOT_LIKE}seed is 'zero'; expected a whole number from 0"),
    ("seed below 0", put("seed", -1), f"trial.json {NOT_LIKE}seed is -1; expected a whole number from 0"),
    ("seed beyond all", put("seed", 10**30), f"trial.json {NOT_LIKE}seed is 10+; expected a whole number from 0"),
    ("model as list", put("model", []), rf"trial.json {NOT_LIKE}model is \[\]; expected an object"),
    ("model of nothing", put("model", {}), f"trial.json {NOT_LIKE}it has no model.label"),
    ("label as number", put("model.label", 3), f"{NOT_LIKE}model.label is 3; expected a text"),
    ("traits of nothing", put("model.traits", None), f"{NOT_LIKE}model.traits is None; expected an object"),
    ("target of nothing", put("model.target", None), f"{NOT_LIKE}model.target is None; expected a text"),
    ("dataset of nothing", put("dataset", {}), f"{NOT_LIKE}it has no dataset.label"),
    ("identity of nothing", put("identity", None), f"{NOT_LIKE}identity is None; expected an object"),
    ("status of nothing", put("status", None), f"{NOT_LIKE}status is None; expected a text"),
    ("environment of nothing", put("environment", None), f"{NOT_LIKE}environment is None; expected an object"),
    ("device as list", put("environment.device", []), rf"{NOT_LIKE}environment.device is \[\]; expected a text or"),
    ("seconds as text", put("stages.fit.seconds", "1"), f"{NOT_LIKE}stages.fit.seconds is '1'; expected a finite"),
    ("seconds beyond all", put("stages.fit.seconds", 1.7e308), "seconds is 1.7e.308; expected a number of less than 1e.100"),
    ("details of nothing", put("stages.fit.details", None), f"{NOT_LIKE}stages.fit.details is None; expected an"),
    ("parameters as text", put("stages.fit.details.parameters", "x"), "stages.fit.details.parameters is 'x'; expected"),
    ("wanted as list", put("wanted", []), rf"{NOT_LIKE}wanted is \[\]; expected an object"),
    ("wanted of nothing", put("wanted.*.metric", None), "wanted.brightness-.*metric is None; expected an object"),
    ("words of nothing", put("wanted.*.words", None), "wanted.brightness-.*words is None; expected a text"),
    ("protocol as list", put("wanted.*.id", []), r"wanted.brightness-.*id is \[\]; expected a text"),
    ("unit as number", put("wanted.*.metric.traits.unit", 3), "traits.unit is 3; expected a text"),
    ("direction as text", put("wanted.*.metric.traits.higher_is_better", "no"), "'no'; expected true or false"),
    ("stage outside", other_stage, rf"{NOT_LIKE}stage '\.\./\.\./\.\./\.\./outside'; expected a-z, 0-9 and -"),
    ("score missing", lambda t: [f.unlink() for f in (t / "metrics").glob("parzen-*")], "parzen-.*(No such|missing)"),
    ("score empty", score_text(""), "parzen-.*json is damaged"),
    ("score deep", score_text("[" * 100_000), "parzen-.*json is damaged"),
    ("score NaN", score_text('{"value": NaN}'), "parzen-.*json is damaged"),
]  # fmt: skip
SCORES: list[tuple[str, Damage, str]] = [
    ("value as text", score(value="x"), "value is 'x'; expected a finite number"),
    ("value of nothing", score(value=None), "value is None; expected a finite number"),
    ("value true", score(value=True), "value is True; expected a finite number"),
    ("value beyond all", score(value=10**400), "value is 10.*; expected a finite number"),
    ("value that has no mean", score(value=1.7e308), "value is 1.7e.308; expected a number of less than 1e.100"),
    ("extras of nothing", score(extras=None), "extras is None; expected an object"),
    ("extras as text", score(extras={"sigma": "x"}), "sigma is 'x'; expected a finite number"),
    ("error as text", score(stderr="x"), "stderr is 'x'; expected a finite number"),
    ("samples as text", score(samples="x"), "samples is 'x'; expected a whole number"),
]


@pytest.mark.parametrize(("damage", "message"), [pytest.param(*row[1:], id=row[0]) for row in DAMAGED + SCORES])
@pytest.mark.parametrize("form", ["table", "csv"])
def test_damage_is_told_and_the_others_are_shown(
    form: str, damage: Damage, message: str, stored: Path, genbench
) -> None:
    damage(stored)
    before = tree(Path.cwd())
    code, out, err = genbench(f"leaderboard --format {form}")
    assert code == 1
    assert err.startswith("not read: ")
    check_line(err, message)
    assert "toy@long" in out
    assert tree(Path.cwd()) == before


def test_nothing_but_damage_is_an_error(stored: Path, genbench) -> None:
    for trial in stored.parent.iterdir():
        text("{")(trial)
    code, out, err = genbench("leaderboard")
    assert (code, out) == (2, "")
    assert [line[:9] for line in err.splitlines()] == ["not read:"] * 4 + ["genbench:"]
    assert "no scores in these results; expected at least one" in err


TEXTS = [
    "model.label", "model.traits.samples_are", "model.distribution", "dataset.label", "environment.device",
    "environment.git", "wanted.*.words", "wanted.*.id", "wanted.*.metric.label", "wanted.*.metric.name",
    "wanted.*.metric.traits.title", "wanted.*.metric.traits.unit", "wanted.*.problem", "wanted.*.skipped", "status",
    "reason", "environment.commit", "environment.device_name", "environment.threads",
]  # fmt: skip


@pytest.mark.parametrize("path", TEXTS)
@pytest.mark.parametrize("unfinished", [False, True])
def test_no_escape_of_stored_text_reaches_the_terminal(path: str, unfinished: bool, stored: Path, genbench) -> None:
    if unfinished:
        put("stages", {})(stored)
        put("status", "failed")(stored)
    put(path, f"a{ESCAPE}b\x07\x9bc\u202ed\r\ne")(stored)
    forms = [f"leaderboard --format {form}" for form in ("table", "csv", "markdown", "latex", "json")]
    for line in (*forms, "leaderboard --table overview --format latex", f"show {stored}"):
        code, out, err = genbench(line)
        assert code == 0
        shown = (out + err).replace("\n", "").replace("\r", "")
        assert shown.isprintable(), ascii(shown)
        assert "\r" not in out.replace("\r\n", "\n")


def test_extras_that_only_some_seeds_have_are_averaged_over_those(stored: Path, genbench) -> None:
    score(extras={"edge": 1.0})(stored)
    code, out, _ = genbench("leaderboard --metric parzen")
    assert code == 0
    assert "refined to 1 %; sigma 0." in out


def test_a_stored_target_is_not_imported(
    stored: Path, genbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "evil"
    package.mkdir()
    for name in ("__init__", "module"):
        (package / f"{name}.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    put("model.target", "evil.module:Model")(stored)
    code, out, _ = genbench("leaderboard")
    assert code == 0
    assert "trained by older code" in out  # its file was found and read
    assert "evil" not in sys.modules
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("target", ["", ":", "..", "../../x:y", "no.such:y", "genbench.nowhere:y", "json.decoder.x:y"])
def test_a_target_that_is_nowhere_has_no_source(target: str) -> None:
    assert source_digest(target) == ""


@pytest.mark.parametrize("seal", [False, True], ids=["as it is", "sealed anew"])
def test_a_pickle_in_the_place_of_a_model_is_not_opened(seal: bool, stored: Path, genbench) -> None:
    """Whether the run then trains again or gives up is the store's to say; that nothing is executed is not."""
    model = stored / "model.safetensors"
    model.write_bytes(pickle.dumps(Trap(stored / "sprung")))
    shutil.rmtree(stored / "samples")
    if seal:
        put("stages.fit.files", {"model.safetensors": files.stamp(model)})(stored)
    _, out, err = genbench(RUN.replace("samples=100", "samples=2000"))
    assert not (stored / "sprung").exists()
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("leaderboard ''", "RESULTS.*'' is empty; expected a path"),
        ("leaderboard results/trials.csv", "no results in results/trials.csv: expected a folder that genbench run"),
        (f"leaderboard 'nowhere{ESCAPE}'", r"no results in nowhere \[31m: expected a folder"),
        ("leaderboard nowhere", "no results in nowhere: expected a folder that genbench run wrote to"),
        ("leaderboard results nowhere", "no results in nowhere: expected a folder"),
        (
            "leaderboard --metric fid",
            r"no scores of metric 'fid'\. Expected some of: (brightness, parzen|parzen, brightness)",
        ),
        ("leaderboard --metric 'f\x1b(0'", r"no scores of metric 'f \(0'\. Expected some of: "),
        ("leaderboard --dataset mnist", r"no scores of dataset 'mnist'\. Expected some of: digits"),
        ("leaderboard --dataset 'npz:['", r"unbalanced brackets or quotes in 'npz:\['"),
        ("leaderboard --format pdf", "'pdf' is not one of 'table', 'csv', 'markdown', 'latex', 'json'"),
        ("leaderboard --format", "--format.* requires an argument"),
        ("leaderboard --against goodfelow2014", r"unknown claims 'goodfelow2014'. Did you mean goodfellow2014\?"),
        ("leaderboard --metricz brightness", "--metricz.*--metric"),
        ("leaderboard --format csv -o ''", "-o.*'' is empty; expected a path"),
        ("leaderboard --format csv -o results", "-o results: it is a folder; expected the path of a file"),
        (
            "leaderboard --format csv -o results/trials.csv/x",
            "-o results/trials.csv/x: .*results/trials.csv is no folder; expected",
        ),
        (
            f"leaderboard --format csv -o 'results/trials.csv/{ESCAPE}'",
            r"-o results/trials.csv/ \[31m: .*results/trials.csv is no folder",
        ),
        (
            "leaderboard -o table.xlsx",
            "-o table.xlsx: no format is of this suffix; expected .txt, .csv, .md, .tex, .json",
        ),
    ],
)
def test_wrong_arguments_of_leaderboard(line: str, message: str, stored: Path, genbench) -> None:
    before = tree(Path.cwd())
    code, out, err = genbench(line)
    assert (code, out) == (2, "")
    check_line(err, message)
    assert tree(Path.cwd()) == before


# Links that lead out of the results


def test_links_for_files_are_replaced_not_followed(stored: Path, genbench, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("keep")
    for name in ("leaderboard.csv", "trials.csv"):
        Path("results", name).unlink()
        Path("results", name).symlink_to(outside)
    assert genbench(RUN)[0] == 0
    assert outside.read_text() == "keep"
    assert not Path("results/leaderboard.csv").is_symlink()


def flipped(path: Path) -> None:
    """Flip a bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: linked(f"metrics/{path.name}")(path.parents[1]), "is no plain file"),
        (flipped, "is damaged: its content does not match its checksum"),
        (lambda path: replaced(f"metrics/{path.name}", os.mkfifo)(path.parents[1]), "is no plain file"),
    ],
    ids=["link", "bit", "pipe"],
)
def test_values_per_image_are_read_as_they_were_stored(damage: Damage, message: str, stored: Path, genbench) -> None:
    damage(next(stored.glob("metrics/parzen-*.safetensors")))
    _, out, _ = genbench("leaderboard --metric parzen")
    assert re.search(rf"no error over test images: .*parzen-\w+.safetensors {message}", " ".join(out.split()))
    rows = json.loads(genbench("leaderboard --metric parzen --format json")[1])
    assert {row["model"]: row["seeds_done"] for row in rows} == {"toy": 2, "toy@long": 2}  # the score itself is whole
    assert {row["model"]: row["stderr_examples"] is None for row in rows} == {"toy": True, "toy@long": False}


def test_a_link_to_a_folder_is_no_trial(stored: Path, genbench) -> None:
    linked("")(stored)
    rows = json.loads(genbench("leaderboard --metric parzen --format json")[1])
    assert {row["model"]: row["seeds_done"] for row in rows} == {"toy": 1, "toy@long": 2}


@pytest.mark.parametrize("name", ["", "metrics", "samples", "output.txt", "traceback.txt", ".lock"])
def test_nothing_is_written_through_links(name: str, stored: Path, genbench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    if name in ("", "metrics", "samples"):
        (stored / name).rename(outside / "kept")
    else:
        (outside / "kept").write_text("keep")
        (stored / name).unlink(missing_ok=True)
    (stored / name).symlink_to(outside / "kept")
    before = tree(outside)
    code, out, err = genbench(RUN.replace("samples=100", "samples=2000") + " --metric picky[mood=raises]")
    assert (code, out) == (2, "")
    check_line(err.splitlines(keepends=True)[-1], "is a link; expected")
    assert tree(outside) == before


# Results that cannot be written


@pytest.mark.parametrize("path", ["results", "results/trials"])
def test_what_is_in_the_way_is_told_before_anything_is_done(
    path: str, toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, genbench
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).touch()
    before = tree(tmp_path)
    code, out, err = genbench("run --models toy --metric brightness --reference none --seeds 1")
    assert (code, out) == (2, "")
    check_line(err, f"cannot write to results: .*{path} is no folder; expected a folder to write to, by --results")
    assert tree(tmp_path) == before
