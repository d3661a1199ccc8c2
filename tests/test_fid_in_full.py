"""The Frechet distance of everything there is: two folders in full, and how many images were compared."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.linalg import sqrtm

from genbench.cli import main
from genbench.output.tables_csv import read_csv

Values = NDArray[np.float64]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function that evaluates in an empty folder, without references: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(line: str) -> tuple[int, str, str]:
        code = main(["evaluate", *shlex.split(line), "--reference", "none"])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def pictures(folder: str, n: int, seed: int, top: int) -> Values:
    """Write pictures of 4x4 pixels; return their pixels, (n, 16)."""
    x = np.random.default_rng(seed).integers(0, top, (n, 4, 4), np.uint8)
    Path(folder).mkdir()
    for row, image in enumerate(x):
        Image.fromarray(image).save(f"{folder}/{row:03d}.png")
    return x.reshape(n, 16) / 255


def frechet(mean: Values, covariance: Values, x: Values) -> float:
    """Return the distance by scipy's root of the product, as published implementations take it."""
    apart, spread = mean - x.mean(0), np.cov(x, rowvar=False)
    return float(apart @ apart + np.trace(covariance + spread) - 2 * np.trace(sqrtm(covariance @ spread)).real)


def table() -> dict[str, float]:
    row = read_csv(Path("results/leaderboard.csv")).iloc[0]
    return {name: row[name] for name in ("mean", "samples", "against")}


def test_two_folders_are_compared_in_full(cli) -> None:
    real, fake = pictures("real", 130, 0, 256), pictures("fake", 110, 1, 200)
    code, out, err = cli("fake=fake --dataset folder:real --metric fid[pixels,against=all] --samples all")
    assert (code, "skipped" in out) == (0, False), err
    expected = frechet(real.mean(0), np.cov(real, rowvar=False), fake)
    assert table() == {"mean": pytest.approx(expected, rel=1e-5), "samples": 110, "against": 130}
    assert "110 samples against all images of all splits; features of pixels; 130 real images." in out


def test_how_many_images_were_compared_stands_in_caption_and_table(cli) -> None:
    pictures("real", 130, 0, 256)
    pictures("fake", 110, 1, 200)
    code, out, _ = cli("fake=fake --dataset folder:real --metric fid[pixels],precision[pixels] --samples 100")
    assert code == 0
    assert out.count("features of pixels; scored against the test split; 13 real images") == 2
    assert "fake: 100 of 110 images, chosen at random, always the same." in out
    assert list(read_csv(Path("results/leaderboard.csv"))["against"]) == [13, 13]


@pytest.mark.parametrize(("against", "count"), [("train", 104), ("train+valid", 117), ("all", 130)])
def test_each_part_that_can_be_compared_with_counts(against: str, count: int, cli) -> None:
    pictures("real", 130, 0, 256)
    pictures("fake", 60, 1, 200)
    assert cli(f"fake=fake --dataset folder:real --metric fid[pixels,against={against}] --samples all")[0] == 0
    assert table()["against"] == count


def test_all_of_unequal_numbers_is_refused(cli) -> None:
    for name, n in (("real", 30), ("a", 20), ("b", 25)):
        pictures(name, n, n, 256)
    code, _, err = cli("a=a b=b --dataset folder:real --metric fid[pixels] --samples all")
    assert code == 2
    assert "--samples all: b (b) has 25 images and a (a) 20; expected as many in each: give --samples 20" in err


@pytest.mark.parametrize("typed", ["some", "0", "-1", "1.5", ""])
def test_no_number_of_samples_is_refused(typed: str, cli) -> None:
    code, _, err = cli(f"a=a --samples={typed}")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "expected a number from 1, or all" in err
