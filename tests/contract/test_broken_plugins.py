"""Plugins broken in every way there is, through the command line: each is told with its reason, and none hurts."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from one_plugin import MODULE

from genbench.api import API_VERSION
from genbench.cli import main

VERSION = metadata.version("genbench")
HEAD = "import genbench\n"
HOOK = HEAD + "@genbench.hookimpl\ndef register_models(register):\n    "
METRIC = (
    "from dataclasses import dataclass\nimport genbench\n\n@dataclass(eq=False)\nclass Sharpness(genbench.Metric):\n"
    "    def evaluate(self, evaluation): ...\n\n@genbench.hookimpl\ndef register_models(register):\n"
    "    register('sharp', Sharpness, summary='')\n"
)
NEWER = f"GENBENCH_API = {API_VERSION + 1}\n" + MODULE.format(hook="register_models", name="newer", target="a:B")

BROKEN = {
    "import-raises": ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
    "import-exits": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "import-panics": ("class Panic(BaseException): ...\nraise Panic('in compiled code')", "Panic: in compiled code"),
    "syntax": ("def (", "SyntaxError: invalid syntax"),
    "hook-raises": (HOOK + "raise ValueError('no\\nluck\\x1b[31m')", "ValueError: no luck [31m"),
    "name-taken": (
        MODULE.format(hook="register_models", name="gan", target="a:B"),
        "name taken by a built-in: model gan",
    ),
    "wrong-kind": (METRIC, "Sharpness is a subclass of genbench.Metric, not of genbench.Model"),
    "no-plugin": (HOOK + "register('it', dict, summary='')", "builtins:dict is no subclass of genbench.Model"),
    "no-class": (HOOK + "register('it', 3, summary='')", "target '3' is neither a class nor \"module:Class\""),
    "misspelt-hook": (HEAD + "@genbench.hookimpl\ndef register_model(register): ...", "unknown hook 'register_model'"),
    "misspelt-argument": (HEAD + "@genbench.hookimpl\ndef register_models(registry): ...", "registry"),
    "newer": (NEWER, f"it needs plugin API {API_VERSION + 1}, and genbench {VERSION} offers {API_VERSION}: upgrade genbench"),
    "api-as-text": ("GENBENCH_API = '2'", "its GENBENCH_API is '2'; expected the number of the plugin API"),
    "api-true": ("GENBENCH_API = True", "its GENBENCH_API is True; expected the number of the plugin API"),
    "api-0": ("GENBENCH_API = 0", "its GENBENCH_API is 0; expected the number of the plugin API"),
}  # fmt: skip

Command = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def cli(install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs a command line in an empty folder: (exit code, stdout, stderr)."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("COLUMNS", "1000")  # no line is folded

    def run(line: str) -> tuple[int, str, str]:
        code = main(shlex.split(line))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def listed(out: str) -> dict[str, str]:
    """Return the line of each plugin in a list of them."""
    return {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines()[1:] if line.strip()}


def one_line(err: str) -> str:
    assert len(err.splitlines()) == 1, err
    assert err.removesuffix("\n").isprintable(), ascii(err)
    return err


@pytest.mark.parametrize(("name", "source", "reason"), [(name, *row) for name, row in BROKEN.items()], ids=list(BROKEN))
def test_a_broken_plugin_is_listed_with_distribution_and_reason(name, source, reason, install, cli) -> None:
    install(name, source)
    install("healthy", MODULE.format(hook="register_models", name="healthy-name", target="a:B"))
    code, out, err = cli("plugins")
    assert (code, err) == (0, "")
    rows = listed(out)
    assert rows[f"{name}-point"].startswith(f"{name} 2.0 BROKEN: ")
    assert reason in rows[f"{name}-point"]
    assert rows["healthy-point"] == "healthy 2.0 ok healthy-name"
    assert rows["builtin"].startswith(f"genbench {VERSION} ok autoencoder, ")
    assert "\x1b" not in out
    assert {"gan", "healthy-name"} <= set(cli("list models")[1].split())


@pytest.mark.parametrize("line", ["run --models it --reference none", "show it", "run --models gan --metric it"])
@pytest.mark.parametrize(("name", "source", "reason"), [(name, *row) for name, row in BROKEN.items()], ids=list(BROKEN))
def test_asking_for_a_name_that_it_may_have_tells_the_reason(line, name, source, reason, install, cli) -> None:
    install(name, source)
    code, out, err = cli(line)
    assert (code, out) == (2, "")
    assert " 'it'. " in one_line(err)
    assert f". Broken: {name}-point of {name} (" in err
    assert reason.partition("; expected")[0] in err


def test_a_run_works_beside_all_of_them(install, cli) -> None:
    for name, (source, _) in BROKEN.items():
        install(name, source)
    code, out, err = cli("run --models gan[epochs=1] --metric parzen --seed 1 --reference none --quiet")
    assert code == 0
    assert "gan[epochs=1]" in out
    assert not any(name in out + err for name in ("nowhere_at_all", "Panic", "SyntaxError", "sharp"))
    code, out, _ = cli("plugins --verify")
    assert code == 1
    assert out.count("BROKEN: ") == len(BROKEN)


def test_the_most_alike_are_told_first_and_few_in_full(install, cli) -> None:
    for name in ("aaa", "bbb", "genbench-blur", "zzz", "blurry"):
        install(name, f"import nowhere_for_{name.replace('-', '_')}")
    code, _, err = cli("run --models blur")
    assert code == 2
    assert one_line(err).startswith("genbench: unknown model 'blur'. See: genbench list models")
    told = err.partition("Broken: ")[2]
    assert told == (
        "blurry-point of blurry (ModuleNotFoundError: No module named 'nowhere_for_blurry'); "
        "genbench-blur-point of genbench-blur (ModuleNotFoundError: No module named 'nowhere_for_genbench_blur'); "
        "and 3 more: see genbench plugins\n"
    )


def test_long_reasons_are_cut(install, cli) -> None:
    for name in ("one", "two", "three"):
        install(name, f"raise ValueError('{name} ' * 1000)")
    _, _, err = cli("show blur")
    assert len(one_line(err)) < 900
    assert "and 1 more: see genbench plugins" in err


def test_nothing_is_said_of_plugins_where_none_is_broken(cli) -> None:
    assert "roken" not in cli("run --models blur")[2]


def test_a_name_that_was_taken_still_gives_the_builtin(install, cli) -> None:
    install("taker", BROKEN["name-taken"][0])
    code, out, _ = cli("show gan")
    assert code == 0
    assert out.startswith("gan: model of genbench, ")


def test_genbench_plugins_keeps_broken_ones_out(install, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    install("good", MODULE.format(hook="register_models", name="good", target="a:B"))
    install("other", MODULE.format(hook="register_models", name="other", target="a:B"))
    marks = [Path("imported").absolute(), Path("not-imported").absolute()]
    for name, mark in zip(("loud", "kept-out"), marks, strict=True):
        install(name, f"open({str(mark)!r}, 'w').close()\nraise ValueError('no luck')")
    monkeypatch.setenv("GENBENCH_PLUGINS", "good,loud-point")
    assert list(listed(cli("plugins")[1])) == ["builtin", "good-point", "loud-point"]
    assert [mark.exists() for mark in marks] == [True, False]
    monkeypatch.setenv("GENBENCH_PLUGINS", "")
    assert list(listed(cli("plugins --verify")[1]))[:1] == ["builtin"]
    assert cli("plugins --verify")[0] == 0
    assert cli("run --models good")[2].startswith("genbench: unknown model 'good'")


# Where it shows only when a class is loaded


def test_verify_loads_every_name_and_tells_which_cannot_be(toy: str, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBENCH_PLUGINS", toy)
    assert cli("plugins")[0] == 0
    code, out, err = cli("plugins --verify")
    assert (code, err) == (1, "")
    faults = [line.split() for line in out.partition("names that cannot be loaded")[2].splitlines() if line.strip()]
    assert [fault[:3] for fault in faults] == [
        ["toy", "model", "missing-class"],
        ["toy", "model", "not-a-model"],
        ["toy", "model", "plain-class"],
    ]
    assert "there is no class 'Nowhere' in genbench_toy" in out
    assert "genbench_toy:Brightness is a subclass of genbench.Metric, not of genbench.Model" in out
    assert "genbench_toy:PlainClass is no dataclass" in out


def test_verify_bears_with_whatever_a_module_does(install, cli) -> None:
    """A lazy target's module may raise what no plugin should: the names after it are tried all the same."""
    panics = install("panics", "class Panic(BaseException): ...\nraise Panic('in compiled code')")
    exits = install("exits", "raise SystemExit")
    install(
        "lazy",
        HOOK
        + f"register('a', '{panics}:A', summary='')\n    register('b', '{exits}:B', summary='')\n"
        + "    register('c', 'json:JSONDecoder', summary='')\n    register('d', 'nowhere.at.all:D', summary='')\n",
    )
    code, out, _ = cli("plugins --verify")
    assert code == 1
    for reason in (
        f"model 'a' of lazy is broken: {panics}:A cannot be imported: Panic: in compiled code",
        f"model 'b' of lazy is broken: {exits}:B cannot be imported: SystemExit",
        "model 'c' of lazy is broken: json:JSONDecoder is no subclass of genbench.Model",
        "model 'd' of lazy is broken: nowhere.at.all:D cannot be imported: ModuleNotFoundError: No module named 'nowhere'",
    ):
        assert reason in out


def test_verify_is_content_with_what_is_whole(cli) -> None:
    code, out, _ = cli("plugins --verify")
    assert code == 0
    assert out.splitlines()[-1] == "every name can be loaded"


# What is wrong with an installation, whoever's it is


@pytest.mark.parametrize(
    ("entry_points", "reason"),
    [
        (b"[genbench]\nno equals sign\n", "its entry_points.txt cannot be read: TypeError"),
        (b"[console_scripts]\nno equals sign\n", "its entry_points.txt cannot be read: TypeError"),
        (b"[genbench]\n\xff = module\n", "its entry_points.txt cannot be read: UnicodeDecodeError"),
    ],
)
def test_a_damaged_distribution_hides_no_other(entry_points: bytes, reason: str, install, cli, tmp_path: Path) -> None:
    for name in ("first", "damaged", "last"):
        install(name, MODULE.format(hook="register_models", name=name, target="a:B"))
    (tmp_path / "site" / "damaged-2.0.dist-info" / "entry_points.txt").write_bytes(entry_points)
    code, out, err = cli("plugins")
    assert (code, err) == (0, "")
    assert {line.split()[1] for line in out.splitlines()[1:]} == {"genbench", "first", "damaged", "last"}
    assert f"BROKEN: {reason}" in out
    assert cli("run --models first")[2].startswith("genbench: model 'first' of first is broken: a:B cannot be imported")
    assert cli("doctor")[0] == 0


def test_a_distribution_without_metadata_hurts_nobody(install, cli, tmp_path: Path) -> None:
    for name in ("first", "nameless"):
        install(name, MODULE.format(hook="register_models", name=name, target="a:B"))
    (tmp_path / "site" / "nameless-2.0.dist-info" / "METADATA").unlink()
    rows = listed(cli("plugins")[1])
    assert rows["first-point"] == "first 2.0 ok first"
    assert rows["nameless-point"].endswith("ok nameless")


@pytest.mark.slow
def test_doctor_imports_no_plugin(install, tmp_path: Path) -> None:
    module = install("sprung", f"open({str(tmp_path / 'sprung')!r}, 'w').close()")
    code = (
        "import sys; from genbench.cli import main\ncode = main(['doctor'])\n"
        f"print([m for m in sys.modules if m.startswith(('genbench_plugins', {module!r}))], file=sys.stderr)\n"
        "sys.exit(code)"
    )
    path = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert "sprung-point" in done.stdout
    assert done.stderr.splitlines()[-1] == "[]"
    assert not (tmp_path / "sprung").exists()
