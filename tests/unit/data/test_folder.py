"""Datasets from folders of images: the layouts, the formats, and every file that is refused by name."""

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genbench.api import Splits
from genbench.data.cache import prepare
from genbench.data.splitting import permutation
from genbench.errors import DataError
from genbench_plugins.datasets.folder import FolderDataset


def draw(seed: int, size: tuple[int, int] = (7, 5), mode: str = "L") -> Image.Image:
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], len(mode))
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8), mode=None)


def put(path: Path, seed: int = 0, size: tuple[int, int] = (7, 5), mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(seed, size, mode).save(path)
    return path


def load(path: Path | str, **options: Any) -> Splits[Any]:
    return FolderDataset(str(path), **options).load(Path("/nowhere"))


def sizes(splits: Splits[Any]) -> list[int]:
    return [len(part) for part in (splits.train, splits.valid, splits.test)]


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    for number in range(20):
        put(tmp_path / "images" / f"{number:02}.png", number)
    return tmp_path / "images"


@pytest.fixture
def parted(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for name, count in (("train", 10), ("test", 3), ("valid", 2)):
        for number in range(count):
            put(root / name / f"{number}.png", number + 100 * count)
    return root


@pytest.fixture
def classed(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for name, count in (("train", 6), ("test", 2)):
        for number, kind in enumerate(("cat", "Ant", "bee")):
            for each in range(count):
                put(root / name / kind / f"{each}.png", 100 * number + 10 * count + each)
    return root


# Layouts


def test_a_flat_folder_is_split_by_a_fixed_permutation(flat: Path) -> None:
    splits = load(flat)
    assert sizes(splits) == [16, 2, 2]
    assert splits.classes is None
    order = np.random.RandomState(0).permutation(20)
    together = np.concatenate([splits.train.images, splits.valid.images, splits.test.images])
    for row, number in enumerate(order):
        np.testing.assert_array_equal(together[row, 0], np.asarray(draw(int(number))))


def test_parts_are_read_in_the_order_of_names(parted: Path) -> None:
    splits = load(parted)
    assert sizes(splits) == [10, 2, 3]
    for number in range(3):
        np.testing.assert_array_equal(splits.test.images[number, 0], np.asarray(draw(number + 300)))


def test_training_and_validation_images_are_in_no_class_order(classed: Path) -> None:
    """What takes some of them takes the first, as parzen does for sigma."""
    for number, kind in enumerate(("Ant", "bee", "cat")):
        for each in range(20):
            put(classed / "valid" / kind / f"{each}.png", 1000 * number + each)
    splits = load(classed)
    assert splits.valid.labels is not None
    assert set(splits.valid.labels[:10].tolist()) == set(splits.train.labels[:10].tolist()) == {0, 1, 2}
    for image, label in zip(splits.valid.images, splits.valid.labels, strict=True):
        assert any(np.array_equal(image[0], np.asarray(draw(1000 * int(label) + each))) for each in range(20))


def test_a_single_class_folder_makes_no_labels(tmp_path: Path) -> None:
    for number in range(30):
        put(tmp_path / "faces" / "aligned" / f"{number}.png", number)
        put(tmp_path / "flat" / f"{number}.png", number)
    nested, flat = (
        prepare(FolderDataset(str(tmp_path / name)), {"name": "folder", "options": {"path": name}})
        for name in ("faces", "flat")
    )
    assert (nested.classes, nested.digest) == (None, flat.digest)
    assert nested.split("train").labels is None
    assert nested.notes == ("all images are of one class, which tells nothing: they count as without labels",)
    assert flat.notes == ()


def test_without_valid_a_tenth_is_held_out(parted: Path) -> None:
    for file in (parted / "valid").iterdir():
        file.unlink()
    (parted / "valid").rmdir()
    splits = load(parted)
    assert sizes(splits) == [9, 1, 3]
    held = int(np.random.RandomState(0).permutation(10)[-1])
    np.testing.assert_array_equal(splits.valid.images[0, 0], np.asarray(draw(held + 1000)))


def test_classes_are_numbered_by_sorted_name(classed: Path) -> None:
    splits = load(classed)
    assert splits.classes == 3
    assert splits.test.labels is not None
    assert splits.test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(splits.test.images[0, 0], np.asarray(draw(120)))  # Ant sorts before bee and cat
    assert sizes(splits) == [17, 1, 6]


def test_class_folders_alone_are_split(classed: Path) -> None:
    splits = load(classed / "train")
    assert sizes(splits) == [16, 1, 1]
    assert splits.classes == 3
    assert splits.train.labels is not None
    assert set(splits.train.labels.tolist()) == {0, 1, 2}


def test_hidden_and_other_files_are_left_out(parted: Path) -> None:
    before = prepare(FolderDataset(str(parted)), {"name": "folder"})
    (parted / "train" / ".hidden.png").write_bytes(b"")
    (parted / "train" / "notes.txt").write_text("about")
    (parted / ".git").mkdir()
    (parted / "train" / ".cache").mkdir()
    after = prepare(FolderDataset(str(parted)), {"name": "folder"})
    assert before.digest == after.digest
    assert after.sizes == {"train": 10, "valid": 2, "test": 3}


@pytest.mark.parametrize("relative", [False, True])
def test_the_digest_does_not_depend_on_the_path(
    parted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: bool
) -> None:
    before = prepare(FolderDataset(str(parted)), {"name": "folder"}).digest
    parted.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    moved = "moved" if relative else str(tmp_path / "moved")
    assert prepare(FolderDataset(moved), {"name": "folder"}).digest == before


# Formats and colours


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "gif", "tif", "tiff", "pgm", "PNG", "jpg", "jpeg"])
def test_grey_formats(tmp_path: Path, suffix: str) -> None:
    options: dict[str, Any] = {"webp": {"lossless": True}}.get(suffix, {})
    for number in range(3):
        draw(number).save(tmp_path / f"{number}.{suffix}", **options)
    splits = load(tmp_path, colour="grey")
    assert splits.train.images.shape == (1, 1, 5, 7)
    wanted = int(np.random.RandomState(0).permutation(3)[0])
    difference = splits.train.images[0, 0].astype(int) - np.asarray(draw(wanted)).astype(int)
    assert np.abs(difference).max() <= (2 if suffix == "webp" else 60 if suffix.startswith("j") else 0)


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "tif", "ppm"])
def test_rgb_formats(tmp_path: Path, suffix: str) -> None:
    options: dict[str, Any] = {"webp": {"lossless": True}}.get(suffix, {})
    for number in range(3):
        draw(number, mode="RGB").save(tmp_path / f"{number}.{suffix}", **options)
    splits = load(tmp_path)
    wanted = int(np.random.RandomState(0).permutation(3)[0])
    np.testing.assert_array_equal(splits.train.images[0].transpose(1, 2, 0), np.asarray(draw(wanted, mode="RGB")))


@pytest.mark.parametrize(
    ("modes", "colour", "channels"),
    [
        (("L", "L"), "auto", 1),
        (("L", "RGB"), "auto", 3),
        (("RGB", "RGB"), "auto", 3),
        (("L", "RGB"), "grey", 1),
        (("L", "L"), "rgb", 3),
    ],
)
def test_colours(parted: Path, modes: tuple[str, str], colour: Any, channels: int) -> None:
    for file, mode in zip(sorted((parted / "valid").iterdir()), modes, strict=True):
        put(file, mode=mode)
    if modes == ("RGB", "RGB"):
        for file in (*(parted / "train").iterdir(), *(parted / "test").iterdir()):
            put(file, mode="RGB")
    splits = load(parted, colour=colour)
    assert {part.images.shape[1] for part in (splits.train, splits.valid, splits.test)} == {channels}


def test_bilevel_and_palette_images(parted: Path) -> None:
    bits = draw(5).point(lambda value: 255 * (value > 127)).convert("1")
    bits.save(parted / "valid" / "0.png")
    coloured = draw(6, mode="RGB").quantize(16)
    coloured.save(parted / "valid" / "1.png")
    splits = load(parted)
    first, second = np.argsort(permutation(2))
    np.testing.assert_array_equal(splits.valid.images[first, 0], np.asarray(bits.convert("L")))
    np.testing.assert_array_equal(splits.valid.images[second].transpose(1, 2, 0), np.asarray(coloured.convert("RGB")))


def test_opaque_alpha_is_dropped(parted: Path) -> None:
    image = draw(5, mode="RGB")
    image.putalpha(255)
    image.save(parted / "valid" / "0.png")
    splits = load(parted)
    first = permutation(2).index(0)
    np.testing.assert_array_equal(splits.valid.images[first].transpose(1, 2, 0), np.asarray(draw(5, mode="RGB")))


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(3):
        draw(number, (7, 5)).save(tmp_path / f"{number}.jpg", exif=exif, quality=100)
    splits = load(tmp_path)
    assert splits.train.images.shape == (1, 1, 7, 5)
    wanted = int(np.random.RandomState(0).permutation(3)[0])
    turned = np.rot90(np.asarray(draw(wanted)), -1).astype(int)
    assert np.abs(splits.train.images[0, 0].astype(int) - turned).max() <= 3


# Sizes


@pytest.mark.parametrize("size", [1, 4, 16])
def test_images_are_resized_and_cropped(tmp_path: Path, size: int) -> None:
    for number, shape in enumerate([(20, 10), (10, 20), (30, 30), (9, 8)]):
        put(tmp_path / f"{number}.png", number, shape, "RGB")
    splits = load(tmp_path, size=size)
    assert splits.train.images.shape == (2, 3, size, size)


def test_the_centre_is_kept_and_antialiased(tmp_path: Path) -> None:
    array = np.zeros((8, 24), np.uint8)
    array[:, 8:16] = np.indices((8, 8)).sum(0) % 2 * 255  # a checkerboard in the central square, black beside it
    for number in range(3):
        Image.fromarray(array).save(tmp_path / f"{number}.png")
    images = load(tmp_path, size=2).train.images
    assert images.shape == (1, 1, 2, 2)
    assert np.abs(images.astype(int) - 127).max() < 25  # a plain pick of pixels would give 0 or 255


def test_an_image_of_the_right_size_is_left_as_it_is(parted: Path) -> None:
    for file in parted.rglob("*.png"):
        put(file, 3, (6, 6))
    np.testing.assert_array_equal(load(parted, size=6).train.images, load(parted).train.images)


def test_a_long_strip_is_not_blown_up(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / f"{number}.png", number, (60_000, 1))
    assert load(tmp_path, size=32).train.images.shape == (1, 1, 32, 32)


# What is refused


@pytest.mark.parametrize("path", ["", "/nowhere/at-all"])
def test_no_such_folder(path: str) -> None:
    with pytest.raises(DataError, match=r"no such folder; expected folder:PATH"):
        load(path)


def test_different_sizes_are_refused_with_advice(parted: Path) -> None:
    put(parted / "test" / "2.png", size=(9, 6))
    match = "/test/2.png': it is 9x6, where [0-9].png is 7x5; give a size to which all are .*, as in size=5"
    with pytest.raises(DataError, match=match):
        load(parted)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def giant() -> bytes:
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "it is empty; remove or replace it"),
        (b"no image at all", "not a readable image .*; remove or replace it"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 7 5\n", "not a readable image .*; remove or replace it"),
        (giant(), "too many pixels for one image; at most [0-9]+: remove or shrink it"),
    ],
)
def test_what_is_no_image_is_refused_by_name(parted: Path, content: bytes, match: str) -> None:
    (parted / "test" / "1.png").write_bytes(content)
    with pytest.raises(DataError, match=f"/images/test/1.png': {match}"):
        load(parted)


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_truncated_image_is_refused_by_name(parted: Path, share: float) -> None:
    for file in parted.rglob("*.png"):
        put(file, size=(64, 64))
    file = parted / "test" / "1.png"
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"/test/1.png': not a readable image .*; remove or replace it"):
        load(parted)


def test_many_pixels_within_twice_the_limit_are_refused_too(parted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    with pytest.raises(DataError, match=r"too many pixels for one image; at most 30"):
        load(parted)


def test_a_transparent_image_is_refused(parted: Path) -> None:
    image = draw(5, mode="RGB")
    image.putalpha(128)
    image.save(parted / "valid" / "0.png")
    with pytest.raises(DataError, match=r"/valid/0.png': it is transparent in places; lay it on a background first"):
        load(parted)


def test_an_animation_is_refused(parted: Path) -> None:
    draw(0).save(parted / "valid" / "2.gif", save_all=True, append_images=[draw(1), draw(2)])
    with pytest.raises(DataError, match=r"/valid/2.gif': it has 3 frames; expected one"):
        load(parted)


def test_sixteen_bits_are_refused(parted: Path) -> None:
    Image.fromarray(np.full((5, 7), 40_000, np.uint16)).save(parted / "valid" / "0.png")
    with pytest.raises(DataError, match=r"/valid/0.png': it has 16 bits a channel, not 8; convert it first"):
        load(parted)


def test_an_image_of_another_kind_is_refused_rather_than_left_out(parted: Path) -> None:
    (parted / "train" / "picture.svg").write_text("<svg/>")
    with pytest.raises(DataError, match=r"/train/picture.svg': an image of a kind that is not read \(image/svg\+xml\)"):
        load(parted)


def test_a_broken_link_is_refused(parted: Path) -> None:
    (parted / "train" / "gone.png").symlink_to(parted / "nowhere.png")
    with pytest.raises(DataError, match=r"/train/gone.png': No such file or directory; remove or replace it"):
        load(parted)


def test_images_beside_class_folders_are_refused(classed: Path) -> None:
    put(classed / "train" / "stray.png")
    with pytest.raises(DataError, match=r"/train': it holds both images \('stray.png'\) and folders \('Ant'\)"):
        load(classed)


def test_folders_within_class_folders_are_refused(classed: Path) -> None:
    (classed / "train" / "cat" / "more").mkdir()
    with pytest.raises(DataError, match=r"/train/cat/more': a folder inside a class folder; expected images alone"):
        load(classed)


def test_a_class_that_training_lacks_is_refused(classed: Path) -> None:
    put(classed / "test" / "dog" / "0.png")
    with pytest.raises(DataError, match=r"/test': class 'dog' is not in train/; expected the same class folders"):
        load(classed)


def test_classes_in_one_part_only_are_refused(classed: Path) -> None:
    for number in range(2):
        put(classed / "valid" / f"{number}.png")
    with pytest.raises(DataError, match=r"one of train/ and valid/ has class folders; expected them in all"):
        load(classed)


@pytest.mark.parametrize("present", [("train",), ("test",), ("valid",), ("train", "valid"), ("test", "valid")])
def test_missing_parts_are_refused(tmp_path: Path, present: tuple[str, ...]) -> None:
    for name in present:
        put(tmp_path / name / "0.png")
    with pytest.raises(DataError, match=f"has only {'/? and '.join(present)}/; expected train/ and test/"):
        load(tmp_path)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_images_are_refused(tmp_path: Path, count: int) -> None:
    for number in range(count):
        put(tmp_path / f"{number}.png")
    with pytest.raises(
        DataError, match=r"no images in it; expected files" if count == 0 else f"it holds {count} images"
    ):
        load(tmp_path)


def test_one_training_image_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "train" / "0.png")
    put(tmp_path / "test" / "0.png")
    with pytest.raises(DataError, match=r"/train': it holds one image; expected more, or valid/ beside it"):
        load(tmp_path)


def test_more_than_the_limit_is_refused_before_it_is_read(parted: Path) -> None:
    for file in parted.rglob("*.png"):
        put(file, size=(400, 400), mode="RGB")
    with pytest.raises(DataError, match=r"its images take 6 MiB; expected at most max_mib=5: raise it"):
        load(parted, max_mib=5)


# The fingerprint


def test_the_fingerprint_tells_changes(classed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, nowhere = FolderDataset(str(classed)), Path("/nowhere")
    seen = [dataset.fingerprint(nowhere)]
    assert seen[0] == dataset.fingerprint(nowhere)
    monkeypatch.chdir(tmp_path)
    assert FolderDataset("images").fingerprint(nowhere) == seen[0]
    (classed / "train" / ".hidden").write_text("")
    assert dataset.fingerprint(nowhere) == seen[0]
    put(classed / "train" / "bee" / "0.png", 99)
    seen.append(dataset.fingerprint(nowhere))
    (classed / "train" / "bee" / "0.png").rename(classed / "train" / "cat" / "9.png")
    seen.append(dataset.fingerprint(nowhere))
    (classed / "train" / "cat" / "9.png").unlink()
    seen.append(dataset.fingerprint(nowhere))
    assert len(set(seen)) == 4
    assert FolderDataset("/nowhere/at-all").fingerprint(nowhere) == ""


def test_names_that_are_no_text_are_read(flat: Path) -> None:
    (flat / "00.png").rename(os.fsdecode(os.fsencode(flat) + b"/\xff.png"))
    assert prepare(FolderDataset(str(flat)), {"name": "folder"}).sizes["train"] == 16
