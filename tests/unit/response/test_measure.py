"""Damage that is what it says, and metrics that respond to it as they must."""

import csv
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genbench import leftovers
from genbench.api import Space, Split
from genbench.cli import main
from genbench.errors import RequestError
from genbench.response.damages import DAMAGES, Material, blur, copies, dropped_classes, fewer, moved_copies, noise
from genbench.response.measure import measure


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def material() -> Material:
    images = torch.rand(40, 1, 6, 5, generator=generator())
    return Material(Space((1, 6, 5), 4), Split(images[:24], torch.arange(24) % 4), images[24:], 12)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_without_damage_samples_are_the_fresh_images(damage, material: Material) -> None:
    x = damage.apply(material, 0.0, generator())
    assert len({tuple(image.flatten().tolist()) for image in x}) == len(x) == 12
    for image in x:
        assert any(torch.equal(image, fresh) for fresh in material.fresh.images)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_damage_stays_within_the_bounds_and_leaves_the_images_alone(damage, material: Material) -> None:
    before = material.fresh.images.clone(), material.train.clone()
    for level in damage.levels:
        x = damage.apply(material, level, generator())
        assert x.shape[1:] == (1, 6, 5)
        assert 0 <= x.min() <= x.max() <= 1
    assert torch.equal(material.fresh.images, before[0])
    assert torch.equal(material.train, before[1])


def test_noise_is_a_mixture(material: Material) -> None:
    plain, half, all_of_it = (noise(material, level, generator()) for level in (0.0, 0.5, 1.0))
    torch.testing.assert_close(half, (plain + all_of_it) / 2)
    assert (all_of_it - 0.5).abs().max() > 0.4


def test_blur_keeps_the_mean_of_a_point() -> None:
    point = torch.zeros(1, 1, 15, 15)
    point[0, 0, 7, 7] = 1
    material = Material(Space((1, 15, 15)), Split(point), point, 1)
    blurred = blur(material, 1.0, generator())
    assert blurred.sum().item() == pytest.approx(1, abs=1e-5)
    assert blurred[0, 0, 7, 8] / blurred[0, 0, 7, 7] == pytest.approx(torch.tensor(-0.5).exp().item(), rel=1e-4)


def test_dropped_classes_are_missing_and_the_number_stays(material: Material) -> None:
    labels = {tuple(x.flatten().tolist()): int(y) for x, y in zip(material.fresh.images, material.fresh.labels, strict=True)}  # fmt: skip
    x = dropped_classes(material, 0.5, generator())
    assert len(x) == 12
    assert {labels[tuple(image.flatten().tolist())] for image in x} == {2, 3}


def test_copies_are_of_training_images(material: Material) -> None:
    x = copies(material, 0.25, generator())
    seen = [any(torch.equal(image, train) for train in material.train) for image in x]
    assert sum(seen) == 3
    moved = moved_copies(material, 0.25, generator())
    torch.testing.assert_close(moved[:3, ..., 1:], x[:3, ..., :-1])
    assert torch.equal(moved[3:], x[3:])


def test_fewer_samples_are_fewer(material: Material) -> None:
    assert [len(fewer(material, level, generator())) for level in (0.0, 0.5, 0.9, 1.0)] == [12, 6, 1, 1]


def means(metric: str, damage: str) -> list[float]:
    found = measure(metric, draws=2)
    return [response.mean for response in found.responses if response.damage == damage]  # type: ignore[misc]


@pytest.mark.parametrize("metric", ["fid[pixels]", "parzen"])
def test_metrics_see_dropped_classes_and_not_copies(metric: str) -> None:
    found = measure(metric, draws=2)
    values = {name: [r.mean for r in found.responses if r.damage == name] for name in ("dropped classes", "copies")}
    sign = 1 if found.higher_is_better else -1
    dropped = [sign * value for value in values["dropped classes"]]  # type: ignore[operator]
    assert dropped[-1] == min(dropped)
    last, first = values["copies"][-1], values["copies"][0]
    assert abs(last - first) < abs(values["dropped classes"][-1] - first) / 2  # type: ignore[operator]


@pytest.mark.slow
def test_memorisation_sees_copies() -> None:
    z = means("memorisation[pixels]", "copies")
    assert z == sorted(z)
    assert abs(z[0]) < 3 < z[-1]


def test_the_command_writes_a_table_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["response", "precision[pixels]", "-o", str(tmp_path), "--draws", "2"]) == 0
    assert "precision[pixels] of damaged images of digits" in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "precision-pixels-digits.csv").read_text().splitlines()))
    assert {row["damage"] for row in rows} == {damage.name for damage in DAMAGES}
    assert all(row["draws"] == "2" for row in rows)
    assert (tmp_path / "precision-pixels-digits.png").read_bytes().startswith(b"\x89PNG")


def test_what_scores_nothing_is_refused() -> None:
    with pytest.raises(RequestError, match="jsd scores nothing on digits: .*density is not known"):
        measure("jsd", draws=2)
    with pytest.raises(RequestError, match="unknown metric 'nothing-like-it'"):
        measure("nothing-like-it", draws=2)


def without_labels(file: Path) -> str:
    x = np.random.default_rng(0).integers(0, 256, (150, 8, 8), np.uint8)
    np.savez(file, x_train=x[:60], x_valid=x[60:70], x_test=x[70:])
    return f"npz:{file}"


def test_a_metric_that_cannot_score_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = without_labels(Path("d.npz"))
    asked = ["jsd", "precision[pixels]", "nothing-like-it", "is", "recall[pixels]"]
    assert main(["response", *asked, "--dataset", dataset, "--draws", "2", "-o", "out"]) == 2
    out, err = capsys.readouterr()
    for name in ("precision", "recall"):
        assert f"{name}[pixels] of damaged images of {dataset}" in out
    assert {file.suffix for file in Path("out").iterdir()} == {".csv", ".png"}
    assert len(list(Path("out").iterdir())) == 4
    complaints = [line for line in err.splitlines() if line.startswith("genbench: ")]
    assert len(err.splitlines()) == 2 + len(complaints)
    begun = ("jsd scores nothing", "unknown metric 'nothing-like-it'", "is scores nothing")
    assert [line.startswith(f"genbench: {begin}") for line, begin in zip(complaints, begun, strict=True)] == [True] * 3


def test_what_is_wrong_with_the_data_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["response", "fid", "parzen", "--dataset", "nothing-like-it"]) == 2
    assert capsys.readouterr().err.count("unknown dataset 'nothing-like-it'") == 1


def test_debugging_stops_at_the_first_refusal() -> None:
    with pytest.raises(RequestError, match="jsd scores nothing on digits"):
        main(["response", "jsd", "parzen", "--draws", "2", "--debug"])


@pytest.mark.parametrize("arguments", [[], ["--draws", "1", "fid"]])
def test_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["response", *arguments]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def written(folder: Path, draws: int, kill_at: int = 0) -> int:
    """Calibrate in a forked process, killed at its n-th change in the folder; return its exit code."""
    child = os.fork()
    if child == 0:
        seen = 0

        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            if event in ("os.rename", "os.remove", "os.chmod", "os.mkdir", "open") and str(folder) in str(arguments[0]):
                seen += 1
                if seen == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(audit)
        code = 1
        try:
            code = main(["response", "mode-coverage", "-o", str(folder), "--draws", str(draws)])
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.slow
def test_a_kill_at_any_change_leaves_table_and_picture_old_or_new(tmp_path: Path) -> None:
    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in tmp_path.iterdir() if not leftovers.is_aside(path)}

    assert written(tmp_path, 2) == 0
    old = contents()
    assert written(tmp_path, 3) == 0
    new = contents()
    assert old.keys() == new.keys()
    assert len(old) == 2
    for number in range(1, 100):
        for name, content in old.items():
            (tmp_path / name).write_bytes(content)
        code = written(tmp_path, 3, number)
        assert all(content in (old[name], new[name]) for name, content in contents().items())
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert number > 10
    assert contents() == new


def test_the_former_name_of_the_command_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "precision[pixels]", "-o", str(tmp_path), "--draws", "2"]) == 0
    assert list(tmp_path.glob("*.csv"))
    assert main(["--help"]) == 0
    assert "calibrate" not in capsys.readouterr().out.split("Commands:")[1]
