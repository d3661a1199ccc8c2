"""Datasets from numpy archives: every layout that is read, and every fault that is refused by name."""

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genbench.api import Split, Splits
from genbench.data.cache import prepare
from genbench.errors import DataError
from genbench_plugins.datasets.npz import NpzDataset


def images(n: int, *shape: int, dtype: str = "uint8") -> np.ndarray[Any, Any]:
    values = np.random.default_rng(n).integers(0, 256, (n, *(shape or (5, 4))), np.uint8)
    return values if dtype == "uint8" else (values / 255).astype(dtype)


def save(path: Path, **arrays: Any) -> Path:
    given = {"x_train": images(20), "x_test": images(6)} | arrays
    np.savez_compressed(path, **{name: array for name, array in given.items() if array is not None})
    return path


def load(path: Path | str, **options: Any) -> Splits[Any]:
    return NpzDataset(str(path), **options).load(Path("/nowhere"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.npz"


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((5, 4), "auto", (1, 5, 4)),
        ((5, 4, 1), "auto", (1, 5, 4)),
        ((5, 4, 3), "auto", (3, 5, 4)),
        ((1, 5, 4), "auto", (1, 5, 4)),
        ((3, 5, 4), "auto", (3, 5, 4)),
        ((3, 5, 3), "channels-first", (3, 5, 3)),
        ((3, 5, 3), "channels-last", (3, 3, 5)),
        ((5, 4, 2), "channels-last", (2, 5, 4)),
        ((4, 5, 6), "channels-first", (4, 5, 6)),
    ],
)
def test_layouts(file: Path, shape: tuple[int, ...], layout: Any, expected: tuple[int, ...]) -> None:
    splits = load(save(file, x_train=images(20, *shape), x_test=images(6, *shape)), layout=layout)
    assert splits.test.images.shape == (6, *expected)
    given = images(6, *shape)
    last = layout == "channels-last" or (layout == "auto" and len(shape) == 3 and shape[2] in (1, 3))
    straight = given.transpose(0, 3, 1, 2) if last else given.reshape(6, *expected)
    np.testing.assert_array_equal(splits.test.images, straight)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64", ">f8"])
def test_prepared_as_float32(file: Path, dtype: str) -> None:
    save(file, x_train=images(20, 5, 4, dtype=dtype), x_test=images(6, 5, 4, dtype=dtype))
    prepared = prepare(NpzDataset(str(file)), {"name": "npz", "options": {"path": str(file), "dtype": dtype}})
    assert prepared.shape == (1, 5, 4)
    assert prepared.sizes == {"train": 18, "valid": 2, "test": 6}
    expected = images(6) / np.float32(255) if dtype == "uint8" else images(6, 5, 4, dtype=dtype)
    np.testing.assert_array_equal(prepared.split("test").images[:, 0].numpy(), expected.astype(np.float32))


@pytest.mark.parametrize(("valid", "held"), [(0, 2), (1, 1), (19, 19)])
def test_training_images_are_held_out_by_a_fixed_permutation(file: Path, valid: int, held: int) -> None:
    labels = np.arange(20) % 4
    splits = load(save(file, y_train=labels, y_test=np.zeros(6, np.uint8)), valid=valid)
    order = np.random.RandomState(0).permutation(20)
    np.testing.assert_array_equal(splits.train.images[:, 0], images(20)[order[: 20 - held]])
    np.testing.assert_array_equal(splits.valid.images[:, 0], images(20)[order[20 - held :]])
    assert splits.valid.labels is not None
    np.testing.assert_array_equal(splits.valid.labels, labels[order[20 - held :]])
    assert splits.classes == 4


def test_a_file_in_class_order_keeps_all_classes_in_every_part(file: Path) -> None:
    """Held out from the end, the last class would be all of valid and none of train."""
    labels = np.repeat(np.arange(5), 40)
    save(file, x_train=images(200), y_train=labels, y_test=np.arange(6) % 5)
    prepared = prepare(NpzDataset(str(file)), {"name": "npz", "options": {"path": str(file)}})
    assert (prepared.classes, prepared.notes) == (5, ())
    for part in ("train", "valid"):
        found = prepared.split(part).labels
        assert found is not None
        assert set(found.tolist()) == set(range(5)), part


def test_another_choice_of_held_out_images_is_another_dataset(file: Path) -> None:
    """Stored results of the one are not taken for those of the other, by the digest that trials are known by."""
    save(file)

    class Before(NpzDataset):
        def _held_out(self, train: Split[Any]) -> tuple[Split[Any], Split[Any]]:
            return Split(train.images[:-2]), Split(train.images[-2:])

    key = {"name": "npz", "options": {"path": str(file)}}
    assert prepare(Before(str(file)), {**key, "version": 1}).digest != prepare(NpzDataset(str(file)), key).digest
    assert NpzDataset.version == 2, "what version 1 prepared is not taken from the cache"


def test_a_valid_split_is_taken_in_random_order(file: Path) -> None:
    ones = {"y_train": np.arange(20) // 7, "y_valid": np.arange(9) // 3, "y_test": np.zeros(6, int)}
    splits = load(save(file, x_valid=images(9), **ones))
    assert [len(part) for part in (splits.train, splits.valid, splits.test)] == [20, 9, 6]
    order = np.random.RandomState(0).permutation(9)
    np.testing.assert_array_equal(splits.valid.images[:, 0], images(9)[order])
    assert splits.valid.labels is not None
    np.testing.assert_array_equal(splits.valid.labels, order // 3)
    order = np.random.RandomState(0).permutation(20)
    np.testing.assert_array_equal(splits.train.images[:, 0], images(20)[order])
    assert splits.train.labels is not None
    np.testing.assert_array_equal(splits.train.labels, order // 7)


HUGE = 2**62


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        (np.arange(20) % 2 * 900 + 3, [3, 903, 3, 903, 3, 3], [0, 1, 0, 1, 0, 0]),
        (np.arange(20) % 2 * HUGE, [0, HUGE, 0, 0, 0, HUGE], [0, 1, 0, 0, 0, 1]),
        ((np.arange(20) % 2 + HUGE).astype("uint64"), np.array([HUGE, HUGE + 1] * 3), [0, 1] * 3),
        (np.array(["cat", "dog"] * 10), ["dog", "dog", "cat", "ape", "cat", "cat"], [2, 2, 1, 0, 1, 1]),
        (np.array([b"cat", b"dog"] * 10), [b"dog", b"cat"] * 3, [1, 0] * 3),
        (np.array([[4], [6]] * 10), [[6], [4]] * 3, [1, 0] * 3),
        (np.eye(4, dtype="float32")[np.arange(20) % 4], np.eye(4)[[2, 3, 0, 1, 2, 2]], [2, 3, 0, 1, 2, 2]),
        (np.eye(3, dtype=bool)[np.arange(20) % 3], np.eye(3, dtype=bool)[[2, 2, 0, 1, 2, 2]], [2, 2, 0, 1, 2, 2]),
    ],
)
def test_classes_are_counted_and_numbered_in_order(file: Path, train: Any, test: Any, expected: list[int]) -> None:
    splits = load(save(file, y_train=train, y_test=np.array(test)))
    assert splits.classes == len(np.unique(np.asarray([*expected, *range(min(expected), max(expected) + 1)])))
    assert splits.test.labels is not None
    assert splits.test.labels.tolist() == expected
    assert splits.test.labels.dtype == np.int64


def test_labels_of_one_class_are_none(file: Path) -> None:
    save(file, y_train=np.full(20, 7), y_test=np.full(6, 7))
    prepared = prepare(NpzDataset(str(file)), {"name": "npz", "options": {"path": str(file)}})
    assert prepared.classes is None
    assert prepared.split("test").labels is None
    assert prepared.notes == ("all images are of one class, which tells nothing: they count as without labels",)


def test_a_class_that_training_lacks_is_told(file: Path) -> None:
    save(file, y_train=np.arange(20) % 2, y_test=np.arange(6) + 1)
    prepared = prepare(NpzDataset(str(file)), {"name": "npz", "options": {"path": str(file)}})
    assert prepared.classes == 7
    assert prepared.notes == ("train has no image of classes 2, 3, 4, 5, 6 (counted from 0), and test has some",)


def test_labels_may_be_left_out(file: Path) -> None:
    splits = load(save(file))
    assert splits.classes is None
    assert splits.train.labels is None
    assert splits.valid == Split(splits.valid.images)


def spoilt(value: float) -> np.ndarray[Any, Any]:
    array = images(20, 5, 4, dtype="float64")
    array[3, 1, 1] = value
    return array


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"x_train": None}, r"x_train is missing among \['x_test'\]; save the images as x_train="),
        ({"x_test": None}, r"x_test is missing among \['x_train'\]; save the images as x_test="),
        ({"y_valid": np.zeros(2, int)}, "x_valid is missing among"),
        (
            {"x_val": images(2)},
            "unexpected array 'x_val'; leave it out, or name it one of: x_train.* Did you mean x_valid?",
        ),
        (
            {"weights": images(2)},
            "unexpected array 'weights'; leave it out, or name it one of: x_train.*train_images.*arr_0",
        ),
        ({"x_test": np.array([{}, 1], object)}, r"x_test holds Python objects \(dtype object\); save plain arrays"),
        ({"y_test": np.zeros(6, "i4,f4")}, "y_test holds Python objects .*; save plain arrays"),
        ({"x_train": images(20, 20)}, r"x_train has shape \(20, 20\); expected \(n, H, W\)"),
        ({"x_train": images(20, 2, 3, 4, 5)}, r"x_train has shape \(20, 2, 3, 4, 5\); expected \(n, H, W\)"),
        ({"x_train": images(0, 5, 4)}, r"x_train has shape \(0, 5, 4\); .* none of them 0"),
        (
            {"x_train": images(20, 3, 9, 3)},
            r"x_train has shape \(20, 3, 9, 3\), of which both .* layout=channels-first",
        ),
        ({"x_train": images(20, 1, 9, 1)}, "of which both its second and last dimension may be 1 or 3 channels"),
        ({"x_train": images(20, 5, 9, 7)}, "of which neither its second nor its last dimension may be 1 or 3"),
        ({"x_train": np.zeros((20, 5, 4), int)}, r"x_train has dtype int64; expected uint8 \(0 to 255\) or floats"),
        ({"x_train": np.zeros((20, 5, 4), bool)}, "x_train has dtype bool; expected uint8"),
        ({"x_train": np.full((20, 5, 4), "a")}, "x_train has dtype <U1; expected uint8"),
        ({"x_train": spoilt(np.nan)}, "x_train holds NaN or infinity; expected floats from 0 to 1: clean it"),
        ({"x_train": spoilt(-np.inf)}, "x_train holds NaN or infinity; expected floats from 0 to 1: clean it"),
        ({"x_train": spoilt(254)}, r"x_train: values go from \S+ to 254; expected floats from 0 to 1: divide by 255"),
        (
            {"x_train": spoilt(-1)},
            r"x_train: values go from -1 to 1; expected floats from 0 to 1: if they go from -1 to 1, save \(x \+ 1\) / 2",
        ),
        ({"y_train": np.zeros(20, int)}, "some of its splits have labels and some have none; give y_ for every x_"),
        ({"y_test": np.zeros(6)}, "y_test has dtype float64; expected whole numbers from 0: convert it to int64"),
        ({"y_test": np.zeros((6, 10), int)}, r"y_test has shape \(6, 10\) and is not one-hot; expected \(6,\), one"),
        ({"y_test": np.full((6, 2), 1.0)}, r"y_test has shape \(6, 2\) and is not one-hot; expected \(6,\), one"),
        ({"y_test": np.zeros(5, int)}, r"y_test has shape \(5,\); expected \(6,\), one class for each image"),
        ({"y_test": np.zeros((6, 2, 2), int)}, r"y_test has shape \(6, 2, 2\); expected \(6,\), one class for each"),
        ({"y_test": np.zeros(6, bool)}, "y_test has dtype bool; expected whole numbers from 0"),
        (
            {"y_train": np.full(20, "cat"), "y_test": np.zeros(6, int)},
            "some of its labels are numbers and some are texts; give one of both for all images",
        ),
        ({"y_test": np.full(6, -1)}, "y_test holds -1; expected class numbers from 0: renumber them"),
    ],
)
def test_faults_are_refused_by_name(file: Path, arrays: dict[str, Any], match: str) -> None:
    with pytest.raises(DataError, match=match) as caught:
        load(save(file, **arrays))
    assert "some.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"valid": 20}, "valid=20 leaves none of 20 training images; hold out fewer, or add x_valid"),
        ({"valid": 99}, "valid=99 leaves none of 20 training images"),
    ],
)
def test_too_many_held_out(file: Path, options: dict[str, Any], match: str) -> None:
    with pytest.raises(DataError, match=match):
        load(save(file), **options)


def test_a_valid_split_and_a_count_are_refused(file: Path) -> None:
    with pytest.raises(DataError, match=r"it has x_valid, yet valid=2 is asked for; leave valid out, or remove"):
        load(save(file, x_valid=images(3)), valid=2)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/nowhere/at-all.npz", "there is no such file"),
        ("", "it is a folder, not a plain file"),
        ("/", "it is a folder, not a plain file"),
    ],
)
def test_no_such_file(path: str, found: str) -> None:
    with pytest.raises(DataError, match=f"npz file '{path}': {found}; expected .*npz:PATH"):
        load(path)


def test_a_name_with_control_characters_is_shown_safely(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\\n\\x1b\[31m"):
        load(tmp_path / "a\n\x1b[31m.npz")


@pytest.mark.parametrize("content", [b"", b"PK", b"not an archive", b"\x93NUMPY\x01\x00v\x00{"])
def test_what_is_no_archive_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"it cannot be read: .*; write it again with numpy.savez"):
        load(file)


@pytest.mark.parametrize("keep", [10, 200, 500, 0.5, 0.9, 0.999])
def test_a_truncated_archive_is_refused(file: Path, keep: float) -> None:
    content = save(file, x_train=images(100, 20, 20)).read_bytes()
    file.write_bytes(content[: int(keep if keep > 1 else keep * len(content))])
    with pytest.raises(DataError, match=r"cannot be read: .*; write it again with numpy.savez"):
        load(file)


def test_a_flipped_bit_is_refused(file: Path) -> None:
    content = bytearray(save(file, x_train=images(100, 20, 20)).read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"x_train cannot be read: .*; write it again with numpy.savez"):
        load(file)


def test_a_pickle_is_not_opened(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x_train.npy", b"\x80\x04cposix\nsystem\n(S'true'\ntR.")
        archive.writestr("x_test.npy", b"")
    with pytest.raises(DataError, match=r"it cannot be read: .*magic.*; write it again with numpy.savez"):
        load(file)


@pytest.mark.parametrize("member", ["x_train", "x_train.txt", "folder/x_train.npy"])
def test_members_of_other_names_are_refused(file: Path, member: str) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, b"")
        archive.writestr("x_test.npy", b"")
    with pytest.raises(DataError, match=r"it cannot be read: |unexpected array "):
        load(file)


def header(shape: str, dtype: str = "|u1") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (header("(1000000, 1000, 1000)"), "x_train says 1000000000000 bytes and holds 0; it is truncated"),
        (header("(-1, 5, 4)") + b"0" * 80, r"x_train has a damaged header, with shape \(-1, 5, 4\); write it again"),
        (header("(-4, -5, 1)") + b"0" * 80, r"x_train has a damaged header, with shape \(-4, -5, 1\); write it again"),
        (
            header("(True, 5, 4)") + b"0" * 80,
            r"x_train has a damaged header, with shape \(True, 5, 4\); write it again",
        ),
        (header("(20, 5, 4)", "|O") + b"0" * 4000, "x_train holds Python objects"),
        (header("'x'"), "it cannot be read: "),
        (b"\x93NUMPY\x09\x00", "it cannot be read: array format .*, expected"),
    ],
)
def test_lying_headers_are_refused(file: Path, content: bytes, match: str) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x_train.npy", content)
        archive.writestr("x_test.npy", header("(6, 5, 4)") + bytes(120))
    with pytest.raises(DataError, match=match):
        load(file)


def test_a_small_file_that_unpacks_to_much_is_refused_before_it_is_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(file, x_train=np.zeros((300, 100, 100), np.uint8), x_test=np.zeros((30, 100, 100), np.uint8))
    assert file.stat().st_size < 2**16
    monkeypatch.setattr(np, "load", None)
    with pytest.raises(DataError, match=r"it unpacks to 3 MiB; expected at most max_mib=2; raise it"):
        load(file, max_mib=2)


def test_the_fingerprint_tells_changes(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, nowhere = NpzDataset(str(file)), Path("/nowhere")
    assert dataset.fingerprint(nowhere) == ""
    save(file)
    first = dataset.fingerprint(nowhere)
    assert first == dataset.fingerprint(nowhere) != ""
    monkeypatch.chdir(tmp_path)
    assert NpzDataset("some.npz").fingerprint(nowhere) == first
    save(file, y_train=np.zeros(20, int), y_test=np.zeros(6, int))
    assert dataset.fingerprint(nowhere) != first


# What others call the arrays


def test_medmnists_arrays_are_taken(file: Path) -> None:
    parts = {name: images(n, 8, 8, 3) for name, n in (("train", 20), ("val", 6), ("test", 5))}
    labels = {f"{name}_labels": np.arange(len(x), dtype=np.uint8)[:, None] % 3 for name, x in parts.items()}
    np.savez(file, **{f"{name}_images": x for name, x in parts.items()}, **labels)
    found = load(file)
    assert [len(part) for part in (found.train, found.valid, found.test)] == [20, 6, 5]
    assert found.classes == 3
    assert np.array_equal(found.test.images, parts["test"].transpose(0, 3, 1, 2))
    assert np.array_equal(found.test.labels, np.arange(5) % 3)


@pytest.mark.parametrize("labelled", [False, True])
def test_images_in_one_part_are_split_by_a_fixed_permutation(file: Path, labelled: bool) -> None:
    x, y = images(50, 8, 8, 3), np.arange(50)
    np.savez(file, x, y % 2) if labelled else np.savez(file, x)
    found = load(file)
    order = np.random.RandomState(0).permutation(50)
    pictures = {row.tobytes(): label for row, label in zip(x.transpose(0, 3, 1, 2), y % 2, strict=True)}
    for part, rows in ((found.train, order[:40]), (found.valid, order[40:45]), (found.test, order[45:])):
        kept = [row.tobytes() for row in part.images]
        assert sorted(kept) == sorted(row.tobytes() for row in x[rows].transpose(0, 3, 1, 2))
        assert part.labels is None if not labelled else list(part.labels) == [pictures[row] for row in kept]
    assert np.array_equal(found.test.images, x[order[45:]].transpose(0, 3, 1, 2))
    assert [len(part) for part in (load(file, valid=7).train, load(file, valid=7).valid)] == [38, 7]


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        (
            {"train_images": images(9), "x_train": images(9), "x_test": images(2)},
            "train_images and x_train are both there; leave out all but one",
        ),
        (
            {"arr_0": images(9), "x_train": images(9), "x_test": images(2)},
            "there is arr_0 or arr_1 among .*; leave it out",
        ),
        ({"arr_0": images(2)}, "arr_0 holds 2 images; expected three or more, to be split into three parts"),
        ({"arr_1": np.arange(9)}, "x_train is missing among"),
        ({"x_all": images(9)}, "unexpected array 'x_all'"),
        ({"train_images": images(9), "val_images": images(2)}, "x_test is missing among"),
        ({"arr_0": spoilt(254)}, "arr_0: values go from \\S+ to 254"),
    ],
)
def test_arrays_that_leave_open_what_they_are_are_refused(file: Path, arrays: dict[str, Any], match: str) -> None:
    np.savez(file, **arrays)
    with pytest.raises(DataError, match=match):
        load(file)
