"""Code that changed since a model was trained or scored: found in every module behind a class, told, and done again."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from places import TESTS

import genbench
from genbench import files
from genbench.cli import main
from genbench.output.captions import caption
from genbench.registry import code
from genbench.runs import execution, stored
from genbench.store.records import TrialRecord
from genbench.store.store import Store

TOY = TESTS / "toy_plugin" / "genbench_toy.py"
MODULES = {
    "__init__.py": "",
    "plugin.py": TOY.read_text()
    .replace("genbench_toy:", "layered.plugin:")
    .replace("import torch\n", "import torch\nfrom layered import near\n", 1),
    "near.py": "def later():\n    from .inner import far\n    return far\n",
    "inner/__init__.py": "",
    "inner/far.py": "import layered.near  # a circle\nSHRINK = 1.0\n",
    "apart.py": "nobody = 'imports this'\n",
}


@pytest.fixture
def layered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of an installed package whose plugin imports other modules of it."""
    package = tmp_path / "site" / "layered"
    for name, text in MODULES.items():
        files.write_text(package / name, text)
    info = tmp_path / "site" / "layered-1.0.dist-info"
    files.write_text(info / "METADATA", "Metadata-Version: 2.1\nName: layered\nVersion: 1.0\n")
    files.write_text(info / "entry_points.txt", "[genbench]\nlayered = layered.plugin\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("GENBENCH_PLUGINS", "layered")
    monkeypatch.setenv("GENBENCH_ENGINE", "inline")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "layered"]:
        monkeypatch.delitem(sys.modules, name)
    return package


def run(models: str = "toy", metrics: str = "brightness", **rest: Any) -> execution.Report:
    return genbench.run(models=models, metrics=metrics, **{"reference": "none", "seeds": 1, **rest})


def cautions() -> list[str]:
    """Return what is told of older code under the stored tables, read as another process would."""
    return [line for board in stored.read_boards(["results"])[0] for line in caption(board) if "older code" in line]


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "# edited\n")


@pytest.mark.parametrize("name", [name for name in MODULES if name != "apart.py"])
def test_a_change_in_any_module_behind_a_class_is_told(name: str, layered: Path) -> None:
    assert run().failed == 0
    assert cautions() == []
    edit(layered / name)
    trained, scored = sorted(cautions(), reverse=True)
    assert trained == "! toy: trained by older code of the same version; --fresh trains it again"
    assert scored.startswith("! toy: scored by older code of metric brightness")


def test_a_module_that_nothing_imports_changes_nothing(layered: Path) -> None:
    run()
    edit(layered / "apart.py")
    assert cautions() == []


def test_the_modules_behind_a_class_are_found_without_importing_any(layered: Path) -> None:
    found = code.modules("layered.plugin:Toy")
    assert set(found) == {"layered", "layered.plugin", "layered.near", "layered.inner", "layered.inner.far"}
    assert not any(name.partition(".")[0] == "layered" for name in sys.modules)


@pytest.mark.slow
@pytest.mark.parametrize("plugin", ["models.gan:GAN", "models.stacked_cae:StackedCAE", "metrics.fid:FID"])
def test_the_modules_found_are_those_that_an_import_loads(plugin: str) -> None:
    target = f"genbench_plugins.{plugin}"
    ask = "import sys, importlib; importlib.import_module(sys.argv[1]); print('\\n'.join(sys.modules))"
    told = subprocess.run([sys.executable, "-c", ask, target.partition(":")[0]], capture_output=True, text=True, check=True)  # fmt: skip
    loaded = {name for name in told.stdout.split() if name.partition(".")[0] == "genbench_plugins"}
    assert loaded
    assert loaded <= set(code.modules(target))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("import beside", True),
        ("if True: import beside as b", True),
        ("try:\n    from beside import x\nexcept ImportError:\n    pass", True),
        ("match 1:\n    case 1:\n        import beside", True),
        ("async def f():\n    with open('x'):\n        import beside", True),
        ("import random", False),
        ("'''\nimport beside\n'''", False),
        ("import beside where no Python is", False),
    ],
)
def test_imports_of_a_lone_file_from_beside_it(text: str, seen: bool, tmp_path: Path) -> None:
    for name in ("beside", "random"):
        (tmp_path / f"{name}.py").write_text("x = 1\n")
    (tmp_path / "mine.py").write_text(text + "\n")
    assert set(code.modules(f"{tmp_path}/mine.py:A")) == ({"", "beside"} if seen else {""})


def test_a_package_of_thousands_of_modules_costs_no_more_than_its_nearest(layered: Path) -> None:
    names = [f"m{n}" for n in range(code.MOST_MODULES + 50)]
    for name in names:
        (layered / f"{name}.py").write_text("")
    (layered / "near.py").write_text("".join(f"from layered import {name}\n" for name in names))
    assert len(code.modules("layered.plugin:Toy")) == code.MOST_MODULES


def test_records_from_before_are_held_to_the_digest_that_they_have(layered: Path) -> None:
    run()
    ((folder, record),) = Store(Path("results")).all()
    assert isinstance(record, TrialRecord)
    assert record.model["code"] == code.digest("layered.plugin:Toy")
    old = {**record.to_json(), "model": {k: v for k, v in record.model.items() if k != "code"}}
    files.write_record(folder.path / "trial.json", old)
    edit(layered / "near.py")
    assert not any("trained" in line for line in cautions())
    edit(layered / "plugin.py")
    assert any("trained by older code" in line for line in cautions())


def test_scores_from_before_say_nothing(layered: Path) -> None:
    run()
    ((folder, record),) = Store(Path("results")).all()
    assert isinstance(record, TrialRecord)
    (stage,) = set(record.stages) - {"fit", "samples"}
    content = folder.read(record, stage, f"metrics/{stage}.json")
    assert content.pop("code") == {"metric": code.digest("layered.plugin:Brightness")}
    kept = record.stages[stage]
    folder.commit(
        record, stage, {f"metrics/{stage}.json": lambda p: p.write_text(files.sealed(content))}, 1.0, kept.inputs
    )
    edit(layered / "near.py")
    assert [line for line in cautions() if "scored" in line] == []
    assert genbench.load_results().trials["status"].tolist() == ["done"]


def test_scored_again_and_not_trained_again(layered: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    before = run().leaderboard["mean"].item()
    ((folder, _),) = Store(Path("results")).all()
    kept = (folder.path / "model.safetensors").stat()
    plugin = layered / "plugin.py"
    text = plugin.read_text()
    assert ".double().mean().item())" in text
    plugin.write_text(text.replace(".double().mean().item())", ".double().mean().item() + 5.0)"))
    assert run().outcomes == {}, "the same is asked for, and it is stored"
    for name in [name for name in sys.modules if name.partition(".")[0] == "layered"]:
        monkeypatch.delitem(sys.modules, name)
    assert main(["run", "--models", "toy", "--metric", "brightness", "--reference", "none", "--seeds", "1", "--fresh-scores", "--quiet"]) == 0  # fmt: skip
    assert "scored by older code" not in " ".join(capsys.readouterr().out.split())
    after = genbench.load_results().leaderboard["mean"].item()
    assert after == pytest.approx(before + 5.0)
    now = (folder.path / "model.safetensors").stat()
    assert (now.st_mtime_ns, now.st_ino) == (kept.st_mtime_ns, kept.st_ino)
    assert len(cautions()) == 1, "the model is still of the code before"


def test_scores_of_different_code_in_one_column_are_told_where_the_metric_is_not_here(
    layered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    edit(layered / "near.py")
    run("toy@long")
    assert len([line for line in cautions() if line.startswith("! toy: scored")]) == 1
    monkeypatch.setattr("genbench.registry.code.loading.locate", lambda target: None)
    (board,), _ = stored.read_boards(["results"])
    assert any("scored by different code of metric brightness" in line for line in caption(board))


def test_a_metric_whose_new_code_fails_leaves_no_old_score(layered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    plugin = layered / "plugin.py"
    plugin.write_text(plugin.read_text().replace(".double().mean().item()", ".double().nothing()"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "layered"]:
        monkeypatch.delitem(sys.modules, name)
    report = run(fresh_scores=True)
    assert report.failed == 1
    (row,) = report.boards[0].rows
    assert (row.summary, row.statuses) == (None, {"failed": 1})


def test_kept_features_are_of_the_extractors_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genbench.trial import feature_cache
    from genbench_plugins.extractors.random_convolutions import RandomConvolutions

    extractor = RandomConvolutions()
    extractor.bind(genbench.Space((1, 8, 8)), "d")
    first = feature_cache.cache_identity(extractor)
    monkeypatch.setattr("genbench.trial.feature_cache.code.digest", lambda target: "edited")
    feature_cache._code.cache_clear()
    assert feature_cache.cache_identity(extractor) != first
    feature_cache._code.cache_clear()
