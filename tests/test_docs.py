"""What the documents say is true: commands, figures, code."""

import re
from pathlib import Path

import pytest

import genbench

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 120


def test_continuous_integration_runs_the_readmes_commands() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    test_command = next(block.strip() for block in blocks("sh") if "pytest" in block)
    assert test_command.replace("pip install", "pip install -q") in script
    main_job = next(block.strip() for block in blocks("sh") if "--metric parzen" in block).partition("&& ")[2]
    assert main_job in script


@pytest.mark.parametrize(
    "line", [line for block in blocks("sh") for line in block.splitlines() if line.startswith("genbench")]
)
def test_commands_parse(line: str) -> None:
    """Every option and command that the README names exists."""
    import shlex

    from genbench.cli import command_line

    words = shlex.split(line, comments=True)[1:]
    command = command_line.get_command(None, words[0])  # type: ignore[arg-type]
    assert command is not None
    command.make_context(words[0], words[1:], resilient_parsing=False)


def test_the_readmes_plugin_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = next(block for block in blocks("python") if "hookimpl" in block)
    assert len([line for line in source.splitlines() if line.strip()]) <= 20
    (tmp_path / "blur_plugin.py").write_text(source)
    info = tmp_path / "blur-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: blur\nVersion: 1.0\n")
    points = next(iter(blocks("toml"))).replace("project.entry-points.genbench", "genbench").replace('"', "")
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("GENBENCH_PLUGINS", "blur")
    monkeypatch.chdir(tmp_path)
    models = re.findall(r'--models "(\./blur_plugin.*),vae"', README)
    report = genbench.run(models=["blur,blur[mixed=3]", *models], metrics="parzen", reference="gaussian", seeds=3)
    frame = report.leaderboard.set_index("model")
    assert frame.loc["blur", "rank_low"] == 1
    assert frame.loc["./blur_plugin.py:Blur[mixed=3]", "mean"] == frame.loc["blur[mixed=3]", "mean"]
    assert frame.loc["blur", "mean"] > frame.loc["gaussian", "mean"]


def test_the_readmes_table_is_what_is_published() -> None:
    from genbench.output.tables_csv import read_csv

    published = read_csv(ROOT / "results" / "published" / "quick.csv")
    for row in published.itertuples():
        shown = re.search(rf"{re.escape(row.model)} +(-?[\d.]+) ± ([\d.]+)", README)
        assert shown, row.model
        assert float(shown[1]) == pytest.approx(row.mean, abs=0.06)


def test_versions_agree() -> None:
    import tomllib

    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == genbench.__version__


def test_public_names_exist() -> None:
    for name in genbench.__all__:
        assert getattr(genbench, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = genbench.nothing
