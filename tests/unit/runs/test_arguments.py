"""What can be given to the calls in Python: names, classes, instances, arrays, numbers of numpy; all else is refused."""

import importlib.util
import inspect
import os
import re
import sys
import typing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from given_images import noise, save
from scored import scores

import genbench
from genbench.errors import RequestError
from genbench.output.board_table import table
from genbench.output.tables_html import to_html
from genbench.ranking.board import boards
from genbench.runs import arguments, execution, external, stored
from genbench.runs.settings import RunSettings
from genbench_plugins.datasets.digits import Digits
from genbench_plugins.datasets.npz import NpzDataset
from genbench_plugins.models.gan import GAN
from genbench_plugins.models.pca import PCA

QUICK = {"metrics": "brightness", "reference": "none", "seeds": 1}

MINE = '''
from dataclasses import dataclass
import genbench, torch

@dataclass(eq=False)
class Mine(genbench.Model):
    """Training images drawn at random."""

    few: int = 9

    def build(self, space, device):
        self.space = space

    def fit(self, data, run):
        self.images_ = data.train.images[:self.few]

    def sample(self, n, generator):
        return self.images_[torch.randint(len(self.images_), (n,), generator=generator)]


def inside():
    @dataclass(eq=False)
    class Inner(Mine):
        pass
    return Inner
'''


@pytest.fixture
def work(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working folder, with the toy plugin installed."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def mine(work: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a module of its own, imported from the working folder as a script beside it does."""
    (work / "mine_beside.py").write_text(MINE)
    spec = importlib.util.spec_from_file_location("mine_beside", work / "mine_beside.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "mine_beside", module)
    spec.loader.exec_module(module)
    return module


# Signatures


FOR_MODELS_ALONE = {"models", "suite", "seeds", "budget", "select", "tensorboard", "detach"}


@pytest.mark.parametrize(("call", "own", "lacks"), [(execution.run, set(), set()), (external.evaluate, {"sources", "samples_are"}, FOR_MODELS_ALONE)])  # fmt: skip
def test_the_calls_show_every_argument_with_its_type(call: Callable[..., Any], own: set[str], lacks: set[str]) -> None:
    shown, settings = inspect.signature(call).parameters, inspect.signature(RunSettings).parameters
    assert {*shown} - own == {*settings} - lacks
    for name, parameter in shown.items():
        assert name in own or parameter.default == settings[name].default, name
        assert parameter.annotation is not parameter.empty, name
        assert name in arguments.TAKE, name
    assert inspect.isfunction(call)


def test_every_argument_is_explained() -> None:
    for name in inspect.signature(execution.run).parameters:
        assert re.search(rf"\b{name}\b", execution.run.__doc__ or ""), name
    for name in ("sources", "samples_are", "samples", "genbench.run"):
        assert name in (external.evaluate.__doc__ or ""), name
    assert "Raises StoreError" in (stored.load_results.__doc__ or "")
    assert set(typing.get_type_hints(stored.load_results)) == {"path", "return"}


# Plugins


def test_a_registered_class_or_instance_is_what_its_name_stands_for(work: Path) -> None:
    from genbench_toy import Brightness, Toy

    named = genbench.run("toy,toy[epochs=3],pca", **QUICK)
    assert len(named.outcomes) == 3
    same = genbench.run(
        [Toy, Toy(epochs=3), PCA()], **{**QUICK, "metrics": [Brightness()]}, datasets=[Digits], options={"toy": {}}
    )
    assert same.outcomes == {}
    assert str(same) == str(named)
    assert [t.id for t in same.plan.grid.trials()] == [t.id for t in named.plan.grid.trials()]


def test_options_that_are_lists_and_texts_of_digits_are_kept() -> None:
    taken = arguments.taken({"models": [GAN(g_hidden=(7, 9), lr=0.5), "vae"], "datasets": NpzDataset(path=".5")})
    assert taken == {"models": ["gan[lr=0.5,g_hidden=[7,9]]", "vae"], "datasets": ['npz[path=".5"]']}


@pytest.mark.slow
def test_a_class_that_nobody_registered_is_that_of_its_file(mine: ModuleType) -> None:
    given = genbench.run([mine.Mine, mine.Mine(few=3)], **QUICK, engine="process", jobs=1)
    assert list(given.leaderboard["model"]) == ["./mine_beside.py:Mine", "./mine_beside.py:Mine[few=3]"]
    assert given.failed == 0
    assert genbench.run("./mine_beside.py:Mine,./mine_beside.py:Mine[few=3]", **QUICK).outcomes == {}


def test_a_class_that_no_other_process_can_import_is_refused(mine: ModuleType) -> None:
    inner = mine.inside()
    with pytest.raises(
        RequestError, match=r"model inside.<locals>.Inner of mine_beside is not registered, and no worker"
    ):
        genbench.run(inner, **QUICK)
    mine.Mine.__module__ = "__main__"
    with pytest.raises(
        RequestError, match=r"Mine of the script or notebook itself .*; expected a class .* ./mine.py:Mine$"
    ):
        genbench.run(mine.Mine(), **QUICK)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"models": PCA, "metrics": PCA},
            "PCA is a subclass of genbench.Model, not of genbench.Metric; expected a metric",
        ),
        ({"models": int}, "int is no subclass of genbench.Model; expected a model"),
        ({"models": PCA(components=(1,))}, r"PCA: option components is \[1\]; expected"),  # type: ignore[arg-type]
        ({"models": 3}, "models is 3; expected names, classes or instances of models, one or a list of them"),
        ({"models": {"pca": 1}}, "models is {'pca': 1}; expected names, classes"),
        ({"models": ["pca", None]}, r"models is \['pca', None\]; expected names, classes"),
        ({"datasets": np.zeros(3)}, "datasets is array.*; expected names, classes or instances of datasets"),
    ],
)
def test_what_is_no_plugin_is_refused(given: dict[str, Any], message: str, work: Path) -> None:
    with pytest.raises(RequestError, match=message):
        genbench.run(**given)
    assert list(work.iterdir()) == []


# Numbers, texts and paths


@pytest.mark.slow
def test_numbers_of_numpy_and_a_device_of_torch_are_taken(work: Path) -> None:
    given: dict[str, Any] = {
        **QUICK,
        "seeds": np.int64(2),
        "samples": np.int32(300),
        "threads": torch.tensor(1),
        "timeout": np.float32(99),
        "fresh": np.bool_(False),
        "fresh_scores": False,
        "device": torch.device("cpu"),
        "results": Path("there"),
        "options": {"toy": {"lr": np.float64(0.25), "epochs": np.int64(2)}},
        "engine": "process",
    }
    report = genbench.run("toy", **given)
    assert list(report.leaderboard["seeds_done"]) == [2]
    assert Path("there/leaderboard.csv").is_file()
    for seeds in (range(2), np.arange(2), torch.arange(2), (np.uint8(0), 1)):
        assert genbench.run("toy", **{**given, "seeds": seeds}).outcomes == {}


REFUSED = {
    "suite": [3, b"quick", ""],
    "seeds": ["3", 1.0, True, [0.5], [True], [], np.array(1.5), None.__class__, {"a": 1}],
    "reference": [3, [None]],
    "against": [3, b"goodfellow2014", [1]],
    "options": [{"pca": 3}, "pca", {3: {}}, [("pca", {})]],
    "samples": [0, -1, 1.5, "9", "all", True, np.array([1, 2])],
    "size": [0, "8"],
    "weights": [3, " ", b"w.pth"],
    "budget": [5, 5.0],
    "select": [3],
    "target": ["tset", 3, np.array(["test", "valid"])],
    "results": [None, "", 3, b"results"],
    "device": [None, 0],
    "threads": [0, 1025, 1.0, None],
    "engine": [3],
    "jobs": [0, 1.5],
    "jobs_per_gpu": [65],
    "timeout": ["60", float("nan"), True],
    "checkpoint_every": [None, "often"],
    "fresh": [None, "no"],
    "fresh_scores": [None, "no"],
    "tensorboard": [2],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_what_cannot_be_taken_is_refused_in_words(name: str, value: object, work: Path) -> None:
    with pytest.raises(RequestError, match=rf"^{name} is .*; expected .*\S$"):
        genbench.run("pca", **{name: value})
    assert list(work.iterdir()) == []


def test_paths_of_results_are_paths() -> None:
    with pytest.raises(RequestError, match="path is 3; expected a path"):
        genbench.load_results(3)  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="path is None; expected a path"):
        genbench.load_verdicts(path=None)  # type: ignore[arg-type]


# Images


def test_arrays_and_tensors_score_as_the_files_that_hold_them(work: Path) -> None:
    images = noise(300)
    save("file.npz", images)
    floats = torch.from_numpy(images).float() / 255
    given: dict[str, Any] = {
        "file": "file.npz",
        "array": images,
        "tensor": floats.requires_grad_(),
        "channels-last": np.moveaxis(images, 1, 3)[:, ::1],
        "seeds": [images, Path("file.npz"), torch.from_numpy(noise(300, seed=1))],
    }
    with pytest.raises(RequestError, match="are all in .*; expected images of another seed in each"):
        genbench.evaluate(given, "brightness", reference="none")
    given["seeds"][1] = noise(300, seed=2)
    frame = genbench.evaluate(given, "brightness", reference="none").leaderboard.set_index("model")
    assert list(frame["seeds_done"][["file", "array", "tensor", "channels-last", "seeds"]]) == [1, 1, 1, 1, 3]
    for name in ("array", "tensor", "channels-last"):
        assert frame["mean"][name] == pytest.approx(frame["mean"]["file"], rel=1e-6), name
    assert genbench.evaluate(given, "brightness", reference="none").outcomes == {}


def test_half_precision_is_taken_and_a_damaged_copy_is_made_again(work: Path) -> None:
    half = (torch.from_numpy(noise(60)).float() / 255).bfloat16()
    genbench.evaluate({"half": half}, "brightness", reference="none", results="a")
    (kept,) = [p for p in Path(os.environ["GENBENCH_CACHE"]).glob("given/*.npy") if np.load(p).shape == (60, 1, 8, 8)]
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1] + b"\xff")
    report = genbench.evaluate({"half": half}, "brightness", reference="none", results="a")
    assert (report.outcomes, kept.read_bytes()) == ({}, whole)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            np.zeros((9, 8, 8)),
            r"sources is of type ndarray; expected images by a name of yours, as in \{'ours': images\}",
        ),
        ("a.npz", "sources is of type str; expected images by a name"),
        ({"ours": 3}, r"sources\['ours'\] is 3; expected a path, an array or tensor of images, or a list of these"),
        ({"ours": []}, r"sources\['ours'\] is \[\]; expected a path"),
        ({"ours": [[1, 2]]}, r"sources\['ours'\] is 1; expected a path"),
        ({"ours": np.array(["a", "b"])}, r"sources\['ours'\]: an array of <U1; expected images, uint8 or floats"),
    ],
)
def test_what_are_no_images_is_refused(given: Any, message: str, work: Path) -> None:
    with pytest.raises(RequestError, match=message):
        genbench.evaluate(given, "brightness", reference="none")


def test_every_image_that_there_is_may_be_asked_for(work: Path) -> None:
    report = genbench.evaluate({"ours": noise(9)}, "brightness", "digits", samples="all", reference=(), results="all")
    assert list(report.leaderboard["samples"]) == [9]
    with pytest.raises(RequestError, match="samples is 'most'; expected a whole number from 1"):
        genbench.evaluate({"ours": noise(9)}, samples="most")  # type: ignore[arg-type]


def test_what_samples_are_is_said_in_words(work: Path) -> None:
    with pytest.raises(RequestError, match="samples_are is 3; expected words"):
        genbench.evaluate({"ours": noise(9)}, samples_are=3)  # type: ignore[arg-type]


# Reports


def test_a_report_is_a_table_in_a_notebook(work: Path) -> None:
    report = genbench.run("toy,toy@long", **{**QUICK, "metrics": "brightness,parzen", "seeds": 3})
    html = report._repr_html_()
    assert html.count("<table ") == html.count("</table>") == 2
    assert "<caption>Brightness on digits, share of white, lower is better</caption>" in html
    row = report.boards[0].rows[0]
    assert f"<td>{row.model}</td>" in html
    assert re.search(rf"Protocol brightness {report.boards[0].protocol_id}: samples 500\.", html)
    assert html.count("<tr>") == 2 + 4
    assert len(html) < 6000


def test_foreign_text_is_no_html() -> None:
    (board,) = boards(scores("<script>x</script>", [1.0, 2.0, 3.0]))
    html = to_html([table(replace(board, dataset="a<b>"))])
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "<caption>Parzen on a&lt;b&gt;, nats" in html
