"""The cache of prepared datasets: what is checked, what is stored, and what survives kills, races and damage."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genbench import leftovers
from genbench.api import Dataset, Space, Split, Splits
from genbench.data.cache import Prepared, prepare
from genbench.data.folders import cache_folder, data_folder
from genbench.errors import DataError

KEY: dict[str, Any] = {"name": "made", "distribution": "tests", "version": 1, "options": {}}


def split(n: int, seed: int = 0, dtype: str = "uint8", shape: tuple[int, ...] = (2, 4, 3)) -> Split[Any]:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, *shape), np.uint8)
    labels = rng.integers(0, 5, n)
    return Split(images if dtype == "uint8" else (images / 255).astype(dtype), labels)


def three(dtype: str = "uint8", **changes: Any) -> Splits[Any]:
    splits = Splits(split(6, 1, dtype), split(3, 2, dtype), split(4, 3, dtype), classes=5)
    return dataclasses.replace(splits, **changes)


@dataclass(eq=False)
class Made(Dataset):
    """A dataset that returns what it is told to, and counts how often it is asked."""

    content: Any = None
    mark: str = ""

    def __post_init__(self) -> None:
        self.loads = 0

    def load(self, folder: Path) -> Splits[Any]:
        self.loads += 1
        if isinstance(self.content, Exception):
            raise self.content
        return self.content() if callable(self.content) else self.content

    def fingerprint(self, folder: Path) -> str:
        return self.mark


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# Folders


def test_folders_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENBENCH_DATA", str(tmp_path / "a"))
    assert data_folder() == tmp_path / "a"
    monkeypatch.setenv("GENBENCH_DATA", "~/b")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_folder() == tmp_path / "b"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENBENCH_CACHE", "c")
    assert cache_folder() == tmp_path / "c"


@pytest.mark.parametrize(("name", "folder"), [("GENBENCH_DATA", data_folder), ("GENBENCH_CACHE", cache_folder)])
@pytest.mark.parametrize("value", [None, ""])
def test_folders_default_to_the_users(
    name: str, folder: Callable[[], Path], value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    assert folder().is_absolute()
    assert folder().name == "genbench"


# What is stored


def test_a_dataset_is_described() -> None:
    prepared = prepare(Made(three()), KEY)
    assert prepared.name == "made"
    assert prepared.sizes == {"train": 6, "valid": 3, "test": 4}
    assert list(prepared.sizes) == ["train", "valid", "test"]
    assert prepared.space == Space((2, 4, 3), 5, (0.0, 1.0))
    assert prepared.folder.parent == cache_folder() / "prepared"
    assert len(prepared.digest) == 64


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64", ">f4"])
def test_splits_come_back_as_float32(dtype: str) -> None:
    splits = three(dtype)
    prepared = prepare(Made(splits), KEY)
    for name in ("train", "valid", "test"):
        given, got = getattr(splits, name), prepared.split(name)  # type: ignore[arg-type]
        expected = given.images / np.float32(255) if dtype == "uint8" else given.images
        assert got.images.dtype == torch.float32
        np.testing.assert_array_equal(got.images.numpy(), expected.astype(np.float32))
        assert got.labels is not None
        assert got.labels.dtype == torch.int64
        np.testing.assert_array_equal(got.labels.numpy(), given.labels)


def test_uint8_stays_uint8_on_disk() -> None:
    folder = prepare(Made(three()), KEY).folder
    assert np.load(folder / "train-images.npy").dtype == np.uint8
    assert prepare(Made(three()), KEY).split("train").images.max() <= 1


def test_without_labels() -> None:
    splits = Splits(Split(split(6).images), Split(split(3).images), Split(split(4).images))
    prepared = prepare(Made(splits), KEY)
    assert prepared.classes is None
    assert prepared.split("test").labels is None
    prepared.verify()


def test_other_bounds_hold_to_the_nearest_float32() -> None:
    images = np.full((4, 1, 2, 2), 0.1)
    part = Split(np.concatenate([images, -images]))
    prepared = prepare(Made(Splits(part, part, part, bounds=(-0.1, 0.1))), KEY)
    assert prepared.bounds == (-0.1, 0.1)
    assert prepared.split("train").images.abs().max() == np.float32(0.1)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_what_is_written_into_a_split_reaches_nobody(dtype: str) -> None:
    prepared = prepare(Made(three(dtype)), KEY)
    before = prepared.split("train").images.clone()
    part = prepared.split("train")
    part.images.zero_()
    assert part.labels is not None
    part.labels.zero_()
    assert torch.equal(prepared.split("train").images, before)
    prepared.verify()


def test_a_strided_array_is_stored_like_its_copy() -> None:
    strided = Split(split(6).images.transpose(0, 1, 3, 2), split(6).labels)
    copied = Split(np.ascontiguousarray(strided.images), split(6).labels)
    first = prepare(Made(Splits(strided, strided, strided, 5)), KEY)
    second = prepare(Made(Splits(copied, copied, copied, 5)), KEY | {"name": "copy"})
    assert first.digest == second.digest


def in_order(n: int, classes: int) -> Split[Any]:
    return Split(split(n).images, np.arange(n) * classes // n)


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("part", ["train", "valid"])
def test_images_in_class_order_are_mixed(part: Any, step: int) -> None:
    """A plugin's too, whatever its load returns: what takes some of them takes the first."""
    given = in_order(60, 5)
    given = Split(given.images[::step], given.labels[::step])
    found = prepare(Made(three(**{part: given})), KEY).split(part)
    assert found.labels is not None
    assert len(set(found.labels[:10].tolist())) >= 3
    pairs = {(image.numpy().tobytes(), int(label)) for image, label in zip(found.images, found.labels, strict=True)}
    assert pairs == {((x / np.float32(255)).tobytes(), int(y)) for x, y in zip(given.images, given.labels, strict=True)}


def test_validation_images_in_no_class_order_stay_as_they_are() -> None:
    found = prepare(Made(three(valid=split(60))), KEY).split("valid")
    np.testing.assert_array_equal(found.images.numpy(), split(60).images / np.float32(255))


def test_labels_of_one_class_are_none() -> None:
    parts = [Split(split(n).images, np.full(n, 3)) for n in (6, 3, 4)]
    found = prepare(Made(Splits(*parts, classes=5)), KEY)
    assert found.classes is None
    assert found.split("train").labels is None
    assert found.digest == prepare(Made(Splits(*(Split(part.images) for part in parts))), {**KEY, "name": "b"}).digest


# The digest


def test_the_digest_is_pinned() -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4)
    part = Split(images, np.array([0, 1]))
    digest = prepare(Made(Splits(part, part, part, 2)), KEY).digest
    assert digest == "61c81db37078a3e5174848a26f3fbb9e6ddd4783f0d27b8f43cb0f68aaa31a7f"


def test_the_digest_tells_content_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = prepare(Made(three(), mark="a"), KEY)
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "elsewhere"))
    other = prepare(Made(three(), mark="b"), KEY | {"name": "other", "version": 7})
    assert one.digest == other.digest
    assert one.folder != other.folder


def changed_pixel() -> Splits[Any]:
    splits = three()
    splits.test.images[3, 1, 3, 2] ^= 1
    return splits


@pytest.mark.parametrize(
    "splits",
    [
        three(classes=6),
        three("float32"),
        three("float32", bounds=(0.0, 2.0)),
        three(train=split(7, 1)),
        three(valid=split(4, 3), test=split(3, 2)),
        three(train=Split(split(6, 1).images, split(6, 2).labels)),
        changed_pixel(),
        Splits(*(split(n, dtype="uint8", shape=(2, 3, 4)) for n in (6, 3, 4)), classes=5),
    ],
)
def test_the_digest_tells_contents_apart(splits: Splits[Any]) -> None:
    assert prepare(Made(splits), KEY | {"name": "a"}).digest != prepare(Made(three()), KEY).digest


# When it is prepared again


def test_a_second_call_loads_nothing() -> None:
    dataset = Made(three())
    assert prepare(dataset, KEY) == prepare(dataset, KEY)
    assert dataset.loads == 1


@pytest.mark.parametrize("change", [{"version": 2}, {"options": {"a": 1}}, {"distribution": "b"}, {"name": "c"}])
def test_another_key_is_prepared_anew(change: dict[str, Any]) -> None:
    dataset = Made(three())
    prepare(dataset, KEY)
    prepare(dataset, KEY | change)
    assert dataset.loads == 2


def test_a_changed_source_is_prepared_anew() -> None:
    dataset = Made(three(), mark="before")
    first = prepare(dataset, KEY)
    dataset.mark, dataset.content = "after", three(train=split(7))
    assert prepare(dataset, KEY).digest != first.digest


def test_fresh_prepares_anew() -> None:
    dataset = Made(three())
    first = prepare(dataset, KEY)
    dataset.content = three(train=split(7))
    assert prepare(dataset, KEY).digest == first.digest
    assert prepare(dataset, KEY, fresh=True).sizes["train"] == 7
    assert prepare(dataset, KEY).sizes["train"] == 7
    assert dataset.loads == 2
    assert [path.name for path in first.folder.parent.iterdir() if path.is_dir()] == [first.folder.name]


def test_a_source_that_a_load_downloads_is_stored_once() -> None:
    def download() -> Splits[Any]:
        dataset.mark = "present"
        return three()

    dataset = Made(download, mark="absent")
    prepare(dataset, KEY)
    loads = dataset.loads
    prepare(dataset, KEY)
    assert dataset.loads == loads == 2


def test_a_source_that_never_rests_is_refused() -> None:
    def change() -> Splits[Any]:
        dataset.mark += "x"
        return three()

    dataset = Made(change)
    with pytest.raises(DataError, match=r"'made': its files changed each time they were read. Try again"):
        prepare(dataset, KEY)


def truncate(folder: Path) -> None:
    os.truncate(folder / "test-images.npy", 100)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        lambda folder: (folder / "valid-labels.npy").unlink(),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text(""),
        lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe{"),
        lambda folder: (folder / "manifest.json").write_text('{"sha256": "0"}'),
        lambda folder: (folder / "manifest.json").write_text(
            (folder / "manifest.json").read_text().replace('"train": 6', '"train": 5')
        ),
    ],
)
def test_a_damaged_cache_is_prepared_again(damage: Callable[[Path], object]) -> None:
    dataset = Made(three())
    first = prepare(dataset, KEY)
    damage(first.folder)
    again = prepare(dataset, KEY)
    assert again == first
    assert dataset.loads == 2
    again.verify()


def test_verify_finds_a_changed_bit() -> None:
    prepared = prepare(Made(three()), KEY)
    file = prepared.folder / "train-images.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert prepare(Made(three()), KEY) == prepared
    with pytest.raises(DataError, match=r"'made'.* has digest \w{16}, expected \w{16}\. .*: genbench data prepare "):
        prepared.verify()
    prepare(Made(three()), KEY, fresh=True).verify()


def test_the_cure_is_spelt_as_it_is_typed() -> None:
    prepared = dataclasses.replace(prepare(Made(three()), KEY), command="")
    truncate(prepared.folder)
    with pytest.raises(DataError, match=r"cannot read test-images.npy: .*: genbench data prepare made --fresh$"):
        prepared.split("test")


@pytest.mark.parametrize(
    ("mark", "positional", "spelt"),
    [("", None, "made"), ("a b", None, "'made[mark=\"a b\"]'"), ("a b", "mark", "'made:a b'"), ("p", "mark", "made:p")],
)
def test_a_command_names_the_options(mark: str, positional: str | None, spelt: str) -> None:
    dataset = Made(None, mark)
    dataset.positional = positional  # type: ignore[attr-defined]
    dataset.load = lambda folder: three()  # type: ignore[method-assign, assignment]
    assert prepare(dataset, KEY).command == f"genbench data prepare {spelt} --fresh"


@pytest.mark.parametrize("call", [lambda p: p.split("train"), lambda p: p.verify()])
def test_a_replaced_array_is_refused(call: Callable[[Prepared], object]) -> None:
    prepared = prepare(Made(three()), KEY)
    np.save(prepared.folder / "train-images.npy", np.zeros((6, 2, 4, 4), np.uint8))
    with pytest.raises(DataError, match=r"train-images.npy has shape \(6, 2, 4, 4\), expected \(6, 2, 4, 3\)"):
        call(prepared)


def test_a_pickle_in_the_cache_is_not_opened() -> None:
    prepared = prepare(Made(three()), KEY)
    np.save(prepared.folder / "train-images.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(DataError, match=r"cannot read train-images.npy"):
        prepared.split("train")


# What is refused


def labelled(labels: object) -> Splits[Any]:
    return three(valid=Split(split(3).images, labels))


def pictures(images: object) -> Splits[Any]:
    return three(test=Split(images, np.zeros(4, int)))


def spoilt(value: float) -> Splits[Any]:
    splits = three("float64")
    splits.test.images[2, 0, 1, 1] = value
    return splits


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "load returned builtins.NoneType; expected a genbench.Splits"),
        (three(train=(1, 2)), "'made', train: it is builtins.tuple; expected a genbench.Split"),
        (pictures([[1]]), "test images: they are builtins.list; expected a numpy array"),
        (pictures(torch.zeros(4, 2, 4, 3)), "test images: they are torch.Tensor; expected a numpy array"),
        (pictures(np.zeros((4, 2, 4, 3), object)), "test images: dtype is object; expected uint8"),
        (pictures(np.zeros((4, 2, 4, 3), bool)), "test images: dtype is bool; expected uint8"),
        (pictures(np.zeros((4, 2, 4, 3), np.int64)), "test images: dtype is int64; expected uint8"),
        (pictures(np.zeros((4, 2, 4, 3), complex)), "test images: dtype is complex128; expected uint8"),
        (pictures(np.zeros((4, 4, 3), np.uint8)), r"test images: shape is \(4, 4, 3\); expected four dimensions"),
        (pictures(np.zeros((4, 24), np.uint8)), r"test images: shape is \(4, 24\); expected four dimensions"),
        (pictures(np.zeros((0, 2, 4, 3), np.uint8)), r"test images: shape is \(0, 2, 4, 3\); .* none of them 0"),
        (pictures(np.zeros((4, 2, 0, 3), np.uint8)), r"test images: shape is \(4, 2, 0, 3\); .* none of them 0"),
        (pictures(np.zeros((4, 2, 3, 4), np.uint8)), r"images of different shapes .*; expected the same \(C, H, W\)"),
        (spoilt(np.nan), "test images: 1 of 96 values are NaN or infinite as float32; expected finite"),
        (spoilt(np.inf), "test images: 1 of 96 values are NaN or infinite as float32; expected finite"),
        (spoilt(1e300), "test images: 1 of 96 values are NaN or infinite as float32; expected finite"),
        (spoilt(255), r"test images: values go from \S+ to 255; expected them within the bounds \(0.0, 1.0\)"),
        (spoilt(-0.5), r"test images: values go from -0.5 to \S+; expected them within the bounds \(0.0, 1.0\)"),
        (three(bounds=(-1, 1)), r"uint8 with bounds \(-1.0, 1.0\); expected bounds \(0, 1\)"),
        (three(bounds=(1, 0)), r"bounds is \(1, 0\); expected two finite numbers"),
        (three(bounds=(0, np.inf)), r"bounds is \(0, inf\); expected two finite numbers"),
        (three(bounds=(0,)), r"bounds is \(0,\); expected two numbers"),
        (three(bounds=None), "bounds is None; expected two numbers"),
        (three(classes=0), "classes is 0; expected a whole number from 1"),
        (three(classes=2**31), "classes is 2147483648; expected a whole number from 1"),
        (three(classes=True), "classes is True; expected a whole number from 1"),
        (three(classes=2.0), "classes is 2.0; expected a whole number from 1"),
        (three(classes=None), "train: it has labels, but classes is None; expected the number of classes"),
        (labelled(None), "valid: it has no labels, but classes is 5; expected labels in all splits"),
        (labelled([1, 2, 3]), "valid labels: they are builtins.list; expected a numpy array"),
        (labelled(np.zeros(2, int)), r"valid labels: shape is \(2,\); expected \(3,\), one for each image"),
        (labelled(np.zeros((3, 1), int)), r"valid labels: shape is \(3, 1\); expected \(3,\), one for each image"),
        (labelled(np.zeros(3)), "valid labels: dtype is float64; expected whole numbers"),
        (labelled(np.zeros(3, bool)), "valid labels: dtype is bool; expected whole numbers"),
        (labelled(np.zeros(3, object)), "valid labels: dtype is object; expected whole numbers"),
        (labelled(np.array([0, 4, 5])), "valid labels: they go from 0 to 5; expected 0 to 4 for 5 classes"),
        (labelled(np.array([0, -1, 4])), "valid labels: they go from -1 to 4; expected 0 to 4 for 5 classes"),
        (labelled(np.array([0, 2**64 - 1, 4], np.uint64)), "valid labels: they go from 0 to 184.*; expected 0 to 4"),
        (KeyError("x\n\x1by"), r"dataset 'made' could not be loaded: KeyError: 'x\\n\\x1by'"),
        (OSError(5, "broken\ndisk"), r"could not be loaded: OSError: \[Errno 5\] broken disk"),
        (DataError("as it was"), "^as it was$"),
    ],
)
def test_malformed_data_is_refused(content: object, match: str) -> None:
    with pytest.raises(DataError, match=match) as caught:
        prepare(Made(content), KEY)
    assert "\n" not in str(caught.value)
    assert not list((cache_folder() / "prepared").glob("*made-*"))


def test_a_fingerprint_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Made(three())
    monkeypatch.setattr(dataset, "fingerprint", lambda folder: os.stat(folder / "absent").st_size)
    with pytest.raises(DataError, match=r"'made': its files cannot be looked at: .*No such file"):
        prepare(dataset, KEY)


def test_a_cache_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot write prepared data in .*set GENBENCH_CACHE to another folder"):
        prepare(Made(three()), KEY)


def test_a_full_disk_is_told_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: object, array: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(DataError, match=r"cannot write prepared data in .*No space left on device. Make room"):
        prepare(Made(three()), KEY)
    assert not [path for path in (cache_folder() / "prepared").iterdir() if path.is_dir()]


def test_it_goes_on_without_a_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    filelock = pytest.importorskip("filelock")

    def refuse(*args: object, **options: object) -> None:
        raise OSError("no locks on this disk")

    monkeypatch.setattr(filelock, "FileLock", refuse)
    prepare(Made(three()), KEY).verify()


# Kills and races

PROGRAM = """
import os, signal, sys, time
from dataclasses import dataclass
from pathlib import Path
from genbench.api import Dataset, Split, Splits
from genbench.data import cache as module

@dataclass(eq=False)
class Slow(Dataset):
    def load(self, folder):
        import numpy as np
        (folder / f"loaded-{os.getpid()}").touch()
        die("load")
        part = Split((np.arange(12000) % 251).astype(np.uint8).reshape(1000, 1, 3, 4))
        time.sleep(float(os.environ.get("SLEEP", "0")))
        return Splits(part, part, part)

def die(stage):
    if os.environ.get("DIE") == stage:
        os.kill(os.getpid(), signal.SIGKILL)

def before(owner, name, stage, count=1):
    real, calls = getattr(owner, name), []
    def called(*args, **options):
        calls.append(1)
        if len(calls) == count:
            die(stage)
        return real(*args, **options)
    setattr(owner, name, called)

if os.environ.get("DIE"):
    import numpy
    before(numpy, "save", "second array", 2)
    before(module, "write_record", "manifest")
    before(module, "_commit", "rename")
if os.environ.get("NO_LOCK"):
    import filelock
    def refuse(*args, **options):
        raise OSError("no locks on this disk")
    filelock.FileLock = refuse
prepared = module.prepare(Slow(), {"name": "slow"}, fresh="--fresh" in sys.argv)
print(prepared.digest, *(name for name in ("numpy", "torch", "filelock") if name in sys.modules))
"""


def start(*args: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, *args],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    return out.split()


def test_a_second_process_imports_nothing_heavy() -> None:
    first, second = finish(start()), finish(start())
    assert first[1:] == ["numpy", "filelock"]
    assert second == first[:1]


@pytest.mark.parametrize("stage", ["load", "second array", "manifest", "rename"])
def test_a_kill_leaves_a_cache_that_works(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = start(DIE=stage)
    killed.communicate(timeout=500)
    assert killed.returncode == -signal.SIGKILL
    root = cache_folder() / "prepared"
    assert not list(root.glob("slow-*"))
    digest = finish(start())[0]
    assert len(list(root.glob("slow-*"))) == 1
    assert finish(start()) == [digest]
    # what the killed one left is swept away once it is old
    monkeypatch.setattr(leftovers, "AGE", 0.0)
    time.sleep(0.01)
    prepare(Made(three()), KEY | {"name": "slow"})
    assert not list(root.glob(".slow-*"))


def test_a_kill_of_a_fresh_one_leaves_what_was_there() -> None:
    digest = finish(start())[0]
    killed = start("--fresh", DIE="rename")
    killed.communicate(timeout=500)
    assert finish(start()) == [digest]


def test_two_processes_at_once_load_once() -> None:
    processes = [start(SLEEP="1") for _ in range(2)]
    digests = {finish(process)[0] for process in processes}
    assert len(digests) == 1
    assert len(list(data_folder().glob("loaded-*"))) == 1


@pytest.mark.parametrize("args", [(), ("--fresh",)])
def test_two_processes_without_a_lock_both_succeed(args: tuple[str, ...]) -> None:
    processes = [start(*args, SLEEP="0.5", NO_LOCK="1") for _ in range(2)]
    digests = {finish(process)[0] for process in processes}
    assert len(digests) == 1
    assert len(list(data_folder().glob("loaded-*"))) == 2
    assert len([path for path in (cache_folder() / "prepared").iterdir() if path.is_dir()]) == 1
    assert finish(start()) == list(digests)
