"""Images made elsewhere: scored exactly as a model's, their files as seeds, and every fault refused in one line."""

import io
import os
import pickle
import shlex
import struct
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from given_images import noise, save
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file
from torch import Tensor

import genbench
from genbench.api import Space
from genbench.cli import main
from genbench.data import arrays, file_state, image_files, images
from genbench.data.cache import prepare
from genbench.data.file_state import state
from genbench.data.given import GivenImages
from genbench.data.images import opened
from genbench.data.resizing import resized
from genbench.errors import ChangedError, DataError, RequestError, Unsupported
from genbench.output.tables_csv import read_csv
from genbench.trial import sampling, stored_samples
from genbench.trial.sources import check_seeds_differ
from genbench_plugins.datasets.digits import Digits

DIGITS = Space((1, 8, 8), 10)

COPIER = """
import genbench
from dataclasses import dataclass

@dataclass(eq=False)
class Copier(genbench.Model):
    sample_batch = 400

    def build(self, space, device):
        self.space = space

    def fit(self, data, run):
        self.images_ = data.train.images[:400]

    def sample(self, n, generator):
        return self.images_[:n]
"""


@pytest.fixture
def cli(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function that evaluates in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(line: str, command: str = "evaluate") -> tuple[int, str, str]:
        quick = " --metric brightness --reference none" if command == "evaluate" and "--metric" not in line else ""
        code = main([command, *shlex.split(line + quick)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def values(results: str = "results") -> dict[tuple[str, int], float]:
    """Return the stored values by model and seed."""
    frame = read_csv(Path(results) / "trials.csv")
    return {(row.model, row.seed): row.value for row in frame.itertuples()}


# Scores


def test_images_score_exactly_as_a_model_that_samples_them(cli) -> None:
    real = prepare(Digits(), {"name": "digits", "evaluate": "test"}).split("train").images[:400].numpy()
    save("here.npz", real)
    save("real.npz", real[np.argsort(opened(Path("here.npz"), DIGITS).order)])  # so that they are taken in this order
    Path("copier.py").write_text(COPIER)
    asked = "--metric parzen,brightness --samples 400 --reference none --results"
    assert cli(f"--models ./copier.py:Copier --seeds 1 {asked} trained", "run")[0] == 0
    code, out, _ = cli(f"real=real.npz {asked} given")
    assert code == 0
    trained, given = read_csv(Path("trained/leaderboard.csv")), read_csv(Path("given/leaderboard.csv"))
    assert "Parzen log-likelihood on digits" in out
    assert list(given["model"]) == ["real", "real"]
    for column in ("metric", "mean", "stderr_examples", "protocol_id", "protocol", "samples", "dataset_digest"):
        assert list(given[column]) == list(trained[column]), column


def test_files_are_seeds_and_are_ranked(cli) -> None:
    for seed in range(3):
        save(f"dark{seed}.npz", noise(500, seed=seed) // 2)
        save(f"light{seed}.npz", noise(500, seed=seed))
    code, out, err = cli("'ours=dark*.npz' theirs=light0.npz,light1.npz,light2.npz --samples-are ours=draws")
    assert code == 0
    rows = read_csv(Path("results/leaderboard.csv")).set_index("model")
    assert list(rows["rank_low"]) == list(rows["rank_high"]) == [1, 2]
    assert list(rows["seeds_done"]) == list(rows["seeds_planned"]) == [3, 3]
    assert list(rows["samples_are"]) == ["draws", "not said"]
    assert rows["fit_seconds"].isna().all()
    assert rows["sample_seconds"].isna().all()
    assert rows["parameters"].isna().all()
    assert values()["ours", 1] == pytest.approx((noise(500, seed=1) // 2).mean() / 255, abs=1e-6)
    assert "6 trials: ours (3), theirs (3) x seeds 0 1 2; 0 in the store" in err
    assert "not said" in out


def test_sources_of_one_file_and_of_several_stand_together(cli) -> None:
    for seed in range(2):
        save(f"a{seed}.npz", noise(500, seed=seed))
    save("b.npz", noise(500, seed=7))
    code, out, _ = cli("ours=a0.npz,a1.npz theirs=b.npz")
    assert code == 0
    assert " 2/2 " in out
    assert " 1/1 " in out
    words = "One seed: no error over seeds, no interval, no rank. Give 3 files or more for each name."
    assert words in cli("theirs=b.npz")[1]


def test_references_are_shown_by_default_with_as_many_seeds(cli) -> None:
    save("a0.npz", noise(500))
    save("a1.npz", noise(500, seed=1))
    code, out, err = cli("ours=a0.npz,a1.npz --metric brightness")
    assert code == 0
    assert "10 trials: ours (2) and 4 references x seeds 0 1" in err
    assert "train-data" in out
    assert "! ours" not in out.split("Protocol")[0]


def test_a_second_call_does_nothing_and_a_metric_added_later_needs_no_more_files(cli) -> None:
    save("a.npz", noise(600))
    first = cli("ours=a.npz")[1]
    code, again, err = cli("ours=a.npz")
    assert code == 0
    assert "1 in the store" in err
    assert again.splitlines()[:5] == first.splitlines()[:5]
    assert "1 done in" in first
    assert "0 done in" in again
    assert cli("ours=a.npz --metric brightness,parzen[samples=300] --reference none")[0] == 0
    assert len(list(Path("results/trials").iterdir())) == 1


def test_a_changed_file_is_a_new_trial_and_a_moved_one_is_not(cli) -> None:
    save("a.npz", noise(500))
    cli("ours=a.npz")
    Path("a.npz").rename("moved.npz")
    assert "1 in the store" in cli("ours=moved.npz")[2]
    save("a.npz", noise(500) // 2)
    code, out, err = cli("ours=a.npz")
    assert code == 0
    assert "0 in the store" in err
    assert " ours " in out, "what is asked for stands alone"
    shown = cli("", "leaderboard")[1]
    models = list(read_csv(Path("results/leaderboard.csv"))["model"])
    assert all(model.startswith("ours ") and model in shown for model in models)
    assert len(set(models)) == 2


def test_they_stand_beside_trained_models(cli) -> None:
    save("a.npz", noise(500))
    cli("--models toy --metric brightness --reference none --seeds 2", "run")
    cli("ours=a.npz")
    rows = read_csv(Path("results/leaderboard.csv"))
    assert set(rows["model"]) == {"toy", "ours"}
    assert rows["protocol_id"].nunique() == 1
    out = cli("", "leaderboard")[1]
    assert out.count("Protocol brightness") == 1
    assert "ours" not in cli("--table capabilities", "leaderboard")[1]


def test_the_python_interface_takes_paths(cli, tmp_path: Path) -> None:
    save("a0.npz", noise(500))
    save("a1.npz", noise(500, seed=1))
    given: Any = {"ours": [tmp_path / "a0.npz", "a1.npz"], "theirs": tmp_path / "a0.npz"}
    report = genbench.evaluate(given, metrics="brightness", datasets="digits", reference="none", samples_are="means")
    frame = report.leaderboard.set_index("model")
    assert list(frame["seeds_done"][["ours", "theirs"]]) == [2, 1]
    assert set(frame["samples_are"]) == {"means"}


@pytest.mark.slow
def test_processes_score_the_same(cli) -> None:
    for seed in range(2):
        save(f"a{seed}.npz", noise(500, seed=seed))
    cli("ours=a0.npz,a1.npz --results one")
    assert cli("ours=a0.npz,a1.npz --results two --engine process --jobs 2")[0] == 0
    assert values("one") == values("two")


def test_metrics_that_need_the_model_are_refused_with_their_reason(cli) -> None:
    save("a.npz", np.zeros((600, 1, 1, 1), np.float32))
    code, out, _ = cli("ours=a.npz --dataset gaussian1d --metric discriminator-gap --reference none")
    assert code == 0
    assert "skipped" in out


# Where the images are


@pytest.mark.parametrize("layout", ["nchw", "nhw", "nhwc"])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", ">f8"])
@pytest.mark.parametrize("suffix", ["npz", "npy", "safetensors"])
def test_arrays_are_read_as_they_are_meant(suffix: str, dtype: str, layout: str, tmp_path: Path) -> None:
    channels = 3 if layout != "nhw" else 1
    x = noise(30, channels, 4, 5)
    meant = x / np.float32(255)
    stored = {"nchw": x, "nhw": x[:, 0], "nhwc": np.ascontiguousarray(x.transpose(0, 2, 3, 1))}[layout]
    if dtype != "uint8":
        stored = (stored / np.float32(255)).astype(
            dtype if suffix != "safetensors" else dtype.replace(">f8", "float64")
        )
        meant = (x / np.float32(255)).astype(dtype).astype(np.float32)
    path = tmp_path / f"a.{suffix}"
    if suffix == "npz":
        np.savez_compressed(path, labels=np.arange(30), images=stored)
    elif suffix == "npy":
        np.save(path, stored)
    else:
        save_file({"images": stored}, path)
    images = opened(path, Space((channels, 4, 5)))
    assert images.count == 30
    assert ("(n, H, W, C)" in images.note) == (layout == "nhwc")
    for start, stop in [(0, 7), (7, 30), (25, 99), (3, 4)]:
        found = images.read(start, stop)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, meant[images.order[start:stop]])


def pictures(folder: str, images: NDArray[np.uint8], mode: str = "L") -> None:
    Path(folder).mkdir()
    for row, image in enumerate(images):
        Image.fromarray(image[0]).convert(mode).save(f"{folder}/{row:04d}.png")


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_folder_scores_as_the_array_of_its_pictures(mode: str, cli) -> None:
    pictures("p", noise(60), mode)
    save("a.npz", noise(60))
    code, out, err = cli("folder=p/ array=a.npz")
    assert code == 0
    assert values()["folder", 0] == values()["array", 0]
    assert "brightness: 60 samples in place of 500" in err
    assert "brightness[samples=60]" in out
    assert "1 in the store" in cli("folder=p --metric brightness --reference none")[2]


def test_images_in_one_class_folder_are_scored_as_without_it(cli) -> None:
    """One class is no label: all would cover all modes, by a classifier that knows nothing."""
    pictures("p", noise(200))
    Path("one").mkdir()
    os.rename("p", "one/aligned")
    save("a.npz", noise(60, seed=1))
    code, out, err = cli("ours=a.npz --dataset folder:one --metric fid,mode-coverage --reference none")
    assert code == 0
    assert "folder:one: all images are of one class, which tells nothing: they count as without labels" in err
    assert "features of random" in out
    assert "ours s0 skipped: it needs a classifier of the dataset's own classes" in " ".join(out.split())


def test_only_batches_with_images_asked_for_are_read(cli) -> None:
    pictures("p", noise(1010))
    damaged = opened(Path("p"), DIGITS).files(1007, 1008)[0]
    damaged.write_bytes(b"no picture")
    assert cli("ours=p --samples 1000")[0] == 0
    code, _, err = cli("ours=p --samples 1001")
    assert code == 2
    assert f"'{damaged}': not a readable image" in err


@pytest.mark.parametrize("kind", ["npz", "npy", "safetensors", "folder"])
def test_a_random_choice_is_taken_of_images_in_class_order(kind: str, cli) -> None:
    """Half of the images are black and half white, in this order: the first hundred would be black alone."""
    x = np.repeat(np.array([0, 255], np.uint8), 500)[:, None, None, None] * np.ones((1, 1, 8, 8), np.uint8)
    {
        "npz": lambda: np.savez_compressed("a.npz", images=x),
        "npy": lambda: np.save("a.npy", x),
        "safetensors": lambda: save_file({"images": x}, "a.safetensors"),
        "folder": lambda: pictures("a", x),
    }[kind]()
    code, out, _ = cli(
        f"ours=a{'' if kind == 'folder' else f'.{kind}'} --metric brightness --samples 100 --reference none"
    )
    assert code == 0
    assert values()["ours", 0] == pytest.approx(0.5, abs=0.2)
    assert "ours: 100 of 1,000 images, chosen at random, always the same." in out


def test_it_does_not_say_so_where_all_are_scored(cli) -> None:
    save("a.npz", noise(500))
    assert "chosen at random" not in cli("ours=a.npz")[1]


def test_fewer_images_are_a_part_of_more_whatever_is_asked_for(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", noise(300))
    images = opened(tmp_path / "a.npy", DIGITS)
    assert sorted(images.order) == list(range(300))
    assert np.array_equal(images.read(0, 300)[:20], images.read(0, 20))
    assert np.array_equal(opened(tmp_path / "a.npy", DIGITS).read(0, 20), images.read(0, 20))


def test_scores_of_the_first_images_are_not_taken_for_those_of_a_random_choice(
    cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    save("a.npz", noise(1000))
    with monkeypatch.context() as before:
        before.setattr(GivenImages, "version", 1)
        before.setattr(images.Images, "order", property(lambda self: np.arange(self.count)))
        assert cli("ours=a.npz")[0] == 0
    assert values()["ours", 0] == pytest.approx(noise(1000)[:500].mean() / 255, abs=1e-6)
    code, _, err = cli("ours=a.npz")
    assert (code, err.count("0 in the store")) == (0, 1)
    frame = read_csv(Path("results/leaderboard.csv"))
    chosen = opened(Path("a.npz"), DIGITS).read(0, 500).mean()
    assert chosen == pytest.approx(frame[frame["model"].str.startswith("ours")]["mean"].iloc[-1], abs=1e-6)


def test_more_than_a_batch_and_no_whole_number_of_them(cli) -> None:
    save("a.npz", noise(1203))
    assert cli("ours=a.npz --samples 1203")[0] == 0
    assert values()["ours", 0] == pytest.approx(noise(1203).mean() / 255, abs=1e-6)
    drawn = next(Path("results/trials").glob("*/samples/*.safetensors"))
    assert sampling.load_shards([drawn]).shape == (1203, 1, 8, 8)


def test_features_are_taken_batch_by_batch_of_more_images_than_are_held(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images are committed in portions, and read again by few: none of it grows with how many there are."""
    save("a.npz", noise(2300))
    assert cli("ours=a.npz --metric fid[random],is[domain] --samples 2300 --reference none --results whole")[0] == 0
    spans: list[int] = []
    load = sampling.load_shards

    def spy(paths: Iterable[Path], start: int = 0, stop: int | None = None) -> Tensor:
        assert stop is not None
        spans.append(stop - start)
        return load(paths, start, stop)

    monkeypatch.setattr(sampling, "load_shards", spy)
    monkeypatch.setattr(stored_samples, "PORTION", 1000 * 64)
    assert cli("ours=a.npz --metric fid[random],is[domain] --samples 2300 --reference none")[0] == 0
    assert spans == [500, 500, 500, 500, 300] * 4, "for two extractors, for the scale of images and for copies"
    assert len(list(Path("results/trials").glob("ours*/samples/*.safetensors"))) == 3
    assert list(values()) == [("ours", 0)]
    whole, parts = (read_csv(Path(folder, "trials.csv"))["value"] for folder in ("whole", "results"))
    assert list(whole) == list(parts)


def test_weights_that_no_extractor_takes_are_refused(cli) -> None:
    save("a.npz", noise(60))
    code, _, err = cli("ours=a.npz --metric fid --weights w.pth")
    assert code == 2
    takers = "clip or dinov2 or inception or vgg16"
    assert f"--weights: no extractor of this run takes it; expected a metric of {takers}" in err


def test_weights_are_those_of_the_extractors_that_take_them(cli) -> None:
    save("a.npz", noise(60))
    Path("w.pth").write_bytes(b"not weights")
    asked = "ours=a.npz --metric fid[inception],kid[random] --weights w.pth --reference none"
    assert cli(f"{asked} --dry-run")[0] == 0
    code, out, _ = cli(asked)
    assert code == 1
    assert 'fid["inception[weights=w.pth]"' in out.replace("\n", "")
    assert "kid[random" in out


def test_values_within_the_bounds_of_the_dataset(cli) -> None:
    x = np.random.default_rng(0).normal(0, 1, (400, 1)).clip(-3, 3)
    save("a.npz", x[:, None].astype(np.float32))
    assert cli("ours=a.npz --dataset gaussian1d --metric jsd[samples=400] --reference none")[0] == 0
    save("a.npz", noise(400, 1, 1))
    code, _, err = cli("ours=a.npz --dataset gaussian1d --metric jsd[samples=400] --reference none")
    assert code == 2
    assert "it holds uint8; expected floats from" in err


# Counts


def test_a_default_count_gives_way_to_the_smallest_source(cli) -> None:
    save("a.npz", noise(700))
    save("b.npz", noise(450, seed=1))
    code, _, err = cli("ours=a.npz theirs=b.npz")
    assert code == 0
    assert "brightness: 450 samples in place of 500, for theirs (b.npz) has no more" in err
    assert list(read_csv(Path("results/leaderboard.csv"))["samples"]) == [450, 450]
    assert "in place of" not in cli("ours=a.npz")[2]


@pytest.mark.parametrize("asked", ["--samples 500", "--metric brightness[samples=500]", "--set brightness.samples=500"])
def test_a_count_that_was_named_does_not(asked: str, cli) -> None:
    save("a.npz", noise(450))
    metric = "" if "--metric" in asked else "--metric brightness"
    code, _, err = cli(f"ours=a.npz {asked} {metric} --reference none")
    assert code == 2
    assert " asks for 500 samples, and ours (a.npz) has 450 images; expected as many: give --samples 450" in err
    assert err.startswith(f"genbench: brightness{'' if '--samples' in asked else '[samples=500]'} asks")
    assert not Path("results").exists()


def test_a_single_image_is_refused_in_words(cli) -> None:
    save("a.npz", noise(1))
    code, _, err = cli("ours=a.npz --metric fid --reference none")
    assert code == 2
    assert "fid cannot score ours (a.npz), which has 1 image: expected more" in err
    assert not Path("results").exists()


def test_a_metric_that_asks_for_more_than_it_says_fails_alone(cli) -> None:
    save("a.npz", noise(20))
    model = model_of("a.npz")
    assert len(model.given(10, 99)) == 10
    with pytest.raises(Unsupported, match="20 images were given, and more are asked for"):
        model.given(20, 30)


def model_of(path: str) -> GivenImages:
    """Return what stands in a model's place for images that were just planned."""
    model = GivenImages(path=path, state=state(Path(path)))
    model.build(DIGITS, torch.device("cpu"))
    return model


def test_a_folder_is_listed_no_more_often_for_more_batches(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures("p", noise(40))
    looked, listings = [], []
    stamp, entries = file_state._stamp, image_files.entries
    monkeypatch.setattr(file_state, "_stamp", lambda file: looked.append(file) or stamp(file))
    monkeypatch.setattr(image_files, "entries", lambda path: listings.append(path) or entries(path))
    counts = []
    for batch in (40, 1):
        model = model_of("p")
        looked.clear()
        listings.clear()
        for start in range(0, 40, batch):
            model.given(start, start + batch)
        counts.append((len(listings), len(looked)))
    assert counts[0] == counts[1]
    assert counts[1][1] <= 2 * 40, "each file at first, and once as it is read"


@pytest.mark.parametrize("how", ["changes", "goes", "is replaced before"])
def test_a_picture_that_changes_between_batches_is_noticed_with_its_batch(how: str, cli) -> None:
    pictures("p", noise(6))
    model = model_of("p")
    later = opened(Path("p"), DIGITS).files(4, 5)[0]
    if how != "is replaced before":
        assert len(model.given(0, 3)) == 3
    later.unlink()
    if how != "goes":
        Image.fromarray(noise(1, seed=5)[0, 0]).save(later)
    with pytest.raises(ChangedError, match="It was there when" if how == "goes" else "changed while the run"):
        model.given(3, 6)


# Refusals: one line each, exit code 2, and no results


def bomb() -> None:
    """Write an archive that says it unpacks to more than may be, in a few bytes."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (99, 1, 8, 8), }\n"
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31) + header)


def truncated() -> None:
    np.save("a.npy", noise(30))
    Path("a.npy").write_bytes(Path("a.npy").read_bytes()[:-100])


def headed(shape: str) -> None:
    """Write an array whose header says a shape that none has."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    Path("a.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64))


def objects() -> None:
    np.savez("a.npz", images=np.array([{"a": 1}], dtype=object))


def nested() -> None:
    Path("p/inner").mkdir(parents=True)


def in_itself() -> None:
    nested()
    Path("p/inner/again").symlink_to("..")


def links_nowhere() -> None:
    Path("p").mkdir()
    Path("p/a.png").symlink_to("nowhere.png")


def safetensors_garbage() -> None:
    Path("a.safetensors").write_bytes(b"\xff" * 100)


def brain_floats() -> None:
    from safetensors.torch import save_file as save_torch

    save_torch({"images": torch.zeros(30, 1, 8, 8, dtype=torch.bfloat16)}, "a.safetensors")


def spoilt(value: float) -> NDArray[np.float32]:
    x = noise(40) / np.float32(255)
    x[33, 0, 2, 1] = value
    return x


FILES: dict[str, tuple[Any, str, str]] = {
    "missing": (lambda: None, "ours=nowhere.npz", "'nowhere.npz': there is no such file or folder; expected .npz"),
    "no match": (lambda: None, "'ours=runs/*.npz'", "ours: nothing matches 'runs/*.npz'"),
    "empty folder": (lambda: Path("p").mkdir(), "ours=p", "'p': no images in it; expected files ending in .png"),
    "folders without images": (nested, "ours=p", "'p': no images in it; expected files ending in .png"),
    "folder in itself": (in_itself, "ours=p", "'p/inner/again': it is a link to a folder that it lies in; remove it"),
    "dangling link": (links_nowhere, "ours=p", "'p/a.png': it is a link to what is not there; mend it"),
    "dangling link to a file": (
        lambda: Path("a.npz").symlink_to("nowhere.npz"),
        "ours=a.npz",
        "'a.npz': it is a link to what is not there",
    ),
    "pipe": (lambda: os.mkfifo("a.npz"), "ours=a.npz", "'a.npz': it is no plain file; expected .npz"),
    "device": (lambda: None, "ours=/dev/zero", "'/dev/zero': it is no plain file"),
    "empty file": (lambda: Path("a.npz").touch(), "ours=a.npz", "'a.npz': it is empty"),
    "no archive": (
        lambda: Path("a.npz").write_text("x"),
        "ours=a.npz",
        "it cannot be read: File is not a zip file; write",
    ),
    "no array": (lambda: Path("a.npy").write_text("xx"), "ours=a.npy", "'a.npy': it cannot be read"),
    "no tensors": (safetensors_garbage, "ours=a.safetensors", "'a.safetensors': it cannot be read"),
    "kind": (lambda: Path("a.png").write_text("x"), "ours=a.png", "'a.png': no file of images; expected .npz, .npy"),
    "pickle": (
        lambda: Path("a.pt").write_bytes(pickle.dumps(1)),
        "ours=a.pt",
        "Pickles are not opened: they can run code",
    ),
    "objects": (
        objects,
        "ours=a.npz",
        "images holds Python objects (dtype object); save plain arrays; pickles are not",
    ),
    "key": (lambda: np.savez("a.npz", image=noise(9)), "ours=a.npz", "it has no array 'images' among: image; save the"),
    "keys": (lambda: np.savez("a.npz", x=noise(9), y=1), "ours=a.npz", "it has no array 'images' among: x, y"),
    "tensor key": (lambda: save_file({"x": noise(9)}, "a.safetensors"), "ours=a.safetensors", "'images' among: x"),
    "int64": (
        lambda: save("a", noise(9).astype(int)),
        "ours=a.npz",
        "dtype int64; expected uint8 (0 to 255) or floats",
    ),
    "bool": (lambda: save("a", noise(9) > 9), "ours=a.npz", "dtype bool; expected uint8 (0 to 255) or floats"),
    "bfloat16": (brain_floats, "ours=a.safetensors", "dtype BF16; expected uint8 (0 to 255) or floats"),
    "complex": (lambda: save("a", noise(9) * 1j), "ours=a.npz", "dtype complex128; expected"),
    "nan": (
        lambda: save("a", spoilt(np.nan)),
        "ours=a.npz",
        "image 33 holds NaN or infinity; expected floats from 0 to 1",
    ),
    "-1 to 1": (lambda: save("a", spoilt(-1)), "ours=a.npz", "if they go from -1 to 1, save (x + 1) / 2"),
    "to 255": (lambda: save("a", noise(40) * 1.0), "ours=a.npz", "divide by 255, or save uint8"),
    "shape": (
        lambda: save("a", noise(9, 1, 28, 28)),
        "ours=a.npz",
        "it has shape (9, 1, 28, 28); expected (n, 8, 8) or",
    ),
    "colour": (
        lambda: save("a", noise(9, 3, 8, 8)),
        "ours=a.npz",
        "expected (n, 8, 8) or (n, 1, 8, 8) or (n, 8, 8, 1)",
    ),
    "flat": (lambda: save("a", noise(9, 64)), "ours=a.npz", "it has shape (9, 64); expected (n, 8, 8)"),
    "none": (lambda: save("a", noise(0, 1, 8, 8)), "ours=a.npz", "it has shape (0, 1, 8, 8); expected"),
    "scalar": (lambda: save("a", np.uint8(3)), "ours=a.npz", "it has shape (); expected"),
    "columns": (
        lambda: save("a", np.asfortranarray(noise(9, 8, 8))),
        "ours=a.npz",
        "images is stored by columns; save",
    ),
    "truncated": (truncated, "ours=a.npy", "the array says 1920 bytes and holds"),
    "negative shape": (
        lambda: headed("(-1, 8, 8)"),
        "ours=a.npy",
        "'a.npy': the array has a damaged header, with shape (-1, 8, 8); write it again",
    ),
    "boolean shape": (lambda: headed("(True, 8, 8)"), "ours=a.npy", "a damaged header, with shape (True, 8, 8)"),
    "long header": (bomb, "ours=a.npz", "its header says 2147483648 bytes"),
    "picture size": (lambda: pictures("p", noise(3, 1, 9, 8)), "ours=p", "'p/0000.png': it is 8x9; expected 8x8"),
    "other suffix": (lambda: Path("a").write_text("x"), "ours=a", "'a': no file of images"),
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_are_refused(case: str, cli) -> None:
    make, line, expected = FILES[case]
    make()
    code, out, err = cli(line)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert expected in err
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "no images given; expected NAME=PATH"),
        ("a.npz", "'a.npz' has no name; expected NAME=PATH"),
        ("ours=", "ours: no path given"),
        ("Ours=a.npz", "name 'Ours': expected small letters"),
        ("=a.npz", "name '': expected small letters"),
        ("nan=a.npz", "name 'nan': expected small letters"),
        ("vae=a.npz", "name 'vae' is that of a model; expected one of your own, as in my-vae="),
        ("toy=a.npz", "name 'toy' is that of a model"),
        ("ours=a.npz ours=b.npz", "ours is given twice"),
        ("ours=a.npz,a.npz", "ours: a.npz holds the same as a.npz; expected images of another seed"),
        ("ours=a.npz,copy.npz", "ours: copy.npz holds the same as a.npz"),
        ("ours=a.npz --samples-are photographs", "samples of ours are 'photographs'; expected one of: draws"),
        ("ours=a.npz --samples-are their=draws", "unknown source of images 'their'"),
        ("ours=a.npz --samples-are draws --samples-are means", "--samples-are is given several times"),
        ("ours=a.npz --dataset nothing", "unknown dataset 'nothing'"),
        ("ours=a.npz --set gan.lr=1", "options are set for 'gan', which is not in this run"),
        ("ours=a.npz --size 9", "'a.npz': size 9 is asked for; expected the dataset's, 8x8"),
    ],
)
def test_requests_that_are_refused(line: str, expected: str, cli) -> None:
    save("a.npz", noise(500))
    Path("copy.npz").write_bytes(Path("a.npz").read_bytes())
    code, out, err = cli(line)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert expected in err
    assert not Path("results").exists()


def same_as_float(dtype: str) -> None:
    np.save("b.npy", (noise(40) / np.float64(255)).astype(dtype))


def same_in_colour() -> None:
    pictures("b", noise(40))
    pictures("c", noise(40), "RGB")


def same_in_another_order(suffix: str) -> None:
    mixed = noise(40)[np.random.default_rng(1).permutation(40)]
    if suffix == "npy":
        np.save("b.npy", (mixed / 255).astype(np.float32))
    else:
        pictures("b", mixed)


SAME: dict[str, tuple[Any, str, str]] = {
    "float16": (lambda: same_as_float("float16"), "a.npz,b.npy", "images of b.npy are all in a.npz"),
    "float32": (lambda: same_as_float("float32"), "a.npz,b.npy", "images of b.npy are all in a.npz"),
    "float64": (lambda: same_as_float("float64"), "a.npz,b.npy", "images of b.npy are all in a.npz"),
    "layout": (lambda: save("b", noise(40)[:, 0]), "a.npz,b.npz", "images of b.npz are all in a.npz"),
    "fewer": (lambda: save("b", noise(40)[:39]), "a.npz,b.npz", "images of b.npz are all in a.npz"),
    "more": (lambda: save("b", noise(41)), "a.npz,b.npz", "images of a.npz are all in b.npz"),
    "one": (lambda: save("b", noise(40)[7:8]), "a.npz,b.npz", "images of b.npz are all in a.npz"),
    "pictures": (same_in_colour, "b,c", "images of c are all in b"),
    "order": (lambda: same_in_another_order("npy"), "a.npz,b.npy", "images of b.npy are all in a.npz"),
    "order of pictures": (lambda: same_in_another_order("png"), "a.npz,b", "images of b are all in a.npz"),
    "not beside it": (
        lambda: (save("b", noise(40, seed=1)), save("c", noise(40)[:30])),
        "a.npz,b.npz,c.npz",
        "images of c.npz are all in a.npz",
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_images_stored_otherwise_are_no_other_seed(case: str, cli) -> None:
    make, paths, expected = SAME[case]
    save("a.npz", noise(40))
    make()
    code, out, err = cli(f"ours={paths}")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert f"ours: the {expected}" in err
    assert "expected images of another seed in each, since their spread is taken for an error" in err
    assert not list(Path().glob("results/trials/*"))


def test_the_same_images_stored_otherwise_are_refused_beside_stored_ones(cli) -> None:
    save("a.npz", noise(40))
    assert cli("ours=a.npz")[0] == 0
    save("b.npz", noise(40)[:39])
    assert cli("ours=a.npz,b.npz")[0] == 2


def test_seeds_that_share_some_images_pass(cli) -> None:
    x, y = noise(40), noise(40, seed=1)
    y[:39] = x[:39]
    save("a.npz", x)
    save("b.npz", y)
    assert cli("ours=a.npz,b.npz theirs=a.npz")[0] == 0, "another name may hold the same"


def test_numbers_that_are_near_each_other_are_not_the_same() -> None:
    """Of one pixel within bounds of its own, thousands lie within a step of 8 bits."""
    line = Space((1, 1, 1), None, (-6.0, 6.0))
    draw = np.random.default_rng(0).standard_normal((2, 20_000, 1, 1, 1)).clip(-6, 6).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        for row in range(2):
            np.save(f"{folder}/{row}.npy", draw[row, : 20_000 if row else 20])
        check_seeds_differ("ours", [opened(Path(folder, f"{row}.npy"), line) for row in range(2)])


def test_an_archive_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((40_000, 1, 8, 8), np.uint8))
    assert (tmp_path / "a.npz").stat().st_size < 10_000
    monkeypatch.setattr(arrays, "MOST_MIB", 2)
    with pytest.raises(DataError, match="it unpacks to 2 MiB; expected at most 2: save fewer images"):
        opened(tmp_path / "a.npz", DIGITS)


def test_no_room_to_unpack_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(str(tmp_path / "a.npz"), noise(20_000))
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: io.FileIO("/dev/full", "w+"))
    with pytest.raises(
        DataError, match="there is no room to unpack it; make room in .*, name another folder by TMPDIR"
    ):
        opened(tmp_path / "a.npz", DIGITS).read(0, 10)


def test_colour_is_asked_for_of_pictures_too(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    pictures("grey", noise(2))
    with pytest.raises(DataError, match="it is grey; expected colour, as the dataset has"):
        opened(Path("grey"), Space((3, 8, 8))).check(1)
    Path("colours").mkdir()
    Image.fromarray(noise(1, 8, 8, 3)[0]).save("colours/a.png")
    assert opened(Path("colours"), Space((3, 8, 8))).read(0, 9).shape == (1, 3, 8, 8)
    with pytest.raises(DataError, match="it is in colour; expected grey, as the dataset has"):
        opened(Path("colours"), DIGITS).check(1)


@pytest.mark.parametrize("how", ["changes", "goes"])
def test_a_file_that_changes_while_it_is_scored(how: str, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from genbench.runs import execution

    save("a.npz", noise(500))
    execute = execution.execute

    def late(*args: Any) -> execution.Report:
        save("a.npz", noise(500, seed=2)) if how == "changes" else Path("a.npz").unlink()
        return execute(*args)

    monkeypatch.setattr(execution, "execute", late)
    code, out, err = cli("ours=a.npz")
    assert (code, out) == (2, "")
    told = "changed while the run was going on" if how == "changes" else "It was there when the run was planned"
    assert told in err.splitlines()[-1]
    assert list(Path("results").glob("trials/*/samples/*")) == []


def test_its_samples_can_be_drawn_as_a_figure(cli) -> None:
    save("a.npz", noise(500))
    cli("ours=a.npz")
    code, out, err = cli("ours --kind samples", "figures")
    assert code == 0, err
    assert "figures/ours-digits-s0-samples.png" in out


def test_requests_in_python_are_checked_too() -> None:
    with pytest.raises(RequestError, match="no images given"):
        genbench.evaluate({})
    with pytest.raises(RequestError, match="--timeout -1: expected a number of seconds"):
        genbench.evaluate({"ours": "a.npz"}, timeout=-1)


# What others call their arrays


def test_arrays_without_a_name_and_those_of_medmnist_are_taken_and_told(cli) -> None:
    np.savez("samples.npz", noise(300, 8, 8, 1), np.zeros(300))
    np.savez("alone.npz", noise(300, seed=1))
    np.savez("med.npz", train_images=noise(400, 8, 8, seed=2), test_images=noise(350, 8, 8, seed=3), test_labels=[0])
    code, _, err = cli("guided=samples.npz alone=alone.npz med=med.npz")
    assert code == 0
    arrays = "of its arrays (arr_0, arr_1) arr_0 is taken; shape (300, 8, 8, 1) is taken as (n, H, W, C)"
    assert f"guided: 'samples.npz': {arrays}\n" in err
    assert "med: 'med.npz': of its arrays (test_images, test_labels, train_images) test_images is taken\n" in err
    assert "alone: " not in err
    for name, seed, shape in (("guided", 0, (300, 8, 8, 1)), ("alone", 1, (300, 1, 8, 8)), ("med", 3, (350, 8, 8))):
        order = np.random.RandomState(1).permutation(shape[0])[:300]
        assert values()[name, 0] == pytest.approx(noise(*shape, seed=seed)[order].mean() / 255, abs=1e-6)


def test_pictures_in_folders_are_those_of_one_folder_and_a_change_within_is_one(cli) -> None:
    x = noise(300, 8, 8)
    for number, image in enumerate(x):
        place = Path(f"flat/{number:03}.png"), Path(f"nested/{number // 100}/deep/{number:03}.png")
        for file in place:
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file)
    assert cli("flat=flat")[0] == cli("nested=nested")[0] == 0
    assert values()["flat", 0] == values()["nested", 0] == pytest.approx(x.mean() / 255, abs=1e-6)
    before = state(Path("nested"))
    Path("nested/2/deep/299.png").write_bytes(Path("flat/000.png").read_bytes())
    assert state(Path("nested")) != before
    with pytest.raises(ChangedError, match=r"'nested' changed while the run was going on"):
        file_state.Unchanged(Path("nested"), before)


# Resized


def big(n: int = 300, *shape: int) -> NDArray[np.uint8]:
    return noise(n, *(shape or (16, 20)), seed=5)


def by_pillow(image: NDArray[Any]) -> NDArray[Any]:
    """Return the central 16x16 of a grey image of 16x20, resized to 8x8."""
    return np.array(Image.fromarray(image).resize((8, 8), Image.Resampling.BICUBIC, (2, 0, 18, 16)))


def test_images_are_resized_by_one_filter_whatever_they_are_stored_as(cli) -> None:
    x = big()
    Path("p").mkdir()
    for number, image in enumerate(x):
        Image.fromarray(image).save(f"p/{number:03}.png")
    np.savez("bytes.npz", images=x)
    np.savez("floats.npz", images=x[:, None].astype(np.float64) / 255)
    np.savez("last.npz", images=x[..., None])
    assert cli("pictures=p bytes=bytes.npz floats=floats.npz last=last.npz --size 8")[0] == 0
    expected = np.mean([by_pillow(image) for image in x]) / 255
    for name in ("pictures", "bytes", "last"):
        assert values()[name, 0] == pytest.approx(expected, abs=1e-6)
    floats = [by_pillow(image.astype(np.float32) / 255).clip(0, 1) for image in x]
    assert values()["floats", 0] == pytest.approx(np.mean(floats), abs=1e-6)
    order = np.random.RandomState(1).permutation(300)[:4]
    read = opened(Path("bytes.npz"), DIGITS, 8).read(0, 4)
    assert np.array_equal(read[:, 0], np.stack([by_pillow(x[row]) for row in order]) / np.float32(255))


def test_the_filter_is_that_of_torch_with_antialiasing() -> None:
    x = torch.rand(20, 3, 17, 17, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.interpolate(x, (8, 8), mode="bicubic", antialias=True, align_corners=False)
    assert np.allclose(resized(x.numpy(), 8, (-9.0, 9.0)), expected.numpy(), atol=1e-5)
    two = (x.numpy() > 0.5).astype(np.float32)
    assert resized(two, 8, (-9.0, 9.0)).max() > 1 == resized(two, 8, (0.0, 1.0)).max(), "what overshoots is clipped"


def test_resized_images_share_no_column_with_others_and_the_protocol_names_the_filter(cli) -> None:
    np.savez("big.npz", images=big())
    np.savez("right.npz", images=noise(300))
    out = cli("big=big.npz --size 8")[1]
    words = "images made elsewhere resized to 8x8: centre square, Pillow's antialiased bicubic"
    assert words in " ".join(out.split())
    cli("right=right.npz")
    rows = read_csv(Path("results/leaderboard.csv"))
    assert rows["protocol_id"].nunique() == 2
    assert words not in " ".join(cli("right=right.npz --size 8")[1].split()), "nothing was resized"
    Path("pictures").mkdir()
    for number, image in enumerate(noise(40)):
        Image.fromarray(image.reshape(8, 8)).save(f"pictures/{number}.png")
    assert words not in " ".join(cli("pictures=pictures --size 8")[1].split()), "nor here"
    rows = read_csv(Path("results/leaderboard.csv")).query("model != 'pictures'")
    assert rows["protocol_id"].nunique() == 2
    assert "1 in the store" in cli("big=big.npz --size 8")[2]


@pytest.mark.parametrize(
    ("shape", "line", "expected"),
    [
        (
            (16, 20),
            "",
            "expected (n, 8, 8) or (n, 1, 8, 8) or (n, 8, 8, 1), as the dataset has, or a size to which all are resized: --size 8",
        ),
        ((8, 8, 3), "", "(n, 8, 8, 1), as the dataset has\n"),
        ((16, 20), " --size 16", "'big.npz': size 16 is asked for; expected the dataset's, 8x8"),
        (
            (16, 16, 3),
            " --size 8",
            "it has shape (300, 16, 16, 3); expected (n, H, W) or (n, 1, H, W) or (n, H, W, 1), as",
        ),
    ],
)
def test_sizes_that_are_not_the_datasets_are_refused(cli, shape: tuple[int, ...], line: str, expected: str) -> None:
    np.savez("big.npz", images=big(300, *shape))
    code, out, err = cli(f"big=big.npz{line}")
    assert (code, out) == (2, "")
    assert expected in err


def test_pictures_of_another_size_are_told_of_the_option(cli) -> None:
    Path("p").mkdir()
    Image.fromarray(big()[0]).save("p/0.png")
    words = "it is 20x16; expected 8x8, as the dataset has, or a size to which all are resized: --size 8"
    assert words in cli("ours=p")[2]
