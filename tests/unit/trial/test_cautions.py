"""What a table says of the images that were scored: a scale that was hardly meant, in one line and of those alone."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from genbench.cli import main
from genbench.data.cache import prepare
from genbench.runs import stored
from genbench_plugins.datasets.digits import Digits

TANH = """
import genbench
from dataclasses import dataclass

@dataclass(eq=False)
class Tanh(genbench.Model):
    version = 1

    def build(self, space, device):
        self.space = space

    def fit(self, data, run):
        self.images_ = data.train.images

    def sample(self, n, generator):
        return (2 * self.images_[:n] - 1).clamp(0, 1)
"""


@pytest.fixture
def cautions(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function that runs genbench in an empty folder: the lines of caution under the table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")

    def run(line: str) -> list[str]:
        assert main(shlex.split(line)) == 0
        lines = capsys.readouterr().out.splitlines()
        return [text.strip().removeprefix("! ") for text in lines if text.strip().startswith("! ")]

    return run


def digits(split: str = "test"):
    found = prepare(Digits(), {"name": "digits", "cautions": "digits"}).split(split)
    return (found.images.numpy() * 255).round().astype("uint8")


BRIGHTNESS = "--metric brightness --reference none"


def test_images_of_another_scale_are_told_under_the_table_and_right_ones_are_not(cautions) -> None:
    x = digits("train")
    np.savez("right.npz", images=x)
    np.savez("binary.npz", images=(x > 127).astype("uint8"))
    np.savez("cast.npz", images=(x / 255).astype("uint8"))
    np.savez("twice.npz", images=(x / 255 / 255).astype("float32"))
    np.savez("black.npz", images=x * 0)
    names = ("right", "binary", "cast", "twice", "black")
    told = cautions(f"evaluate {' '.join(f'{name}={name}.npz' for name in names)} {BRIGHTNESS}")
    assert len(told) == 2
    black, small = sorted(told, key=lambda line: "255" in line)
    assert sorted(small.split(":")[0].split(", ")) == ["binary s0", "cast s0", "twice s0"]
    assert small.endswith("are they 0/1 images as uint8, or floats divided by 255 twice? Multiply by 255")
    assert black == "black s0: every value is 0: are these the images that were meant?"
    assert cautions("leaderboard") == told, "they stand in the store"


def test_samples_of_a_model_are_told_too(cautions) -> None:
    Path("tanh.py").write_text(TANH)
    (told,) = cautions(f"run --models ./tanh.py:Tanh --seeds 2 {BRIGHTNESS} --samples 400")
    assert told.startswith("./tanh.py:Tanh s0 s1: 7")
    assert told.endswith("in the lower half: was -1 to 1 clipped at 0? Map it to 0 to 1")


def test_data_of_another_scale_are_told_once(cautions) -> None:
    x = digits("train")
    np.savez("data.npz", x_train=(x[:600] > 127).astype("uint8"), x_test=(x[600:] > 127).astype("uint8"))
    told = cautions("run --models train-data --dataset npz:data.npz --metric brightness --reference kmeans --seeds 2")
    assert told == [
        "training images: the greatest value is 0.00392 (1 of 255), that of the bounds 1: are they 0/1 images as "
        "uint8, or floats divided by 255 twice? Multiply by 255"
    ]


def test_models_and_references_that_come_with_genbench_are_not(cautions) -> None:
    told = cautions("run --models gan[epochs=20],vae[epochs=20] --seeds 1 --metric brightness")
    assert [line for line in told if "as well as real images" not in line] == []


# Copies of the images scored against


HIDDEN = "80 of 400 samples are copies, exact or near, of 80 test images; of 334 training images 0 are: no score of new images"


def test_copies_of_test_images_are_told_whatever_the_metric_and_other_real_images_are_not(cautions) -> None:
    test, train, valid = digits(), digits("train"), digits("valid")
    np.savez("copies.npz", images=test)
    np.savez("hidden.npz", images=np.concatenate([test[:80], train[:320]]))
    np.savez("honest.npz", images=np.concatenate([valid, train[:103]]))
    asked = "copies=copies.npz hidden=hidden.npz honest=honest.npz --reference none --samples 400"
    told = cautions(f"evaluate {asked} --metric brightness,fid[pixels]")
    assert len(told) == 4, "two rows in each of two tables"
    assert sorted(told[:2]) == sorted(told[2:])
    assert f"hidden s0: {HIDDEN}" in told
    assert [line.split(":")[0] for line in told if "400 of 400 samples are copies" in line] == ["copies s0"] * 2


def test_against_validation_images_copies_of_these_are_told(cautions) -> None:
    np.savez("test.npz", images=digits()[:290])
    np.savez("valid.npz", images=digits("valid")[:290])
    (told,) = cautions(f"evaluate a=test.npz b=valid.npz {BRIGHTNESS} --target valid")
    assert told.startswith("b s0: 290 of 290 samples are copies, exact or near, of 290 valid images; of 250 training")


def test_memorisation_tells_copies_of_training_images_from_those_of_test_images(cautions) -> None:
    np.savez("learnt.npz", images=digits("train")[:500])
    np.savez("leaked.npz", images=digits())
    told = cautions("evaluate learnt=learnt.npz leaked=leaked.npz --metric memorisation --reference none")
    learnt, leaked = sorted(told, key=lambda line: "test images" in line)
    assert learnt == (
        "learnt s0: 500 of 500 samples are copies, exact or near, of 500 training images; of 500 target images 0 are"
    )
    assert leaked.startswith("leaked s0: 500 of 500 samples are copies, exact or near, of 500 test images; of 500")
    extras = {row.model: row.extras for row in _rows()}
    assert (extras["learnt"]["train_copies"], extras["learnt"]["target_copies"]) == (500, 0)
    assert (extras["leaked"]["train_copies"], extras["leaked"]["target_copies"]) == (0, 500)


def _rows():
    (board,) = stored.read_boards(["results"])[0]
    return board.rows
