"""What the documents say is true: commands, figures, code."""

import re
from pathlib import Path

import pandas as pd
import pytest
from places import ROOT

import genbench
from genbench.output import numbers
from genbench.output.tables_csv import read_csv
from genbench.ranking import columns
from genbench.testing import check
from genbench_plugins.builtin import MODELS

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


@pytest.mark.slow
def test_the_readmes_plugin_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = next(block for block in blocks("python") if "genbench.Model" in block)
    assert len([line for line in source.splitlines() if line.strip()]) <= 20
    (tmp_path / "blur.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    assert check("./blur.py:Blur").ok
    models = "./blur.py:Blur,./blur.py:Blur[mixed=3]"
    report = genbench.run(models=models, metrics="parzen", reference="gaussian", seeds=3)
    frame = report.leaderboard.set_index("model")
    assert frame.loc["./blur.py:Blur", "rank_low"] == 1
    assert frame.loc["./blur.py:Blur", "mean"] > frame.loc["gaussian", "mean"]


def test_the_readmes_table_is_what_is_published() -> None:
    published = read_csv(ROOT / "results" / "published" / "quick.csv")
    for row in published.itertuples():
        shown = re.search(rf"{re.escape(row.model)} +(-?[\d.]+) ± ([\d.]+)", README)
        assert shown, row.model
        assert float(shown[1]) == pytest.approx(row.mean, abs=0.06)


def test_every_model_stands_in_the_page_on_models() -> None:
    text = (ROOT / "docs" / "models.md").read_text()
    assert {name for name in MODELS if f"`{name}`" not in text} == set()


def test_scores_on_the_page_on_models_are_those_published() -> None:
    text = (ROOT / "docs" / "models.md").read_text()
    rows = list(read_csv(ROOT / "results" / "published" / "all-models.csv").itertuples())
    assert len(rows) == len(MODELS)
    for row in rows:
        rank = "·" if pd.isna(row.rank_low) else numbers.ranks(row.rank_low, row.rank_high)
        score, seconds = numbers.mean_and_error(row.mean, row.stderr), numbers.seconds(row.fit_seconds)
        assert f"| `{row.model}` | {score} | {rank} | {seconds} | {row.samples_are} |" in text


def test_every_column_is_explained() -> None:
    tables = {
        "leaderboard.csv": columns.LEADERBOARD,
        "trials.csv": columns.TRIALS,
        "leaderboard --table verdicts": columns.VERDICTS,
        "leaderboard --table capabilities": columns.CAPABILITIES,
        "leaderboard --table datasets": columns.MANY_DATASETS,
        "compare": columns.COMPARISON,
        "study score": columns.STUDY,
        "verify": columns.VERIFICATION,
        "verify TABLE": columns.HELD_TABLE,
    }
    expected = [
        line
        for title, table in tables.items()
        for line in (
            f"## {title}",
            *(f"| `{name}` | {column.holds} | {column.meaning} |" for name, column in table.items()),
        )
    ]
    text = (ROOT / "docs" / "columns.md").read_text()
    assert [line for line in text.splitlines() if line.startswith(("## ", "| `"))] == expected


def test_versions_agree() -> None:
    import tomllib

    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == genbench.__version__


def test_public_names_exist() -> None:
    for name in genbench.__all__:
        assert getattr(genbench, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = genbench.nothing
