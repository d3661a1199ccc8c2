"""A model, metric or dataset in a single file that nobody registered: --models ./mine.py:MyModel."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from places import ROOT
from trials import contents_of

import genbench
from genbench.cli import main
from genbench.errors import ChangedError, PluginError, RequestError
from genbench.output.captions import caption
from genbench.output.tables_csv import read_csv
from genbench.registry import loading
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolved, Resolver
from genbench.registry.spec import NAME
from genbench.runs import execution, planning, stored
from genbench.runs.settings import RunSettings
from genbench.store.schema import STAGE
from genbench.store.store import Store
from genbench.trial.identity import Budget, TrialSpec
from genbench.trial.protocol import Protocol

SOURCE = '''
"""A model, a metric and a dataset of one's own."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Gt

import genbench

print("hello from mine")
SHIFT = 0.0


@dataclass(eq=False)
class MyModel(genbench.Model):
    """The mean image, learned slowly, with noise."""

    presets: ClassVar = {"long": {"epochs": 4}}
    epochs: Annotated[int, Gt(0)] = 2
    noise: float = 0.1
    spoil: str = genbench.setting("")

    def build(self, space, device):
        self.mean_ = torch.zeros(space.shape, device=device)

    def fit(self, data, run):
        for images, _ in run.batches(data.train, size=100, epochs=self.epochs):
            self.mean_ = 0.9 * self.mean_ + 0.1 * images.mean(0)
        if self.spoil and Path(self.spoil).exists():
            Path(self.spoil).unlink()
            with open(__file__, "a") as file:
                file.write("# edited while it trains")

    def sample(self, n, generator):
        noise = torch.rand((n, *self.mean_.shape), generator=generator, device=generator.device)
        return (self.mean_ + self.noise * noise + SHIFT).clamp(0, 1)


@dataclass(eq=False)
class My_Model(MyModel):
    """Of another name that looks the same in small letters."""


@dataclass(eq=False)
class MyMetric(genbench.Metric):
    """Mean pixel value."""

    title: ClassVar = "Brightness"
    unit: ClassVar = "share of white"
    higher_is_better: ClassVar = False
    samples: int = 200

    def evaluate(self, evaluation):
        return genbench.Score(evaluation.samples(self.samples).double().mean().item() + SHIFT)


@dataclass(eq=False)
class Stripes(genbench.Dataset):
    """Stripes of a width."""

    positional: ClassVar = "width"
    width: Annotated[int, Gt(0)] = 2

    def load(self, folder):
        def split(n, seed):
            x = np.random.default_rng(seed).integers(0, 255, (n, 1, 6, 6), dtype=np.uint8)
            x[..., :: self.width] = 255
            return genbench.Split(x)

        return genbench.Splits(split(200, 1), split(30, 2), split(30, 3))


@dataclass(eq=False)
class Tagged(Stripes):
    """Stripes with a name."""

    positional: ClassVar = "tag"
    tag: str = ""


def helper(): ...
'''
EDITED = SOURCE.replace("SHIFT = 0.0", "SHIFT = 0.25")
MODEL, METRIC = "./mine.py:MyModel", "./mine.py:MyMetric"


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return ./mine.py in a working folder of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    (folder / "mine.py").write_text(SOURCE)
    return folder / "mine.py"


def run(models: str = MODEL, metrics: str = METRIC, **rest: Any) -> execution.Report:
    return genbench.run(models=models, metrics=metrics, **{"reference": "none", "seeds": 2, **rest})


def resolve(text: str = MODEL, kind: str = "model") -> Resolved:
    return Resolver(load_registry()).resolve(kind, text)


# Trained, scored and stored


def test_a_run_takes_models_metrics_and_datasets_from_a_file(mine: Path) -> None:
    report = run(f"{MODEL},{MODEL}@long,gaussian", f"{METRIC},parzen[samples=100]", datasets="./mine.py:Stripes[3]")
    assert report.failed == 0
    assert [board.metric.label for board in report.boards] == [METRIC, "parzen[samples=100]"]
    for board in report.boards:
        assert board.dataset == "./mine.py:Stripes[3]"
        assert {row.model: row.rank_low is not None for row in board.rows} == {
            MODEL: True,
            f"{MODEL}@long": True,
            "gaussian": False,
        }
    digest = hashlib.sha256(mine.read_bytes()).hexdigest()
    table = read_csv(Path("results/leaderboard.csv")).set_index("model")
    assert set(table.loc[MODEL, "plugin"]) == {f"file {digest[:16]}"}
    for folder, record in Store(Path("results")).all():
        assert not isinstance(record, Exception)
        assert all(STAGE.fullmatch(stage) for stage in record.stages)
        assert any(stage.startswith("my-metric-") for stage in record.stages)
        if record.model["label"].startswith(MODEL):
            assert folder.path.name.startswith(("my-model-stripes-s", "my-model-long-stripes-s"))
            assert (record.model["distribution"], record.model["name"]) == ("file", "my-model")
            assert record.identity["model"]["source"] == digest
            assert not record.identity["model"].keys() & {"target", "label"}
    assert len(genbench.load_results().trials) == 12


def test_the_command_line_takes_paths_as_they_are_typed(mine: Path, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(mine.parent))
    for folder in ("my folder", "sub"):
        Path(folder).mkdir()
    for number, name in enumerate(("my folder/a b.py", "sub/mine.py", "above.py", "absolute.py")):
        Path(name).write_text(SOURCE + f"# {number}")
    names = [
        "my folder/a b.py:MyModel[noise=0.3]", "~/sub/mine.py:MyModel", "sub/../above.py:MyModel@long",
        f"{mine.parent}/absolute.py:MyModel",
    ]  # fmt: skip
    code, out, err = cli(f"run --models '{','.join(names)}' --metric {METRIC} --reference none --seeds 2 --samples 50")
    assert code == 0
    assert set(read_csv(Path("results/leaderboard.csv"))["model"]) == set(names)
    assert f"Protocol {METRIC}[samples=50]" in out
    assert "hello from mine" not in out
    assert "hello from mine" in err
    assert cli(f"run --models '{','.join(names)}' --metric {METRIC}[samples=50] --reference none --seeds 2 --quiet")[1].splitlines()[:9] == out.splitlines()[:9]  # fmt: skip


@pytest.mark.slow
def test_workers_import_the_file_and_come_to_the_same_bits(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(results="inline", engine="inline")
    report = run(results="process", engine="process", jobs=2)
    assert {outcome.status for outcome in report.outcomes.values()} == {"done"}
    assert contents_of(Path("inline")) == contents_of(Path("process"))
    said = [path.read_text() for path in Path("process").rglob("output.txt")]
    assert set(said) <= {"hello from mine\n"}


def test_options_by_name_and_suites_reach_a_class_in_a_file(cli) -> None:
    line = f"run --model {MODEL} --set {MODEL}.epochs=1 --set {METRIC}.samples=20 --metric {METRIC} --seeds 2 --reference none"
    code, out, _ = cli(line)
    assert code == 0
    assert f"{MODEL}[epochs=1]" in out
    Path("s.toml").write_text(
        f'models = ["{MODEL}"]\nmetrics = ["{METRIC}"]\nseeds = 2\nreference = []\n'
        f'[options."{MODEL}"]\nepochs = 1\n[options."{METRIC}"]\nsamples = 20\n'
    )
    assert genbench.run(suite="s.toml").outcomes == {}
    assert "is not in this run" in cli(f"run --models gan --set {MODEL}.epochs=1")[2]


# Equal files, edited files, moved files


def test_an_edited_file_is_trained_again_and_an_unedited_one_is_not(mine: Path) -> None:
    first = run(f"{MODEL},{MODEL}[noise=0.2]", "parzen[samples=100]")
    assert len(first.outcomes) == 4
    assert run(f"{MODEL},{MODEL}[noise=0.2]", "parzen[samples=100]").outcomes == {}
    mine.write_text(EDITED)
    second = run(MODEL, "parzen[samples=100]")
    assert len(second.outcomes) == 2
    assert second.boards[0].rows[0].summary != first.boards[0].rows[0].summary
    mine.write_text(SOURCE)
    assert run(MODEL, "parzen[samples=100]").outcomes == {}


def test_an_edited_metric_is_another_protocol(mine: Path) -> None:
    first = run("gaussian", METRIC)
    mine.write_text(EDITED)
    second = run("gaussian", METRIC)
    assert first.boards[0].protocol_id != second.boards[0].protocol_id
    assert len(second.outcomes) == 2
    values = [report.boards[0].rows[0].summary.mean for report in (first, second)]  # type: ignore[union-attr]
    assert values[1] - values[0] == pytest.approx(0.25)


def test_a_moved_file_is_not_trained_again_and_named_as_it_is_now(mine: Path) -> None:
    first = run()
    Path("elsewhere").mkdir()
    mine.rename("elsewhere/ours.py")
    mine.write_text(EDITED)
    second = run("elsewhere/ours.py:MyModel", "elsewhere/ours.py:MyMetric")
    assert second.outcomes == {}
    (board,) = second.boards
    assert (board.rows[0].model, board.metric.label) == ("elsewhere/ours.py:MyModel", "elsewhere/ours.py:MyMetric")
    assert board.rows[0].summary == first.boards[0].rows[0].summary
    assert not any("changed" in line for line in caption(board))


def test_two_paths_of_one_file_are_one_model(mine: Path) -> None:
    shutil.copy(mine, "copy.py")
    report = run(f"{MODEL},mine.py:MyModel,{mine}:MyModel,copy.py:MyModel", f"{METRIC},copy.py:MyMetric")
    assert len(report.outcomes) == 2
    assert [[row.model for row in board.rows] for board in report.boards] == [[MODEL]]


def test_classes_of_names_that_look_alike_are_two(mine: Path) -> None:
    report = run(f"{MODEL},./mine.py:My_Model")
    assert len(report.outcomes) == 4
    assert {resolve(MODEL).name, resolve("./mine.py:My_Model").name} == {"my-model"}


def test_versions_of_a_file_are_told_apart(mine: Path, cli) -> None:
    digests = []
    for source in (SOURCE, EDITED):
        mine.write_text(source)
        digests.append(hashlib.sha256(source.encode()).hexdigest()[:8])
        run(MODEL, "parzen[samples=100]")
    (board,), _ = stored.read_boards(["results"])
    assert {row.model for row in board.rows} == {f"{MODEL} {digest}" for digest in digests}
    lines = [line for line in caption(board) if "changed" in line]
    assert lines == [f"! {MODEL} {digests[0]}: trained before its file was changed; a run trains it as it is now"]
    frame = genbench.load_results().leaderboard
    assert set(frame["plugin"]) == {f"file {hashlib.sha256(s.encode()).hexdigest()[:16]}" for s in (SOURCE, EDITED)}
    mine.unlink()
    assert not any("changed" in line for line in caption(board)), "of a file that is not here nothing is known"
    code, out, _ = cli("leaderboard --format csv")
    assert code == 0
    assert all(digest in out for digest in digests)


@pytest.mark.parametrize("source", [SOURCE, None], ids=["before", "after"])
def test_captions_of_a_row_alone_say_whether_its_file_changed(source: str | None, mine: Path) -> None:
    report = run(seeds=1)
    if source is None:
        mine.write_text(EDITED)
    assert any("trained before its file was changed" in line for line in caption(report.boards[0])) == (source is None)


# Files that change on the way


EDITED_ON_THE_WAY: list[dict[str, Any]] = [
    {"models": MODEL, "metrics": "parzen"},
    {"models": "gaussian", "metrics": METRIC},
    {"models": "gaussian", "metrics": "parzen", "datasets": "./mine.py:Stripes"},
]


@pytest.mark.parametrize("asked", EDITED_ON_THE_WAY, ids=["model", "metric", "dataset"])
def test_a_file_edited_between_plan_and_execution_is_refused(asked: dict[str, Any], mine: Path) -> None:
    planned = planning.plan(RunSettings(**asked, reference="none", seeds=2))
    mine.write_text(EDITED)
    with pytest.raises(ChangedError, match=f"{mine} changed while the run was going on; start the run again"):
        execution.execute(planned)
    assert list(Path("results").rglob("trial.json")) == []
    mine.write_text(SOURCE)
    assert {outcome.status for outcome in execution.execute(planned).outcomes.values()} == {"done"}


def test_workers_refuse_a_file_that_was_edited(mine: Path) -> None:
    planned = planning.plan(RunSettings(MODEL, METRIC, reference="none", seeds=1, engine="process"))
    mine.write_text(EDITED)
    with pytest.raises(ChangedError, match=f"{mine} changed while the run was going on; start the run again"):
        execution.execute(planned)
    assert list(Path("results").rglob("trial.json")) == []


def test_a_file_that_went_away_is_refused(mine: Path) -> None:
    planned = planning.plan(RunSettings(MODEL, METRIC, reference="none", seeds=1))
    mine.unlink()
    with pytest.raises(ChangedError, match="there is no file .*mine.py; .* It was there when the run was planned"):
        execution.execute(planned)


def test_a_trial_whose_file_is_edited_while_it_trains_is_no_failure(mine: Path) -> None:
    """What was trained is kept, and taken up again once the file is what it was."""
    Path("flag").touch()
    model = f"{MODEL}[spoil=flag]"
    with pytest.raises(ChangedError, match="changed while the run was going on"):
        run(model, seeds=1)
    ((_, record),) = Store(Path("results")).all()
    assert not isinstance(record, Exception)
    assert (record.status, "fit" in record.stages, set(record.stages)) == ("interrupted", True, {"fit"})
    mine.write_text(SOURCE)
    report = run(model, seeds=1)
    assert {outcome.status for outcome in report.outcomes.values()} == {"done"}
    ((_, after),) = Store(Path("results")).all()
    assert not isinstance(after, Exception)
    assert (after.stages["fit"], after.attempts) == (record.stages["fit"], record.attempts)


def test_what_is_executed_is_what_was_hashed(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = load_registry().find("model", MODEL)
    read = loading.read

    def read_then_edited(path: Path) -> bytes:
        content = read(path)
        path.write_text(EDITED)
        return content

    monkeypatch.setattr(loading, "read", read_then_edited)
    assert sys.modules[entry.load().__module__].SHIFT == 0.0


# How it is loaded


def test_a_file_is_a_module_by_its_digest_and_leaves_no_trace(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, before = list(sys.path), set(os.listdir())
    mine.write_text(f"{SOURCE}# of its own, so that it is imported here\n")
    cls = resolve().instantiate().__class__
    digest = hashlib.sha256(mine.read_bytes()).hexdigest()
    assert cls.__module__.startswith(f"genbench_file_{digest}_")
    assert sys.modules[cls.__module__].__file__ == str(mine)
    assert load_registry().find("model", MODEL).load() is cls
    assert (sys.path, set(os.listdir())) == (path, before)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello from mine\n"), "imported once"
    shutil.copy(mine, "copy.py")
    copied = resolve("copy.py:MyModel").instantiate().__class__
    assert sys.modules[copied.__module__].__file__ == str(mine.parent / "copy.py"), "what lies beside it may differ"


def test_a_file_that_fails_to_import_is_imported_anew(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine.write_text(
        f"import os\nassert os.environ.get('READY'), 'not yet'\n{SOURCE.replace('from __future__ import annotations', '')}"
    )
    with pytest.raises(PluginError, match="./mine.py:MyModel cannot be imported: AssertionError: not yet"):
        resolve()
    assert not any(loading.source_digest(f"{mine}:MyModel") in name for name in sys.modules)
    monkeypatch.setenv("READY", "1")
    assert resolve().label == MODEL


def test_files_beside_it_are_not_found(mine: Path) -> None:
    Path("beside.py").touch()
    mine.write_text("import beside")
    (mine.parent / "sub").mkdir()
    os.chdir("sub")
    with pytest.raises(PluginError, match="No module named 'beside'"):
        resolve("../mine.py:MyModel")


@pytest.mark.parametrize(
    ("kind", "name", "base"),
    [
        ("model", MODEL, genbench.Model),
        ("metric", METRIC, genbench.Metric),
        ("dataset", "./mine.py:Stripes", genbench.Dataset),
    ],
)
def test_the_kind_of_a_class_in_a_file_is_found(kind: str, name: str, base: type) -> None:
    registry = load_registry()
    (entry,) = registry.named(name)
    assert entry == registry.find(kind, name)
    assert issubclass(entry.load(), base)
    assert [found.kind for found in registry.named("gan")] == ["model"]
    assert registry.named("nothing") == []


def test_labels_can_be_typed_and_mean_the_same() -> None:
    for text, label in [
        ("./mine.py:MyModel[noise=0.1,epochs=3]", "./mine.py:MyModel[epochs=3,noise=0.1]"),
        ("mine.py:MyModel@long[epochs=4]", "mine.py:MyModel@long[epochs=4]"),
        ("../work/mine.py:MyModel", "../work/mine.py:MyModel"),
    ]:
        assert resolve(text).label == label
        assert resolve(label) == resolve(text)
    assert resolve("./mine.py:Stripes[width=3]", "dataset").label == "./mine.py:Stripes[3]"
    assert resolve("./mine.py:Stripes[3]", "dataset") == resolve("./mine.py:Stripes[width=3]", "dataset")
    assert resolve("./mine.py:Tagged:a/b c.txt", "dataset").label == "./mine.py:Tagged:a/b c.txt"
    assert resolve("./mine.py:Tagged:a/b c.txt", "dataset").options["tag"] == "a/b c.txt"


def test_show(cli, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # no line is folded
    code, out, _ = cli(f"show {MODEL}")
    assert code == 0
    assert out.startswith(f"{MODEL}: model of file, version 1, {mine}:MyModel\n\nThe mean image, learned slowly")
    assert f"{MODEL}@long: epochs=4" in out
    assert cli(f"show {METRIC}[samples=5]")[1].startswith(f"{METRIC}: metric of file")
    assert cli("show ./mine.py:Stripes")[0] == 0
    assert "option samples is x" in cli(f"show {METRIC}[samples=x]")[2]


def test_the_leaderboard_can_be_asked_for_a_metric_of_a_file(cli) -> None:
    run(MODEL, f"{METRIC}[samples=50],parzen[samples=100]", seeds=1)
    code, out, _ = cli(f"leaderboard --metric {METRIC}")
    assert (code, "Brightness on digits" in out, "Parzen" in out) == (0, True, False)


def test_advice_names_what_can_be_typed(mine: Path) -> None:
    report = run(f"{MODEL}[noise=0.0]", METRIC, reference="train-data")
    assert any(line.endswith(f"See: genbench show {METRIC}") for line in caption(report.boards[0]))


def test_a_finished_run_imports_neither_the_file_nor_torch(mine: Path) -> None:
    mine.write_text(SOURCE.replace('print("hello from mine")', "open('imported', 'a').close()"))
    line = ["run", "--models", MODEL, "--metric", METRIC, "--reference", "none", "--seeds", "2", "--dry-run"]
    run()
    Path("imported").unlink()
    code = (
        "import sys; from genbench.cli import main\n"
        f"code = main({line!r}); print('torch' in sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [row.split()[0] for row in done.stdout.splitlines()] == ["stored", "stored"]
    assert done.stderr.splitlines()[-1] == "False"
    assert not Path("imported").exists()


# Identities


def test_identities_of_ordinary_plugins_stay_what_they_are() -> None:
    """Every stored trial of everybody has such an id: a change trains them all again."""
    common: dict[str, Any] = {"version": 1, "distribution": "genbench", "distribution_version": "0.1.0", "settings": {}, "traits": {}}  # fmt: skip
    model = Resolved("model", "gan", "gan[lr=0.1]", "genbench_plugins.models.gan:GAN", options={"lr": 0.1, "loss": "minimax"}, source="0123456789abcdef", **common)  # fmt: skip
    dataset = Resolved("dataset", "digits", "digits", "x:D", options={}, source="", **common)
    metric = Resolved("metric", "parzen", "parzen", "x:P", options={"samples": 100}, source="", **common)
    trial = TrialSpec(model, dataset, "ab" * 32, 7, Budget(steps=5))
    assert (trial.id, trial.folder_name) == ("ba4df677c962", "gan-lr-0-1-digits-s7")
    assert Protocol(metric, "ab" * 32, "valid").stage == "parzen-b8d96043"


def test_the_published_protocol_has_its_id() -> None:
    published = read_csv(ROOT / "results" / "published" / "quick.csv").iloc[0]
    protocol = Protocol(resolve("parzen", "metric"), published["dataset_digest"])
    assert protocol.id == published["protocol_id"]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("MyModel", "my-model"),
        ("GAN2d", "gan2d"),
        ("_Hidden__Model_", "hidden-model"),
        ("_2d", "file-2d"),
        ("Überraum", "berraum"),
        ("模型", "file"),
        ("A" * 60, "a" * 35),
    ],
)
def test_a_class_of_any_name_has_a_name_for_files(name: str, slug: str, mine: Path) -> None:
    mine.write_text(SOURCE.replace("class MyModel(", f"class {name}(").replace("(MyModel)", f"({name})"))
    found = resolve(f"./mine.py:{name}")
    assert found.name == slug
    assert NAME.fullmatch(slug)


# What cannot be


def prepared(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content)


WRONG: list[tuple[str, Callable[[Path], object], str, str]] = [
    ("missing", Path.unlink, MODEL, "there is no file {path}; expected a Python file, as in ./mine.py:MyModel"),
    ("folder", lambda p: (p.unlink(), p.mkdir()), MODEL, "cannot read {path}: it is a folder, not a plain file; expected a Python file"),
    ("pipe", lambda p: (p.unlink(), os.mkfifo(p)), MODEL, "cannot read {path}: it is a pipe, not a plain file; expected a Python file"),
    ("loop", lambda p: (p.unlink(), p.symlink_to(p)), MODEL, "cannot read {path}: Too many levels of symbolic links"),
    ("below a file", Path.touch, "./mine.py/x.py:M", "there is no file {path}/x.py; expected a Python file"),
    ("long", Path.touch, f"./{'a' * 300}.py:M", "File name too long"),
    ("misspelt class", Path.touch, "./mine.py:MyModle", "there is no class 'MyModle' in {path}. Did you mean MyModel?"),
    ("no class", prepared("MyModel = 3"), MODEL, f"{MODEL} is no subclass of genbench.Model"),
    ("function", Path.touch, "./mine.py:helper", "./mine.py:helper is no subclass of genbench.Model"),
    ("metric", Path.touch, METRIC, f"{METRIC} is a subclass of genbench.Metric, not of genbench.Model"),
    ("abstract", prepared(SOURCE.replace("def sample", "def samples")), MODEL, "{path}:MyModel lacks sample, which its kind of plugin must have"),
    ("no dataclass", prepared(SOURCE.replace("@dataclass(eq=False)", "")), MODEL, "{path}:MyModel is no dataclass"),
    ("syntax", prepared("def ("), MODEL, f"{MODEL} cannot be imported: SyntaxError: invalid syntax (mine.py, line 1)"),
    ("import", prepared("import nowhere_at_all"), MODEL, f"{MODEL} cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'"),
    ("exit", prepared("raise SystemExit(3)"), MODEL, f"{MODEL} cannot be imported: SystemExit: 3"),
    ("panic", prepared("class P(BaseException): ...\nraise P('a\\nb\\x1b[31m')"), MODEL, f"{MODEL} cannot be imported: P: a b [31m"),
    ("zero byte", lambda p: p.write_bytes(b"\0"), MODEL, f"{MODEL} cannot be imported: "),
    ("latin-1", lambda p: p.write_bytes(b"x = '\xe9'"), MODEL, f"{MODEL} cannot be imported: SyntaxError: "),
    ("option", Path.touch, f"{MODEL}[epochs=0]", f"{MODEL}: option epochs is 0; expected int > 0. See: genbench show {MODEL}"),
    ("unknown option", Path.touch, f"{MODEL}[epoch=1]", f"{MODEL} has no option 'epoch'. Did you mean epochs?"),
    ("preset", Path.touch, f"{MODEL}@lang", f"unknown preset of {MODEL} 'lang'. Did you mean long?"),
    ("unnamed value", Path.touch, f"{MODEL}:x", f"{MODEL} takes no unnamed value, not x"),
    ("no colon", Path.touch, "./mine.py", "malformed name './mine.py': expected the path of a Python file and a class in it"),
    ("no class named", Path.touch, "./mine.py:", "malformed name './mine.py:': expected the path of a Python file and"),
    ("class with a dash", Path.touch, "./mine.py:My-Model", "malformed name './mine.py:My-Model': expected the path"),
    ("comma", Path.touch, "./a,b.py:M", "malformed name './a': expected the path of a Python file and a class in it, as in ./mine.py:MyModel or ./mine.py:MyModel[lr=0.1]; no comma, colon, @, bracket or quote may be in the path"),
    ("at", Path.touch, "./a@b.py:M", "malformed name './a@b.py:M': expected the path of a Python file"),
    ("bracket", Path.touch, "./a[1].py:M", "malformed name './a[1].py:M': expected the path of a Python file"),
    ("escape", Path.touch, "./a\x07b.py:M", "malformed name './a b.py:M': expected the path of a Python file"),
    ("bytes that are no text", Path.touch, "./a\udcff.py:M", "malformed name './a .py:M': expected the path of a Python"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "name", "message"), [pytest.param(*row[1:], id=row[0]) for row in WRONG])
def test_what_cannot_be_taken_is_one_line(damage, name: str, message: str, mine: Path, capsys) -> None:
    damage(mine)
    before = sorted(os.listdir())
    code = main(["run", "--models", name, "--reference", "none", "--seed", "1"])
    printed = capsys.readouterr()
    err = printed.err.removeprefix("hello from mine\n")
    assert (code, printed.out) == (2, "")
    assert len(err.splitlines()) == 1, err
    assert err.removesuffix("\n").isprintable(), ascii(err)
    assert err.startswith("genbench: ")
    assert message.format(path=mine) in err
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("show ./mine.py:helper", "./mine.py:helper is no plugin; expected a subclass of one of genbench.Model, "),
        ("show ./no.py:M", "there is no file "),
        ("show ./mine.py", "malformed name './mine.py'"),
        (f"data prepare {MODEL}", f"{MODEL} is a subclass of genbench.Model, not of genbench.Dataset"),
        (f"run --models gan --engine {MODEL}", f"{MODEL} is a subclass of genbench.Model, not of genbench.Engine"),
        (f"run --models {MODEL} --set ./mine.py:MyModel=1", "expected NAME.OPTION=VALUE"),
        (f"run --models {MODEL} --set ./mine.py.epochs=1", "expected NAME.OPTION=VALUE"),
    ],
)
def test_wrong_use_beside_models(line: str, message: str, cli) -> None:
    code, out, err = cli(line)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]


def test_a_working_folder_whose_name_is_no_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    shutil.copy("mine.py", folder + b"/mine.py")  # type: ignore[arg-type]
    monkeypatch.chdir(os.fsdecode(folder))
    with pytest.raises(PluginError, match="has bytes that are no text here; rename the folder"):
        resolve()


# Stored results that name files


@pytest.mark.parametrize(
    "target", ["/dev/zero:x", "/dev/zero.py:x", "/:x", "/.py:x", "/\0.py:x", "/tmp:x", "../mine.py:x"]
)
def test_a_stored_target_that_is_no_file_has_no_source(target: str) -> None:
    assert loading.source_digest(target) == ""


def test_a_stored_file_is_hashed_and_not_executed(mine: Path) -> None:
    run(MODEL, seeds=1)
    evil = mine.parent / "evil.py"
    evil.write_text("open('sprung', 'w').close()")
    from genbench import files

    path = next(Path("results").rglob("trial.json"))
    record = files.read_record(path)
    record["model"]["target"] = f"{evil}:MyModel"
    path.write_text(json.dumps({**record, "sha256": files.digest(record)}))
    (board,), damaged = stored.read_boards(["results"])
    assert damaged == []
    assert any("changed" in line for line in caption(board))
    assert not Path("sprung").exists()


def test_an_unknown_name_that_is_no_file_is_answered_as_ever() -> None:
    with pytest.raises(RequestError, match="unknown model 'mine'"):
        resolve("mine:MyModel")
