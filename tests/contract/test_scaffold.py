"""`genbench new plugin`: what it makes works as it is, and it makes all of it or nothing."""

import ast
import itertools
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import packages
import pytest
import torch
from models import data_of
from places import ROOT

import genbench
from genbench import scaffold
from genbench.cli import main
from genbench.errors import RequestError, StoreError
from genbench.registry.plugins import Registry, load_registry
from genbench.registry.resolve import Resolver

COUNTER = itertools.count()
LONGEST = "a" * scaffold.LONGEST
NAMES = ["swirl", "deep-blur2", "a", "class", "test", "torch", "true", LONGEST]


def made(name: str, into: Path) -> Path:
    return scaffold.make(scaffold.plan(name, load_registry()), into)


def tool(folder: Path, *command: str) -> None:
    """Run one of the tools in a folder; what it says is shown where it complains."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# What is made --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_project_is_well_formed(name: str, tmp_path: Path) -> None:
    folder = made(name, tmp_path)
    package = f"genbench_{name.replace('-', '_')}"
    assert folder == tmp_path / name
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == [
        ".gitignore",
        "README.md",
        "pyproject.toml",
        *(f"src/{package}/{file}" for file in ("__init__.py", "metric.py", "model.py", "plugin.py", "py.typed")),
        "tests/test_conformance.py",
    ]
    described = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert described["name"] == f"genbench-{name}"
    assert described["entry-points"]["genbench"] == {name: f"{package}.plugin"}
    assert described["dependencies"] == [f"genbench>={genbench.__version__}"]
    for path in folder.rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text()))
        assert "$" not in path.read_text()


@pytest.mark.parametrize("name", ["swirl", LONGEST])
def test_ruff_finds_nothing_to_say(name: str, tmp_path: Path) -> None:
    folder = made(name, tmp_path)
    house = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["select"]
    tool(folder, "ruff", "check", "--no-cache", "--select", ",".join([*house, "D1"]), ".")
    tool(folder, "ruff", "format", "--no-cache", "--check", ".")


@pytest.mark.slow
def test_mypy_finds_nothing_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made("swirl", tmp_path)
    monkeypatch.setenv("MYPYPATH", f"{ROOT / 'harness'}:{folder / 'src'}")
    tool(folder, "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "-p", "genbench_swirl")


def test_the_registering_module_imports_nothing_heavy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made("swirl", tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder / "src"), os.environ.get("PYTHONPATH", "")]))
    heavy = ("torch", "numpy", "pandas", "scipy", "annotated_types", "genbench_swirl.model", "genbench_swirl.metric")
    code = f"import sys, genbench_swirl.plugin; sys.exit(str([m for m in {heavy!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "[]\n"


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make and install a plugin of a name that no other test has imported; return the name."""
    name = f"fresh-{next(COUNTER)}"
    packages.install(made(name, tmp_path), tmp_path / "site", monkeypatch)
    monkeypatch.chdir(tmp_path)
    return name


def test_the_model_and_the_metric_run_and_what_is_trained_longer_ranks_first(fresh: str) -> None:
    models, metrics = [fresh, f"{fresh}[epochs=1]"], [f"{fresh}-moments", "parzen[samples=2000]"]
    report = genbench.run(models=models, metrics=metrics, reference="gaussian", seeds=3, target="valid")
    frame = report.leaderboard.query("kind == 'ours'")
    assert frame["rank_low"].tolist() == frame["rank_high"].tolist() == [1, 2, 1, 2]
    assert frame["model"].tolist() == models * 2
    assert set(frame["plugin"]) == {f"genbench-{fresh} 0.1.0"}
    parzen = report.leaderboard.query("metric != @metrics[0]").set_index("model")["mean"]
    assert parzen[fresh] > parzen["gaussian"] + 1


def test_the_metric_sees_what_it_says(fresh: str) -> None:
    """Real images come near 0, one of them alone does not, noise still less; NaN is refused."""
    metric = Resolver(load_registry()).resolve("metric", f"{fresh}-moments").instantiate()
    data = data_of((2, 5, 7), n=400).train.images
    noise = torch.rand(200, 2, 5, 7, generator=torch.Generator().manual_seed(0))

    def score(samples: torch.Tensor) -> float:
        given = SimpleNamespace(samples=lambda n: samples[:n], target=genbench.Split(data[200:]))
        return metric.evaluate(given).value

    real, alone = score(data[:200]), score(data[:1].expand(200, -1, -1, -1))
    assert real < 0.02
    assert min(alone, score(noise)) > 5 * real
    assert score(data[200:]) == 0
    noise[3, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="samples hold NaN"):
        score(noise)


@pytest.mark.slow
def test_its_own_tests_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made("swirl", tmp_path)
    packages.install(folder, tmp_path / "site", monkeypatch)
    packages.run_own_tests(folder, tmp_path / "site")


# What is refused -----------------------------------------------------------------------------------------------------


REFUSED = [
    ("", "expected small letters"),
    ("Swirl", "plugin name 'Swirl': expected small letters and digits"),
    ("deep_blur", "'-' between them"),
    ("deep--blur", "'-' between them"),
    ("blur-", "'-' between them"),
    ("-blur", "beginning with a letter"),
    ("3d", "beginning with a letter"),
    ("../up", "expected small letters"),
    ("a/b", "expected small letters"),
    ("blür", "expected small letters"),
    ("blur\n", "expected small letters"),
    ("a\x1b[2Jb", "plugin name 'a [2Jb': expected"),
    (LONGEST + "a", "at most 32"),
    *((name, "none of na, nan, none, null") for name in ("nan", "na", "null", "none")),
    ("genbench", "expected it without genbench, which is put before it; as in deep-blur"),
    ("genbench-swirl", "expected it without genbench, which is put before it; as in swirl"),
    ("gan", "model gan is there already, of genbench"),
    ("parzen", "metric parzen is there already, of genbench"),
    ("digits", "dataset digits is there already, of genbench"),
    ("pixels", "extractor pixels is there already, of genbench"),
    ("process", "engine process is there already, of genbench"),
    ("toy", "model toy is there already, of genbench-toy"),
    ("plugins", "a package genbench_plugins is installed already"),
]


@pytest.mark.parametrize(("name", "reason"), REFUSED)
def test_names_refused(name: str, reason: str, toy: str) -> None:
    with pytest.raises(RequestError, match=re.escape(reason)):
        scaffold.plan(name, load_registry())


def test_a_name_whose_metric_is_taken_is_refused(fresh: str) -> None:
    registry = load_registry()
    taken = registry.find("metric", f"{fresh}-moments")
    registry = Registry()
    registry.add(taken.plugin, [taken])
    with pytest.raises(RequestError, match=f"metric {fresh}-moments is there already"):
        scaffold.plan(fresh, registry)


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "broken link", "link to a folder"])
def test_what_is_there_is_never_touched(kind: str, tmp_path: Path) -> None:
    there = tmp_path / "swirl"
    (tmp_path / "other").mkdir()
    if kind.endswith("link") or kind.startswith("link"):
        there.symlink_to(tmp_path / ("other" if kind.startswith("link") else "nowhere"))
    elif kind == "file":
        there.write_text("mine")
    else:
        there.mkdir()
    if kind == "folder":
        (there / "mine").write_text("mine")
    before = snapshot(tmp_path)
    with pytest.raises(RequestError, match="swirl is there already; expected a name or a folder that is free"):
        made("swirl", tmp_path)
    assert snapshot(tmp_path) == before


def snapshot(folder: Path) -> list[tuple[str, int, bool, bytes]]:
    """Return all that lies in a folder, with times of change and contents."""
    return [
        (p.name, p.lstat().st_mtime_ns, p.is_symlink(), p.read_bytes() if p.is_file() else b"")
        for p in sorted(folder.rglob("*"))
    ]


@pytest.mark.parametrize("into", ["nowhere", "file"])
def test_a_folder_that_is_none_is_refused(into: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RequestError, match=f"{into} is no folder; expected one that is there, to make swirl in"):
        made("swirl", tmp_path / into)
    assert os.listdir(tmp_path) == ["file"]


# Disks ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4096 * pages for pages in range(1, 8)])
def test_a_full_disk_leaves_nothing(size: int, mounted) -> None:
    disk = mounted(f"size={size}")
    with pytest.raises(StoreError, match=r"cannot write .*swirl: No space left on device. Nothing is left of it"):
        made("swirl", disk)
    assert os.listdir(disk) == []


def test_a_read_only_disk_is_told(mounted) -> None:
    disk = mounted("ro")
    with pytest.raises(StoreError, match=r"cannot write .*swirl: Read-only file system. Nothing is left of it"):
        made("swirl", disk)
    assert os.listdir(disk) == []


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that mounts a small disk with options."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "genbench-test", str(disk)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("a small disk cannot be mounted without the rights to")
        return disk

    yield mount
    subprocess.run(["umount", "--lazy", str(disk)], capture_output=True, check=False)


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def interrupted(self: Path, *args, **kwargs) -> int:
        if self.name == "model.py":
            raise KeyboardInterrupt("now")
        return write(self, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt, match="now"):
        made("swirl", tmp_path)
    assert os.listdir(tmp_path) == []


# The command ---------------------------------------------------------------------------------------------------------


def test_the_command_says_what_it_made_and_what_to_type_next(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my plugins").mkdir()
    assert main(["new", "plugin", "swirl", "--into", "my plugins"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert lines[0] == "my plugins/swirl: model swirl and metric swirl-moments, in genbench_swirl"
    assert all((tmp_path / "my plugins" / "swirl" / line.strip()).is_file() for line in lines[1:10])
    assert lines[10:] == [
        "Next:",
        "  cd 'my plugins/swirl'",
        "  python -m pip install -e '.[dev]'",
        "  python -m pytest",
        "  genbench check swirl swirl-moments",
        "  genbench run --models swirl,vae --metric swirl-moments,parzen",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plugin"], "Missing argument 'NAME'"),
        (["plugin", "gan"], "model gan is there already"),
        (["plugin", "Swirl"], "plugin name 'Swirl'"),
        (["plugin", "swirl", "--into", ""], "'' is empty; expected a path"),
        (["plugin", "swirl", "--into", "nowhere"], "nowhere is no folder"),
        (["plugin", "swirl", "other"], "unexpected extra argument"),
        (["plugn", "swirl"], "Did you mean 'plugin'?"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_two(arguments, message, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert message in err
    assert os.listdir() == []
