"""The Frechet distance of everything there is: two folders in full, published statistics, and how many were compared."""

import hashlib
import os
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.linalg import sqrtm

from genbench.cli import main
from genbench.output.tables_csv import read_csv
from genbench.runs import execution

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


# Published statistics


def published(x: Values, path: str = "real.npz") -> str:
    """Write statistics as pytorch-fid does."""
    np.savez(path, mu=x.mean(0), sigma=np.cov(x, rowvar=False))
    return path


@pytest.fixture
def fake(cli) -> Values:
    pictures("other", 30, 5, 256)  # the dataset: of its images nothing comes into the distance
    return pictures("fake", 110, 1, 200)


def against(path: str) -> str:
    return f"fake=fake --dataset folder:other --metric 'fid[pixels,statistics={path}]' --samples all"


def test_published_statistics_are_scored_against(fake: Values, cli) -> None:
    real = np.random.default_rng(3).uniform(0, 1, (500, 16))
    code, out, err = cli(against(published(real)))
    assert (code, "skipped" in out) == (0, False), err
    assert table()["mean"] == pytest.approx(frechet(real.mean(0), np.cov(real, rowvar=False), fake), rel=1e-5)
    assert pd.isna(table()["against"]), "of how many images they are is not known"
    digest = hashlib.sha256(Path("real.npz").read_bytes()).hexdigest()[:12]
    assert f"110 samples against published statistics of 16 features (SHA-256 {digest}); features of pixels." in out


def protocols() -> set[str]:
    return set(read_csv(Path("results/trials.csv"))["protocol_id"])


def test_other_statistics_are_another_protocol_and_moved_ones_are_not(fake: Values, cli) -> None:
    x = np.random.default_rng(3).uniform(0, 1, (500, 16))
    cli(against(published(x)))
    first = protocols()
    os.rename("real.npz", "moved.npz")
    assert "1 in the store" in cli(against("moved.npz"))[2]
    assert protocols() == first
    published(x + 0.1, "moved.npz")
    assert cli(against("moved.npz"))[0] == 0
    assert len(protocols()) == 2
    assert cli("fake=fake --dataset folder:other --metric fid[pixels] --samples all")[0] == 0
    assert len(protocols()) == 3


def test_several_are_scored_at_once(fake: Values, cli) -> None:
    x = np.random.default_rng(3).uniform(0, 1, (500, 16))
    published(x, "a.npz")
    published(x / 2, "b.npz")
    metrics = "fid[pixels],fid[pixels,statistics=a.npz],fid[pixels,statistics=b.npz]"
    assert cli(f"fake=fake --dataset folder:other --metric '{metrics}' --samples all")[0] == 0
    assert len(set(read_csv(Path("results/leaderboard.csv"))["mean"])) == 3


def test_statistics_of_other_features_are_refused_in_words(fake: Values, cli) -> None:
    code, out, err = cli(against(published(np.random.default_rng(3).uniform(0, 1, (500, 20)))))
    assert code == 1
    told = " ".join((out + err).split())
    assert "statistics 'real.npz' are of 20 features, and pixels has 16; expected those of the same extractor" in told


def test_statistics_that_change_meanwhile_end_the_run(fake: Values, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(3).uniform(0, 1, (500, 16))
    published(x)
    execute = execution.execute

    def late(*args: Any) -> execution.Report:
        published(x + 1)
        return execute(*args)

    monkeypatch.setattr(execution, "execute", late)
    code, out, err = cli(against("real.npz"))
    assert (code, out) == (2, "")
    assert "real.npz changed while the run was going on; start the run again" in err


GOOD = {"mu": np.zeros(16), "sigma": np.eye(16)}


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"mu": np.zeros(16)}, "have no 'sigma' among ['mu']; expected mu and sigma, as pytorch-fid writes them"),
        ({**GOOD, "mu": np.zeros((16, 1))}, "have mu of shape (16, 1) and sigma of (16, 16); expected (d,) and (d, d)"),
        ({**GOOD, "sigma": np.eye(15)}, "have mu of shape (16,) and sigma of (15, 15); expected (d,) and (d, d)"),
        ({**GOOD, "sigma": np.full((16, 16), np.nan)}, "hold NaN or infinity; expected finite numbers"),
        ({**GOOD, "sigma": np.triu(np.ones((16, 16)))}, "have a sigma that is no covariance; expected a symmetric one"),
        (
            {**GOOD, "sigma": np.ones((16, 16)) - 0.05 * np.eye(16)},
            "have a sigma that is no covariance; expected a symmetric one, its eigenvalues not below 0",
        ),
        ({**GOOD, "sigma": -np.eye(16)}, "have a sigma that is no covariance; expected a symmetric one"),
        ({**GOOD, "mu": np.zeros(16, int)}, "are int64 and float64; expected floating point numbers"),
        ({**GOOD, "mu": np.array([{}], object)}, "cannot be read (Object arrays cannot be loaded"),
    ],
)
def test_a_file_that_holds_no_statistics_is_refused(arrays: dict[str, Any], expected: str, fake: Values, cli) -> None:
    np.savez("real.npz", **arrays)
    code, _, err = cli(against("real.npz"))
    assert (code, len(err.splitlines())) == (2, 1)
    assert f"statistics 'real.npz' {expected}" in err
    assert not Path("results").exists()


def test_no_file_and_no_archive_are_refused(fake: Values, cli) -> None:
    assert "fid: option statistics is nowhere.npz: there is no file /" in cli(against("nowhere.npz"))[2]
    Path("real.npz").write_bytes(b"no archive")
    assert "statistics 'real.npz' cannot be read (File is not a zip file)" in cli(against("real.npz"))[2]


def test_two_things_to_compare_with_are_refused(fake: Values, cli) -> None:
    published(np.random.default_rng(3).uniform(0, 1, (500, 16)))
    code, _, err = cli("fake=fake --dataset folder:other --metric 'fid[against=train,statistics=real.npz]'")
    assert code == 2
    assert "against=train and statistics; expected one of both" in err
