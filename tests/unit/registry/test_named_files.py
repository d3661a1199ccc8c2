"""Options that name files: the content is part of what a plugin is, wherever the file lies, for every kind of plugin."""

import hashlib
import importlib
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from guide import BLOCK, GUIDE
from safetensors.torch import save

import genbench
from genbench.errors import ChangedError, DataError, PluginError, RequestError
from genbench.named_files import MOST_BYTES
from genbench.output.board_table import tables
from genbench.output.terminal import as_text
from genbench.registry import objects, options
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolved, Resolver
from genbench.runs import execution, planning
from genbench.runs.settings import RunSettings
from genbench.store.store import Store
from genbench.testing import check
from genbench.trial.identity import TrialSpec
from genbench.trial.protocol import Protocol

PRETRAINED = next(block["text"] for block in BLOCK.finditer(GUIDE.read_text()) if block["title"] == "pretrained.py")

OTHERS = '''
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
import genbench


@dataclass(eq=False)
class Far(genbench.Metric):
    """Distance of the mean pixel from a number in a file."""

    title: ClassVar = "Distance"
    unit: ClassVar = "share of white"
    higher_is_better: ClassVar = False
    samples: int = 100
    number: genbench.File | None = None

    def evaluate(self, evaluation):
        x = evaluation.samples(self.samples).double().mean().item()
        return genbench.Score(abs(x - (float(self.number.read()) if self.number else 0.0)))


@dataclass(eq=False)
class Grey(genbench.Dataset):
    """Images as bright as a file says."""

    positional: ClassVar = "level"
    level: genbench.File | None = None

    def load(self, folder):
        def split(n, seed):
            return genbench.Split(np.random.default_rng(seed).integers(0, int(self.level.read()), (n, 1, 8, 8), np.uint8))

        return genbench.Splits(split(60, 0), split(20, 1), split(20, 2))


@dataclass(eq=False)
class Scaled(genbench.FeatureExtractor):
    """Pixels times a number in a file."""

    factor: genbench.File | None = None

    @property
    def digest(self):
        return "scaled"

    def features(self, images):
        return images.flatten(1) * float(self.factor.read())
'''
MODEL, METRIC, DATASET = "./pretrained.py:Pretrained", "./others.py:Far", "./others.py:Grey"


def weights(seed: int = 0) -> bytes:
    """Return a file of weights for images of 8x8."""
    random = torch.Generator().manual_seed(seed)
    return save({"weight": torch.randn(64, 5, generator=random), "bias": torch.randn(64, generator=random)})


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with plugins, and w.safetensors."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")
    Path("pretrained.py").write_text(PRETRAINED)
    Path("others.py").write_text(OTHERS)
    Path("w.safetensors").write_bytes(weights())
    return folder


def of(path: str) -> str:
    return f"{MODEL}[weights={path}]"


def resolve(text: str, kind: str = "model", cache: Path | None = None) -> Resolved:
    return Resolver(load_registry(), cache).resolve(kind, text)


def run(models: Any, **rest: Any) -> execution.Report:
    return genbench.run(models=models, **{"metrics": METRIC, "reference": "none", "seeds": 2, **rest})


def trials() -> set[str]:
    return set(Store(Path("results")).read().trials)


# Identity


def test_the_content_is_the_identity_and_the_path_is_none_of_it() -> None:
    found = resolve(of("w.safetensors"))
    digest = hashlib.sha256(weights()).hexdigest()
    assert found.identity["options"] == {"weights": f"sha256:{digest}"}
    assert found.settings == {"weights": str(Path("w.safetensors").absolute())}
    made = found.instantiate().weights
    assert (made.path, made.sha256, made.name) == (str(Path("w.safetensors").absolute()), digest, "w.safetensors")
    assert made == genbench.File("elsewhere", digest)


def test_the_same_content_elsewhere_is_the_same_trial_and_other_content_another(work: Path) -> None:
    assert run(of("w.safetensors")).failed == 0
    first = trials()
    Path("sub").mkdir()
    os.rename("w.safetensors", "sub/moved.safetensors")
    assert planning.plan(RunSettings(of("sub/moved.safetensors"), METRIC, reference="none", seeds=2)).todo == []
    assert planning.plan(RunSettings(of(f"{work}/sub/moved.safetensors"), METRIC, reference="none", seeds=2)).todo == []
    Path("sub/moved.safetensors").write_bytes(weights(1))
    run(of("sub/moved.safetensors"))
    assert len(trials()) == 2 * len(first) == 4


def test_a_link_is_what_it_leads_to() -> None:
    os.symlink("w.safetensors", "link")
    assert resolve(of("link")).identity == resolve(of("w.safetensors")).identity


def test_two_folders_with_the_same_content_are_each_read_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A remembered resolution does not lead to the folder that the file was in before."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "w.safetensors").write_bytes(weights())
        monkeypatch.chdir(tmp_path / name)
        found = resolve(f"{tmp_path}/work/pretrained.py:Pretrained[weights=w.safetensors]", cache=tmp_path / "cache")
        assert found.settings["weights"] == str(tmp_path / name / "w.safetensors")


def test_a_metric_of_a_file_has_a_protocol_for_each_content() -> None:
    def protocol(text: str) -> str:
        return Protocol(resolve(text, "metric"), "0" * 64).id

    Path("half").write_text("0.5")
    Path("copy").write_text("0.5")
    Path("other").write_text("0.25")
    ids = {name: protocol(f"{METRIC}[number={name}]") for name in ("half", "copy", "other")}
    assert ids["half"] == ids["copy"] != ids["other"]
    assert protocol(METRIC) not in ids.values()


def test_a_dataset_and_an_extractor_read_files_too(cli) -> None:
    Path("level").write_text("200")
    Path("factor").write_text("2.0")
    code, out, err = cli(
        f"run --models {of('w.safetensors')} --dataset {DATASET}[level] --reference none --seeds 1 "
        "--metric 'fid[\"./others.py:Scaled[factor=factor]\"]' --samples 100"
    )
    assert (code, "Scaled[factor=factor]" in out) == (0, True), err
    Path("factor").write_text("3.0")
    code, out, err = cli(
        f"run --models {of('w.safetensors')} --dataset {DATASET}[level] --reference none --seeds 1 "
        "--metric 'fid[\"./others.py:Scaled[factor=factor]\"]' --samples 100"
    )
    (record,) = Path("results").rglob("trial.json")
    assert len(json.loads(record.read_text())["wanted"]) == 2


def test_a_file_that_is_not_named_changes_no_id() -> None:
    """Protocols and trials are what they were before any option named a file."""
    fid = resolve("fid[pixels]", "metric")
    assert "statistics" not in fid.options
    assert Protocol(resolve("parzen", "metric"), "0" * 64).id == "13189dd9"
    assert TrialSpec(resolve("gan"), resolve("digits", "dataset"), "0" * 64, 0).id == "c3de341ee7d6"


# What cannot be taken


def sparse(path: str) -> None:
    Path(path).touch()
    os.truncate(path, MOST_BYTES + 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no file {path}"),
        (os.mkdir, "{path} cannot be read: it is a folder, not a plain file"),
        (os.mkfifo, "{path} cannot be read: it is a pipe, not a plain file"),
        (lambda path: os.symlink("nowhere", path), "{path} is a link to nothing"),
        (lambda path: os.symlink("/dev/zero", path), "{path} cannot be read: it is a device, not a plain file"),
        (sparse, "{path} cannot be read: it has 68,719,476,737 bytes; expected at most 68,719,476,736"),
    ],
    ids=["missing", "folder", "pipe", "link", "device", "sparse"],
)
def test_what_is_no_plain_file_is_one_line_when_a_run_is_planned(make, message: str, work: Path, cli) -> None:
    make("there")
    code, out, err = cli(f"run --models {of('there')} --reference none --seeds 1")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert f"option weights is there: {message.format(path=work / 'there')}" in err
    assert "; expected the path of a file or nothing. See: genbench show" in err
    assert not Path("results").exists()


@pytest.mark.parametrize("value", ["3", "true", '""', "[1,2]"])
def test_what_is_no_path_is_refused(value: str) -> None:
    with pytest.raises(RequestError, match="that is no path; expected the path of a file or nothing"):
        resolve(of(value))


def test_a_plugin_that_cannot_do_without_says_so(cli) -> None:
    with pytest.raises(RequestError, match="needs a weights: as in"):
        resolve(MODEL)
    code, out, _ = cli(f"show {MODEL}")
    assert (code, "the path of a file or nothing" in out, "it learns nothing here" in out) == (0, True, True)


def made(**fields: Any) -> type:
    return dataclass(eq=False)(type("Made", (genbench.Model,), {"__module__": __name__, **fields}))


@pytest.mark.parametrize(
    ("hint", "default", "message"),
    [
        (tuple[genbench.File, ...], (), r"is of type list of the path of a file; expected genbench\.File or"),
        (genbench.File | str, None, r"expected genbench\.File or genbench\.File \| None"),
        (genbench.File | None, "w.pt", "has the default 'w.pt'; expected None"),
        (genbench.File | None, genbench.setting(None), "is a file and a setting; expected no setting"),
    ],
)
def test_files_stand_alone_without_default_and_are_no_setting(hint: Any, default: Any, message: str) -> None:
    methods = dict.fromkeys(("build", "fit", "sample"), lambda self: None)
    cls = made(__annotations__={"x": hint}, x=default, **methods)
    with pytest.raises(PluginError, match=message):
        options.declared(cls)


def test_a_digest_that_nobody_made_sure_of_is_not_taken(work: Path) -> None:
    given = {"fid": {"statistics": {"path": "w.safetensors", "sha256": "0" * 64}}}
    with pytest.raises(RequestError, match="option statistics is .*: its content is not of SHA-256 000"):
        genbench.run("gaussian", "fid[domain]", options=given, reference="none")


def test_a_preset_names_no_file() -> None:
    Path("pretrained.py").write_text(
        PRETRAINED.replace(
            "    version:", '    presets: ClassVar = {"best": {"weights": "w.safetensors"}}\n    version:'
        )
    )
    with pytest.raises(PluginError, match="preset 'best' of ./pretrained.py:Pretrained names a file for weights"):
        resolve(f"{MODEL}@best")


# Read


def test_a_file_is_read_and_its_digest_compared() -> None:
    file = genbench.File.at("w.safetensors")
    assert file.read() == weights()
    assert Path(os.fspath(file)).read_bytes() == weights()
    with pytest.raises(DataError, match=r"has [\d,]+ bytes; expected at most 10"):
        file.read(10)
    Path("w.safetensors").write_bytes(weights(1))
    for use in (file.read, file.check, file.__fspath__):
        with pytest.raises(ChangedError, match=r"w\.safetensors changed while the run was going on; start the run"):
            use()
    os.unlink("w.safetensors")
    for use in (file.read, file.check, file.__fspath__):
        with pytest.raises(
            ChangedError, match=r"there is no file .*w\.safetensors\. It could be read when the run was"
        ):
            use()


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", [lambda: Path("w.safetensors").write_bytes(weights(1)), lambda: os.unlink("w.safetensors")]
)
@pytest.mark.parametrize("engine", ["inline", "process"])
@pytest.mark.parametrize("by_path", [False, True])
def test_a_file_that_changes_once_a_run_is_planned_ends_it(
    by_path: bool, engine: str, change, monkeypatch, cli
) -> None:
    execute = execution.execute
    if by_path:  # and not by what compares digests
        Path("pretrained.py").write_text(
            PRETRAINED.replace("self.weights.read()", "open(self.weights.path, 'rb').read()")
        )

    def late(*args: Any) -> execution.Report:
        change()
        return execute(*args)

    monkeypatch.setattr(execution, "execute", late)
    code, out, err = cli(f"run --models {of('w.safetensors')} --reference none --seeds 1 --engine {engine}")
    assert (code, out) == (2, "")
    assert re.search(r"w\.safetensors(\. It could be read| changed while).*start the run again", err.splitlines()[-1])
    assert list(Path("results").rglob("*.safetensors")) == []


def test_an_extractor_whose_file_changes_ends_the_run_too(monkeypatch: pytest.MonkeyPatch, cli) -> None:
    """Also one that does not compare digests itself."""
    Path("factor").write_text("2.0")
    Path("others.py").write_text(OTHERS.replace("self.factor.read()", "open(self.factor.path).read()"))
    execute = execution.execute

    def late(*args: Any) -> execution.Report:
        Path("factor").write_text("3.0")
        return execute(*args)

    monkeypatch.setattr(execution, "execute", late)
    metric = "--metric 'fid[\"./others.py:Scaled[factor=factor]\"]'"
    code, out, err = cli(f"run --models {of('w.safetensors')} --reference none --seeds 1 {metric}")
    assert (code, out) == (2, "")
    assert "factor changed while the run was going on; start the run again" in err


# Asked for, and shown


def test_a_suite_names_files_from_the_working_folder(tmp_path: Path, cli) -> None:
    (tmp_path / "elsewhere").mkdir()
    suite = tmp_path / "elsewhere" / "mine.toml"
    suite.write_text(f'models = ["{of("w.safetensors")}"]\nseeds = 1\nreference = []\nmetrics = ["{METRIC}"]\n')
    assert cli(f"run {suite}")[0] == 0
    assert trials() == {
        t.id
        for t in planning.plan(RunSettings(of("w.safetensors"), METRIC, reference="none", seeds=1, fresh=True)).todo
    }


@pytest.mark.parametrize("given", ["w.safetensors", Path("w.safetensors"), None])
def test_an_instance_takes_a_path_or_a_file(given: Any, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(work)
    module = importlib.import_module("pretrained")
    try:
        report = run(module.Pretrained(weights=given or genbench.File.at("w.safetensors")), seeds=1)
    finally:
        del sys.modules["pretrained"]
    assert report.boards[0].rows[0].model == f"{MODEL}[w.safetensors]"


def test_a_file_given_in_python_counts_as_it_is_when_the_run_is_planned() -> None:
    assert objects.plain(genbench.File("w.safetensors", "0" * 64)) == "w.safetensors"


def test_the_label_has_the_names_of_files_and_digits_where_two_would_be_alike(work: Path, cli) -> None:
    for name, seed in (("a", 0), ("b", 1)):
        Path(name).mkdir()
        Path(f"{name}/w.safetensors").write_bytes(weights(seed))
    report = run([of(f"{work}/a/w.safetensors"), of("b/w.safetensors"), of("w.safetensors")], seeds=1)
    digits = [hashlib.sha256(weights(seed)).hexdigest()[:8] for seed in (0, 1)]
    expected = {f"{MODEL}[w.safetensors] {each}" for each in digits}
    assert {row.model for row in report.boards[0].rows} == expected, "the third is the first"
    assert {path.name.rpartition("-s0")[0] for path in Path("results/trials").iterdir()} == {
        "pretrained-w-safetensors-digits"
    }
    Path("b/number").write_text("0.5")
    metric = f"{METRIC}[number={work}/b/number]"
    assert run(of("b/w.safetensors"), metrics=metric, seeds=1).boards[0].metric.label == f"{METRIC}[number=number]"
    Path("b/factor").write_text("2.0")
    extractor = json.dumps(f"./others.py:Scaled[factor={work}/b/factor]")
    text = str(run(of("b/w.safetensors"), metrics=f"fid[{extractor},samples=100]", seeds=1))
    assert "features of ./others.py:Scaled[factor=factor]" in " ".join(text.split())
    code, out, _ = cli("leaderboard --format csv")
    assert (code, str(work) in out) == (0, False)


def test_figures_are_drawn_of_what_reads_a_file(cli) -> None:
    Path("sub").mkdir()
    os.rename("w.safetensors", "sub/w.safetensors")
    assert run(f"{MODEL}[sub/w.safetensors]", seeds=1).failed == 0
    for asked in ("sub/w.safetensors", "w.safetensors"):  # as typed, and as tables show it
        code, out, err = cli(f"figures {MODEL}[{asked}] --kind samples -o drawn/{asked}")
        assert (code, list(Path(f"drawn/{asked}").rglob("*.png")) != []) == (0, True), out + err
    Path("sub/w.safetensors").write_bytes(weights(1))
    code, out, err = cli(f"figures {MODEL}[w.safetensors] --kind samples")
    assert "is not what was trained" in out + err


# Pretrained


def test_the_table_tells_what_was_not_trained_here(cli) -> None:
    report = run(f"{MODEL}[w.safetensors],gaussian", seeds=2)
    text = as_text(tables(report.boards), 200)
    (row,) = (line for line in text.splitlines() if "Pretrained" in line and "2/2" in line)
    assert re.search(r"2/2 +- +means", row), row
    assert f"{MODEL}[w.safetensors]: pretrained, not trained here." in text
    taken = {row.model: row.mean_of("fit") for row in report.boards[0].rows}
    assert taken[f"{MODEL}[w.safetensors]"] is None
    assert taken["gaussian"] is not None
    assert report.leaderboard.set_index("model")["fit_seconds"].isna().to_dict() == {
        f"{MODEL}[w.safetensors]": True, "gaussian": False
    }  # fmt: skip
    able = cli("leaderboard --table capabilities --format json")[1]
    assert {row["model"]: row["fit_seconds"] is None for row in json.loads(able)} == {
        f"{MODEL}[w.safetensors]": True, "gaussian": False
    }  # fmt: skip
    assert "pretrained" not in str(run("gaussian"))


@pytest.mark.slow
def test_the_kit_passes_a_pretrained_model_that_learns_nothing() -> None:
    verdict = check(f"{MODEL}[w.safetensors]")
    results = {result.check: (result.status, result.reason) for result in verdict.results}
    assert not [name for name, (status, _) in results.items() if status == "failed"], results
    assert results["learns-nothing"][0] == "passed"
    assert "learns" not in results


def test_the_kit_takes_metrics_of_files() -> None:
    Path("half").write_text("0.5")
    results = {result.check: result.status for result in check(f"{METRIC}[number=half]").results}
    told = ("loads", "options-typed", "options-survive", "constructor-only-stores", "finite", "works-without-cuda")
    assert {results[name] for name in told} == {"passed"}, results
