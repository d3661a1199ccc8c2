"""The real command where things are unusual: names, homes, locales, terminals, closed streams, no right to write."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

GENBENCH = f"{shlex.quote(sys.executable)} -m genbench"
JOB = f"{GENBENCH} run --models gaussian --reference none --seeds 1 --samples 100"
NOBODY = 54321
slow = pytest.mark.slow  # each of these runs several commands, and every command imports torch
UMLAUTS = "Möglich, aber ungewöhnlich 目录"

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def sh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Return a function that runs a line of shell in an empty folder; an environment variable None is unset there."""
    folder = tmp_path / "work"
    folder.mkdir()

    def run(line: str, cwd: Path = folder, **environment: str | None) -> Done:
        given = {**os.environ, "GENBENCH_CACHE": str(tmp_path / "cache"), **environment}
        return subprocess.run(
            ["bash", "-c", line],
            cwd=cwd,
            env={name: value for name, value in given.items() if value is not None},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=600,
            check=False,
        )

    return run


def check_done(done: Done) -> None:
    assert done.returncode == 0, done
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr


def write_images(path: Path) -> None:
    import numpy as np

    x = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    np.savez(path, x_train=x[:30], x_test=x[30:])


# Names


@slow
def test_paths_may_hold_blanks_and_umlauts(sh, tmp_path: Path) -> None:
    folder = tmp_path / UMLAUTS
    folder.mkdir()
    write_images(folder / "Bilder für uns.npz")
    places = {"GENBENCH_CACHE": f"./{UMLAUTS} cache", "GENBENCH_DATA": f"./{UMLAUTS} data"}
    done = sh(f"{JOB} --dataset 'npz:Bilder für uns.npz' --results 'Ergebnisse für uns'", cwd=folder, **places)
    check_done(done)
    assert "npz:Bilder für uns.npz" in done.stdout
    assert (folder / f"{UMLAUTS} cache" / "prepared").is_dir()
    again = sh(
        f"{GENBENCH} leaderboard 'Ergebnisse für uns' --format csv -o 'Tabelle für uns.csv'", cwd=folder, **places
    )
    check_done(again)
    assert "npz:Bilder für uns.npz" in (folder / "Tabelle für uns.csv").read_text(encoding="utf-8")
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [f"{UMLAUTS} cache", "Bilder für uns.npz", "Ergebnisse für uns", "Tabelle für uns.csv"]
    )


@slow
def test_a_file_whose_name_is_no_text_is_refused_with_advice(sh, tmp_path: Path) -> None:
    write_images(Path(os.fsdecode(os.fsencode(tmp_path) + b"/work/\xff.npz")))
    done = sh(rf"{JOB} --dataset npz:$'\xff.npz'")
    assert done.returncode == 2
    assert "with bytes that are no text here; expected text. Rename the file" in done.stderr


# Locales


@slow
@pytest.mark.parametrize(
    "locale",
    [
        pytest.param({"LANG": "C", "LC_ALL": "C"}, marks=slow),
        pytest.param({"LANG": "POSIX", "LC_ALL": None, "LC_CTYPE": None}, marks=slow),
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        pytest.param({"PYTHONIOENCODING": "ascii"}, marks=slow),
        pytest.param({"PYTHONIOENCODING": "latin-1"}, marks=slow),
        pytest.param({"LC_ALL": "no_SUCH.locale"}, marks=slow),
    ],
    ids=lambda locale: " ".join(f"{name}={value}" for name, value in locale.items()),
)
def test_any_locale_will_do(locale: dict[str, str | None], sh, tmp_path: Path) -> None:
    done = sh(
        f"{JOB} --results 'so_gut'; {GENBENCH} leaderboard so_gut; {GENBENCH} list; {GENBENCH} show vae", **locale
    )
    check_done(done)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Parzen log-likelihood on digits")
    assert len(lines[2].strip()) > 60  # the rule under the heads, in whatever characters there are
    assert len({len(line) for line in lines[2:3] + lines[4:5]}) == 1


@slow
def test_ascii_has_stand_ins_of_the_same_width(sh) -> None:
    done = sh(f"{JOB} --quiet", PYTHONIOENCODING="ascii")
    check_done(done)
    assert done.stdout.isascii()
    assert "mean ~ se" in done.stdout
    assert "?" not in done.stdout


# Homes


@pytest.fixture
def nobody(sh: Callable[..., Done], tmp_path: Path) -> Callable[..., Done]:
    """Return what `sh` is, as a user without a home or a name who can write in `work` and `cache` alone; or skip."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    for folder in (tmp_path / "work", tmp_path / "cache"):
        folder.mkdir(exist_ok=True)
        os.chown(folder, NOBODY, NOBODY)
    for parent in (tmp_path, *tmp_path.parents[:3]):  # pytest keeps its folders to itself
        parent.chmod(parent.stat().st_mode | 0o011)
    become = f"setpriv --reuid {NOBODY} --clear-groups"

    def run(line: str, **given: object) -> Done:
        return sh(line.replace(GENBENCH, f"{become} {GENBENCH}"), **given)

    if run(f"{GENBENCH} --version").returncode != 0:
        pytest.skip("there is no setpriv, or another user cannot read this installation")
    return run


def test_without_home_the_users_folder_is_found(sh) -> None:
    check_done(sh(f"{GENBENCH} data path; {GENBENCH} list models", HOME=None, GENBENCH_CACHE=None, GENBENCH_DATA=None))


@slow
def test_without_home_and_name_one_variable_is_enough(nobody, tmp_path: Path) -> None:
    for command in (JOB, f"{GENBENCH} leaderboard", f"{GENBENCH} list", f"{GENBENCH} doctor", f"{GENBENCH} data path"):
        check_done(nobody(command, HOME=None, GENBENCH_DATA=None))
    assert "~" not in os.listdir(tmp_path / "work")


def test_without_home_name_and_variable_the_error_names_the_variable(nobody, tmp_path: Path) -> None:
    nothing = {"HOME": None, "GENBENCH_CACHE": None, "GENBENCH_DATA": None}
    done = nobody(JOB, **nothing)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "genbench: this user has no home folder; expected one in HOME, or a folder in GENBENCH_CACHE\n"
    )
    check_done(nobody(f"{GENBENCH} list", **nothing))
    assert os.listdir(tmp_path / "work") == []


# No right to write


@slow
def test_the_working_folder_need_not_be_writable(nobody, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o755)
    check_done(nobody(f"{JOB} --results ../work/results", cwd=locked, HOME="/nowhere"))
    assert os.listdir(locked) == []


@slow
@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{JOB} --results here", "cannot write to .*here.*: Permission denied; expected a folder to write to, by --results"),
        (f"GENBENCH_CACHE=$PWD/cache {JOB} --results ../work/r", "cannot write prepared data in .*set GENBENCH_CACHE"),
        (f"{JOB} --results ../work/r --quiet && {GENBENCH} leaderboard ../work/r --format csv -o t.csv", "cannot write t"),
    ],
    ids=["results", "cache", "output"],
)  # fmt: skip
def test_what_cannot_be_written_is_named(line: str, message: str, nobody, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o755)
    done = nobody(line, cwd=locked, HOME="/nowhere")
    assert done.returncode == 2
    assert re.search(message, done.stderr.splitlines()[-1]), done.stderr
    assert "Traceback" not in done.stderr
    assert os.listdir(locked) == []


# Streams


@slow
@pytest.mark.parametrize(
    ("command", "reader"),
    [
        *(pytest.param(command, "true", marks=slow) for command in ("list", "run --help", "show vae", "data path")),
        *((command, "true") for command in ("--help", "leaderboard")),
        ("list", "head -1"),
        ("leaderboard --format csv", "head -c 1"),
    ],
)
def test_a_reader_that_leaves_early_is_no_error(command: str, reader: str, sh, tmp_path: Path) -> None:
    prepared = "" if not command.startswith("leaderboard") else f"{JOB} --quiet >/dev/null 2>&1;"
    done = sh(f"{prepared} {GENBENCH} {command} | {reader}; exit ${{PIPESTATUS[0]}}")
    check_done(done)
    assert done.stderr == ""


@slow
@pytest.mark.parametrize(
    "closed", [*(pytest.param(part, marks=slow) for part in (">&-", "2>&-", "<&-", ">&- 2>&-")), "<&- >&- 2>&-"]
)
def test_closed_streams_are_no_error(closed: str, sh, tmp_path: Path) -> None:
    done = sh(f"{{ {JOB} && {GENBENCH} leaderboard && {GENBENCH} list && {GENBENCH} --help; }} {closed}")
    check_done(done)
    assert (tmp_path / "work" / "results" / "leaderboard.csv").read_bytes().startswith(b"metric,")
    wrong = sh(f"{GENBENCH} rn {closed}")
    assert wrong.returncode == 2
    assert wrong.stdout == ""


def test_a_full_disk_behind_stdout_is_told(sh) -> None:
    done = sh(f"{GENBENCH} list >/dev/full")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "No space left on device" in done.stderr


# Terminals


@slow
@pytest.mark.parametrize("columns", [40, pytest.param(60, marks=slow)])
def test_nothing_is_wider_than_the_terminal(columns: int, sh) -> None:
    shown = (
        "list",
        "plugins",
        "doctor",
        "show vae",
        "show parzen",
        *(["run --help"] if columns > 50 else []),
    )
    commands = [f"{GENBENCH} {command}" for command in shown]  # click takes 50 columns for options, never fewer
    done = sh("; ".join([f"{JOB} --quiet 2>/dev/null | sed /done.in/d", *commands]), COLUMNS=str(columns))
    check_done(done)
    lines = done.stdout.splitlines()
    assert [line for line in lines if len(line.rstrip()) > columns] == []
    assert "…" not in done.stdout  # nothing is cut


@slow
@pytest.mark.parametrize(
    "terminal",
    [
        {"TERM": "dumb"},
        *(pytest.param(given, marks=slow) for given in ({"TERM": None}, {"TERM": "nonsense"}, {"NO_COLOR": "1"})),
    ],
)
def test_poor_terminals_get_plain_text(terminal: dict[str, str | None], sh) -> None:
    """On a terminal of its own, made by `script`, where rich would colour and click would ask its size."""
    line = f"{JOB} && {GENBENCH} list && {GENBENCH} --help"
    done = sh(f"script -qec {shlex.quote(line)} /dev/null </dev/null", **terminal)
    if done.returncode == 127:
        pytest.skip("there is no script, which makes terminals")
    check_done(done)
    assert "Parzen log-likelihood on digits" in done.stdout
    if terminal == {"TERM": "dumb"}:
        assert "\x1b" not in done.stdout
