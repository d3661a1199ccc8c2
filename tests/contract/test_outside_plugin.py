"""A whole package of somebody else's: listed, run and ranked beside the built-in plugins, and held by its own tests."""

import re
from pathlib import Path

import packages
import pytest
from places import TESTS

from genbench.cli import main

PROJECT = TESTS / "outside_plugin"


@pytest.fixture
def mixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Install the package for one test; return its distribution's name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return packages.install(PROJECT, tmp_path / "site", monkeypatch)


def test_it_is_listed_with_its_distribution(mixture: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("list", "plugins", "show mixture", "show nearest-real"):
        assert main(command.split()) == 0
    out = capsys.readouterr().out
    assert re.search(r"mixture +genbench-mixture 1.0.0 +ok +mixture, nearest-real", out)
    assert out.count(f"({mixture})") == 2
    assert "mixture: model of genbench-mixture, version 1, genbench_mixture.model:Mixture" in out
    assert "family: explicit; samples are clipped; abilities: log_prob" in out
    assert "lower is better. Protocol: the nearest of 10,000 samples" in out


def test_it_ranks_beside_a_built_in_under_both_metrics(mixture: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = "run --models mixture,vae[epochs=3] --metric nearest-real,parzen[samples=2000] --seeds 3 --reference none"
    assert main(line.split()) == 0
    tables = capsys.readouterr().out.split("\n\n")
    for table, title in zip(tables, ("Distance to the nearest sample on digits", "Parzen"), strict=False):
        assert table.startswith(title)
        assert re.search(r"^ +1 +mixture .* 3/3 .* clipped ", table, re.MULTILINE)
        assert re.search(r"^ +2 +vae\[epochs=3\] .* 3/3 .* means ", table, re.MULTILINE)


@pytest.mark.slow
def test_its_own_tests_pass(mixture: str, tmp_path: Path) -> None:
    packages.run_own_tests(PROJECT, tmp_path / "site")
