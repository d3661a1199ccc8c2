"""What newcomers type: each is answered with what to type instead, on one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from complaining import check_line

from genbench.cli import main

GIVEN = (
    # Several values parted by blanks
    ("run --model toy toy@long --metric parzen", r"--model toy toy@long: parted by blanks; expected --model toy,toy@long$"),
    ("run --models toy, toy@long", r"expected --models toy,toy@long$"),
    ("run --models=toy vae", r"expected --models toy,vae$"),
    ("run --models toy --seeds 1 2 3", r"--seeds 1 2 3: parted by blanks; expected --seeds 1,2,3$"),
    ("run --models toy --metrics fid parzen", r"expected --metrics fid,parzen$"),
    ("run --models toy --set toy.lr=0.1 toy.epochs=4", r"expected --set toy.lr=0.1 --set toy.epochs=4$"),
    ("run --models toy --set toy.lr 0.1", r"expected --set toy.lr=0.1$"),
    ("run --models toy --set toy.lr = 0.1", r"expected --set toy.lr=0.1$"),
    ("run --models toy vae quick", r"--models toy vae quick: parted by blanks; expected --models toy,vae$"),
    # Words behind an option that are no values of it
    ("leaderboard --metrics fid there", r"no results in there"),
    ("evaluate --metrics fid a.npz", r"has no name; expected NAME=PATH"),
    ("evaluate --datasets digits a.npz", r"has no name; expected NAME=PATH"),
    ("run --models toy mnist", r"'mnist' is no suite; expected --datasets mnist$"),
    ("run --seeds=3 mnist", r"'mnist' is no suite; expected --datasets mnist$"),
    ("run --metrics fid mine.py", r"expected a class in the file: --models mine.py:MyModel$"),
    ("run --models toy --seed 1,2", r"'1,2' is not .*; for several seeds: --seeds 0,1\. See"),
    ("evaluate ours=a.npz --metric fid parzen", r"expected --metric fid,parzen$"),
    ("leaderboard --metric fid parzen", r"expected --metric fid,parzen$"),
    ("figures --kinds samples walk curves", r"expected --kinds samples,walk,curves\. See: genbench figures --help$"),
    # Names where a suite stands, and in capitals
    ("run toy", r"'toy' is no suite; expected --models toy$"),
    ("run gan vae", r"'gan vae' is no suite; expected --models gan,vae$"),
    ("run gan,rbm", r"'gan,rbm' is no suite; expected --models gan,rbm$"),
    ("run gan mnist parzen", r"expected --models gan --metrics parzen --datasets mnist$"),
    ("run gan@paper ./mine.py:Blur", r"expected --models gan@paper,./mine.py:Blur$"),
    ("run parzen", r"'parzen' is no suite; expected --metrics parzen$"),
    ("run ./mine.py", r"expected a class in the file: --models ./mine.py:MyModel$"),
    ("run quik --models toy --seeds 3", r"unknown suite 'quik'. Did you mean quick\?"),
    ("run --seeds 3 quik --models toy", r"unknown suite 'quik'. Did you mean quick\?"),
    ("run quick all-models", r"'quick all-models': expected one suite at most"),
    ("run --models toy --metric FID", r"malformed name 'FID': .*, as fid is$"),
    ("run --models Conditional_GAN[epochs=3]", r"malformed name .*, as conditional-gan is$"),
    ("response FID", r"as fid is$"),
    # Paths as datasets
    ("run --models toy --dataset ./pictures", r"dataset './pictures' is a path; expected folder:./pictures$"),
    ("run --models toy --dataset pictures", r"unknown dataset 'pictures', a folder here; expected folder:pictures$"),
    ("run --models toy --dataset ./nothing", r"expected folder:./nothing for a folder of pictures, or npz:FILE$"),
    ("run --models toy --dataset mine.npz", r"dataset 'mine.npz' is a path; expected npz:mine.npz$"),
    ("data prepare ./pictures", r"expected folder:./pictures$"),
    # Options of plugins, and of other tools
    ("run --models toy --epochs 5", r"No such option '--epochs', which toy has; expected --set toy.epochs=5\. See"),
    ("run --models toy,gan@paper --lr=0.1", r"expected --set toy.lr=0.1 --set gan.lr=0.1\."),
    ("run --models toy,gan --batch-size 10", r"which gan has; expected --set gan.batch=10\."),
    ("run --models=toy --epochs 5", r"which toy has; expected --set toy.epochs=5\."),
    ("run --models own.py:Own --batch-size 4", r"expected --set own.py:Own.batch_size=4\."),
    ("run --models own.py:Own --learning-rate 0.2", r"expected --set own.py:Own.learning_rate=0.2\."),
    ("run quick --epochs 5", r"expected --set NAME.epochs=5, with the name of what has it, as autoencoder has\."),
    ("run --models toy --gpu 0", r"expected --device cuda:0\."),
    ("run --models toy --cuda", r"expected --device cuda\."),
    ("run --models toy --output there", r"expected --results there\."),
    ("run --models toy --num-workers 4", r"expected --jobs 4\."),
    ("run --models toy --steps 900", r"expected --budget 900steps\."),
    ("run --models toy --data-dir pictures", r"expected --datasets pictures\."),
    ("run --models toy --data mnist", r"expected --datasets mnist\."),
    ("run --models toy --iters 5k", r"expected --budget Nsteps\."),
    ("response --metric fid", r"it is given by itself: genbench response fid\."),
    ("show --model gan", r"it is given by itself: genbench show gan\."),
    ("data prepare --dataset digits", r"it is given by itself: genbench data prepare digits\."),
    ("run --suite quick", r"it is given by itself: genbench run quick\."),
    ("leaderboard --results there", r"it is given by itself: genbench leaderboard there\."),
    ("figures --model gan", r"it is given by itself: genbench figures gan\."),
    ("run --models toy --format csv", r"No such option '--format'; it is one of genbench (\w+, )*leaderboard[ ,]"),
    ("doctor --fix", r"^genbench: No such option '--fix'\. See: genbench doctor --help$"),
    # Commands
    ("train toy", r"unknown command 'train'. Did you mean run\? See: genbench --help$"),
    ("eval ours=a.npz", r"Did you mean evaluate\?"),
    ("plot gan", r"Did you mean figures\?"),
    ("help", r"unknown command 'help'. Did you mean --help\?"),
    ("data digits", r"No such command 'digits'; expected one of: path, prepare, verify\."),
    ("new model", r"No such command 'model'; expected one of: plugin\."),
    # Formats
    ("leaderboard --latex", r"No such option '--latex'; expected --format latex\."),
    ("leaderboard -o out.xlsx", r"-o out.xlsx: no format is of this suffix; expected .txt, .csv, .md, .tex, .json, or"),
)  # fmt: skip


OWN = """
from dataclasses import dataclass
from typing import ClassVar
import genbench

@dataclass(eq=False)
class Own(genbench.Model):
    version: ClassVar[int] = 1
    batch_size: int = 8
    learning_rate: float = 0.1
    def build(self, space, device): ...
    def fit(self, data, run): ...
    def sample(self, n, generator): ...
"""


@pytest.mark.parametrize(("line", "answer"), GIVEN, ids=[line for line, _ in GIVEN])
def test_is_answered_with_what_to_type(
    line: str,
    answer: str,
    toy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "own.py").write_text(OWN)
    assert main(line.split()) == 2
    check_line(capsys.readouterr().err, answer)


@pytest.mark.parametrize(
    ("labels", "advice"), [(True, r"fid\[domain\] and fid\[random\] need none$"), (False, r"fid\[random\] needs none$")]
)
def test_colour_images_without_weights_are_told_what_needs_none(
    labels: bool,
    advice: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    told = {"y_train": np.arange(40) % 2, "y_test": np.arange(20) % 2} if labels else {}
    np.savez("colour.npz", x_train=images[:40], x_test=images[40:], **told)
    assert main(["run", "--models", "pca", "-d", "npz:colour.npz", "--metric", "fid", "--reference", "none"]) == 2
    check_line(capsys.readouterr().err, f"weights are missing.*{advice}")


def test_the_suffix_of_the_output_says_the_format(
    toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        main(["run", "--models", "toy", "--seeds", "1", "--metric", "brightness", "--reference", "none", "--quiet"])
        == 0
    )
    begins = {"t.tex": r"\begin{table}", "t.md": "### brightness", "t.csv": "metric,", "t.json": "[", "t": "rank"}
    for name, begin in begins.items():
        assert main(["leaderboard", "-o", name]) == 0
        assert begin in Path(name).read_text()[:400], name
    assert main(["leaderboard", "--format", "json", "-o", "wins.csv"]) == 0
    assert json.loads(Path("wins.csv").read_text())
    assert "wins" not in capsys.readouterr().err


def test_a_plugin_without_options_is_shown_within_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["show", "domain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("options"))
    assert [line.strip() for line in lines[place : place + 2]] == ["options: default, expected, meaning", "none"]
    assert max(map(len, lines)) <= 80


TWICE = (
    ("run --models toy --seeds 1 --seeds 2", r"--seeds is given 2 times; expected once; for several seeds, as in --seeds 1,2\."),
    ("run --models toy --seed 1 --seed 2 --seed 3", r"--seed is given 3 times; expected once; for several seeds"),
    ("run --models toy --samples 100 --samples=200", r"--samples is given 2 times; expected once\. See: genbench run --help"),
    ("run --models toy --budget 9steps --budget 8steps", r"--budget is given 2 times"),
    ("evaluate a=a.npz --results a --results b", r"--results is given 2 times"),
    ("run --models toy --quiet --quiet --seeds 1 --seeds 2", r"--seeds is given 2 times"),
    ("leaderboard --format csv --format json", r"--format is given 2 times"),
    ("figures gan -o a --output b", r"--output is given 2 times"),
    ("response fid -d digits -d mnist", r"--dataset is given 2 times"),
    (
        "run --models toy --set toy.lr=0.1 --set toy.epochs=3 --set toy.lr=0.2",
        r"--set toy.lr is given twice; expected once\. For several values, several models: --models toy\[lr=...\],toy\[lr=...\]",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("line", "answer"), TWICE, ids=[line for line, _ in TWICE])
def test_what_takes_one_value_is_given_once(
    line: str,
    answer: str,
    toy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(line.split()) == 2
    check_line(capsys.readouterr().err, answer)
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_taken_as_people_write_them(
    toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = "run --models toy[lr=.001],toy[lr=5.],toy[lr=2E-2] --set toy.epochs=1_0 --samples 1_000 --seeds 1 --reference none"
    assert main([*line.split(), "--dry-run"]) == 0
    out, err = capsys.readouterr()
    shown = "toy[epochs=10,lr=0.001], toy[epochs=10,lr=5.0], toy[epochs=10,lr=0.02]"
    assert f"3 trials: {shown} x seed 0" in " ".join(err.split())
    assert out.count("to do") == 3
