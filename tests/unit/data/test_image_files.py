"""Every kind of picture comes out on the scale of its file, or is refused in words: files made by hand, values by numpy."""

import io
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from genbench.cli import main
from genbench.data import file_state, image_files
from genbench.errors import DataError

H, W = 3, 5
RANDOM = np.random.default_rng(0)
GREY, RGB, RGBA, CMYK = (RANDOM.integers(0, 256, (H, W, *c), np.uint8) for c in ((), (3,), (4,), (4,)))
TWO, FOUR, SIXTEEN = (RANDOM.integers(0, n, (H, W), np.uint8) for n in (2, 4, 16))
DEEP, DEEP_RGB, DEEP_RGBA = (RANDOM.integers(0, 4096, (H, W, *c), np.uint16) for c in ((), (3,), (4,)))
PALETTE = RANDOM.integers(0, 256, (16, 3), np.uint8)


# Files, written from their specifications


def packed(values: NDArray[Any], bits: int) -> bytes:
    """Return rows of values of a few bits each, packed from the left, each row to whole bytes."""
    places = (values[..., None] >> np.arange(bits)[::-1]) & 1
    return b"".join(np.packbits(row.reshape(-1).astype(np.uint8)).tobytes() for row in places)


def rows(values: NDArray[Any], bits: int) -> list[bytes]:
    whole = packed(values, bits) if bits < 8 else values.astype(">u2" if bits == 16 else "u1").tobytes()
    step = len(whole) // H
    return [whole[i * step : (i + 1) * step] for i in range(H)]


def png(values: NDArray[Any], bits: int, colour: int, *more: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", W, H, bits, colour, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + row for row in rows(values, bits)))
    chunks = ((b"IHDR", head), *more, (b"IDAT", content), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def tiff(values: NDArray[Any], order: str, photometric: int, sample: int = 1, **more: list[int]) -> bytes:
    """Return an uncompressed TIFF of one strip. order is "<" or ">", sample 1 for whole numbers, 2 signed, 3 floats."""
    channels = values.shape[2] if values.ndim == 3 else 1
    content = np.ascontiguousarray(values, values.dtype.newbyteorder(order)).tobytes()
    bits = [values.dtype.itemsize * 8] * channels
    tags: dict[int, list[int]] = {
        **{256: [W], 257: [H], 258: bits, 259: [1], 262: [photometric], 273: [8], 277: [channels], 278: [H]},
        **{279: [len(content)], 339: [sample] * channels, **{int(tag[1:]): value for tag, value in more.items()}},
    }
    at = 8 + len(content)
    extra_at, entries, extra = at + 2 + 12 * len(tags) + 4, b"", b""
    for tag, numbers in sorted(tags.items()):
        value = struct.pack(f"{order}{len(numbers)}H", *numbers)
        if len(value) > 4:
            value, extra = struct.pack(f"{order}I", extra_at + len(extra)), extra + value
        entries += struct.pack(f"{order}HHI", tag, 3, len(numbers)) + value.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    return head + content + struct.pack(f"{order}H", len(tags)) + entries + b"\0" * 4 + extra


def pnm(kind: int, most: int, values: NDArray[Any]) -> bytes:
    return f"P{kind} {W} {H} {most}\n".encode() + values.astype(">u2" if most > 255 else "u1").tobytes()


def by_pillow(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def bmp565(values: NDArray[np.uint8]) -> bytes:
    """Return a BMP of 5, 6 and 5 bits, bottom row first, rows to four bytes."""
    r, g, b = (values[::-1, :, i].astype(np.uint16) >> shift for i, shift in enumerate((3, 2, 3)))
    content = np.pad((r << 11 | g << 5 | b).astype("<u2"), ((0, 0), (0, W % 2))).tobytes()
    head = struct.pack("<IiiHHIIiiII", 40, W, H, 1, 16, 3, len(content), 0, 0, 0, 0)
    start = 14 + len(head) + 12
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    return struct.pack("<2sIHHI", b"BM", start + len(content), 0, 0, start) + head + masks + content


# What becomes of them

PLTE = (b"PLTE", PALETTE.tobytes())
OPAQUE = np.concatenate([RGB, np.full((H, W, 1), 255, np.uint8)], 2)
GREY_OPAQUE = np.stack([GREY, np.full((H, W), 255, np.uint8)], 2)
UNUSED = np.where(SIXTEEN == 7, 6, SIXTEEN).astype(np.uint8)


def in_bits(values: NDArray[np.uint8], bits: int) -> NDArray[np.float64]:
    """Return values cut to a few bits, on the scale of 255."""
    return (values >> (8 - bits)) / (2**bits - 1) * 255


SCALED: dict[str, tuple[str, bytes, NDArray[Any]]] = {
    "PNG, 1 bit": ("png", png(TWO, 1, 0), TWO * 255),
    "PNG, 2 bits": ("png", png(FOUR, 2, 0), FOUR * 85),
    "PNG, 4 bits": ("png", png(SIXTEEN, 4, 0), SIXTEEN * 17),
    "PNG, grey": ("png", png(GREY, 8, 0), GREY),
    "PNG, grey, opaque": ("png", png(GREY_OPAQUE, 8, 4), GREY),
    "PNG, RGB": ("png", png(RGB, 8, 2), RGB),
    "PNG, RGBA, opaque": ("png", png(OPAQUE, 8, 6), RGB),
    "PNG, palette": ("png", png(SIXTEEN, 4, 3, PLTE), PALETTE[SIXTEEN]),
    "PNG, palette of 8 bits": ("png", png(SIXTEEN, 8, 3, PLTE), PALETTE[SIXTEEN]),
    "PNG, palette, its transparent colour unused": (
        "png",
        png(UNUSED, 4, 3, PLTE, (b"tRNS", b"\xff" * 7 + b"\0")),
        PALETTE[UNUSED],
    ),
    "TIFF, grey": ("tif", tiff(GREY, "<", 1), GREY),
    "TIFF, grey, 0 is white": ("tif", tiff(GREY, ">", 0), 255 - GREY),
    "TIFF, RGB": ("tif", tiff(RGB, ">", 2), RGB),
    "TIFF, CMYK": ("tif", tiff(CMYK, "<", 5), (255.0 - CMYK[..., :3]) * (255.0 - CMYK[..., 3:]) / 255),
    "PGM to 15": ("pgm", pnm(5, 15, SIXTEEN), SIXTEEN * 17),
    "PGM": ("pgm", pnm(5, 255, GREY), GREY),
    "PPM to 100": ("ppm", pnm(6, 100, RGB % 101), (RGB % 101) * 2.55),
    "BMP of 5, 6 and 5 bits": (
        "bmp",
        bmp565(RGB),
        np.stack([in_bits(RGB[..., i], bits) for i, bits in enumerate((5, 6, 5))], 2),
    ),
    "GIF": ("gif", by_pillow(Image.fromarray(GREY), "GIF"), GREY),
    "WebP": ("webp", by_pillow(Image.fromarray(RGB), "WEBP", lossless=True), RGB),
}


@pytest.mark.parametrize(
    ("suffix", "content", "expected"), [pytest.param(*case, id=name) for name, case in SCALED.items()]
)
def test_pictures_come_out_on_their_own_scale(
    tmp_path: Path, suffix: str, content: bytes, expected: NDArray[Any]
) -> None:
    file = tmp_path / f"picture.{suffix}"
    file.write_bytes(content)
    as_rgb = np.broadcast_to(expected.reshape(H, W, -1), (H, W, 3)).transpose(2, 0, 1)
    assert np.abs(image_files.pixels(file, 3) - as_rgb.astype(np.float64)).max() <= 1, "but for rounding"
    if expected.ndim == 2 and suffix != "gif":
        assert image_files.head(file) == (W, H, True)
        assert np.array_equal(image_files.pixels(file, 1)[0], expected)


BITS_16 = "it has 16 bits a channel, not 8; convert it first: on which scale, only you can say$"
BITS_32 = "it has 32 bits a channel, not 8; convert it first: on which scale, only you can say$"
TRANSPARENT = "it is transparent in places; lay it on a background first$"
FRAMES = "it has 2 frames; expected one: save the wanted one as png$"
SECOND = [Image.fromarray(255 - RGB)]

REFUSED: dict[str, tuple[str, bytes, str]] = {
    "PNG, grey of 16 bits": ("png", png(DEEP, 16, 0), BITS_16),
    "PNG, grey and alpha of 16 bits": ("png", png(DEEP_RGBA[..., :2], 16, 4), BITS_16),
    "PNG, RGB of 16 bits": ("png", png(DEEP_RGB, 16, 2), BITS_16),
    "PNG, RGBA of 16 bits": ("png", png(DEEP_RGBA | 0xF000, 16, 6), BITS_16),
    "TIFF, grey of 16 bits": ("tif", tiff(DEEP, "<", 1), BITS_16),
    "TIFF, grey of 16 bits, greatest byte first": ("tif", tiff(DEEP, ">", 1), BITS_16),
    "TIFF, signed 16 bits": ("tif", tiff(DEEP.astype(np.int16), "<", 1, 2), BITS_16),
    "TIFF, RGB of 16 bits": ("tif", tiff(DEEP_RGB, "<", 2), BITS_16),
    "TIFF, RGB of 16 bits, greatest byte first": ("tif", tiff(DEEP_RGB, ">", 2), BITS_16),
    "TIFF, RGBA of 16 bits": ("tif", tiff(DEEP_RGBA, "<", 2, t338=[2]), BITS_16),
    "TIFF, CMYK of 16 bits": ("tif", tiff(DEEP_RGBA, "<", 5), BITS_16),
    "TIFF, 32 bits": ("tif", tiff(DEEP.astype(np.uint32), "<", 1), BITS_32),
    "TIFF, floats": ("tif", tiff(DEEP.astype(np.float32) / 4095, "<", 1, 3), BITS_32),
    "TIFF, floats, greatest byte first": ("tif", tiff(DEEP.astype(np.float32) / 4095, ">", 1, 3), BITS_32),
    "PGM to 4095": ("pgm", pnm(5, 4095, DEEP), "it has 12 bits a channel, not 8; convert it first"),
    "PGM to 65535": ("pgm", pnm(5, 65535, DEEP), BITS_16),
    "PPM to 1023": ("ppm", pnm(6, 1023, DEEP_RGB % 1024), "it has 10 bits a channel, not 8; convert it first"),
    "PPM to 65535": ("ppm", pnm(6, 65535, DEEP_RGB), BITS_16),
    "PNG, RGBA": ("png", png(RGBA, 8, 6), TRANSPARENT),
    "PNG, grey and alpha": ("png", png(RGBA[..., :2], 8, 4), TRANSPARENT),
    "PNG, palette with a transparent colour": (
        "png",
        png(SIXTEEN, 4, 3, PLTE, (b"tRNS", b"\0" * 16)),
        TRANSPARENT,
    ),
    "PNG, grey with a transparent shade": (
        "png",
        png(GREY, 8, 0, (b"tRNS", struct.pack(">H", int(GREY[0, 0])))),
        TRANSPARENT,
    ),
    "animated GIF": ("gif", by_pillow(Image.fromarray(RGB), "GIF", save_all=True, append_images=SECOND), FRAMES),
    "animated PNG": ("png", by_pillow(Image.fromarray(RGB), "PNG", save_all=True, append_images=SECOND), FRAMES),
    "animated WebP": ("webp", by_pillow(Image.fromarray(RGB), "WEBP", save_all=True, append_images=SECOND), FRAMES),
    "TIFF of two pages": ("tif", by_pillow(Image.fromarray(RGB), "TIFF", save_all=True, append_images=SECOND), FRAMES),
}


@pytest.mark.parametrize(
    ("suffix", "content", "match"), [pytest.param(*case, id=name) for name, case in REFUSED.items()]
)
def test_pictures_that_8_bits_cannot_hold_are_refused_by_name(
    tmp_path: Path, suffix: str, content: bytes, match: str
) -> None:
    file = tmp_path / f"picture.{suffix}"
    file.write_bytes(content)
    with pytest.raises(DataError, match=rf"/picture.{suffix}': {match}"):
        image_files.pixels(file, 3)


def test_deep_colour_is_refused_as_a_dataset_and_where_it_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    for number in range(12):
        Path(f"pictures/{number:02}.png").write_bytes(png(DEEP_RGB, 16, 2))
    for line in (["data", "prepare", "folder:pictures"], ["evaluate", "ours=pictures", "--reference", "none"]):
        assert main(line) == 2
        assert re.search(r"pictures/\d\d.png': it has 16 bits a channel, not 8; convert it", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("name", "kind", "suffix"),
    [
        ("0", "PNG", "png"),
        ("picture.dat", "JPEG", "jpg"),
        ("1.picture", "GIF", "gif"),
        ("2", "WEBP", "webp"),
        ("a.b", "TIFF", "tif"),
        ("3", "BMP", "bmp"),
    ],
)
def test_pictures_that_their_names_hide_are_told_in_datasets_and_where_they_are_scored(
    tmp_path: Path, name: str, kind: str, suffix: str
) -> None:
    for number in range(5):
        Image.fromarray(GREY).save(tmp_path / f"{number}.png")
    for other, text in (("labels.txt", "BM and GIF89"), ("empty", ""), ("LICENSE", "MIT")):
        (tmp_path / other).write_text(text)
    assert len(image_files.entries(tmp_path)[0]) == len(file_state.listed(tmp_path)) == 5
    (tmp_path / name).write_bytes(by_pillow(Image.fromarray(GREY), kind))
    words = f"/{name}': a picture whose name does not tell so; let it end in .{suffix}, or move it away"
    for read in (image_files.entries, file_state.listed):
        with pytest.raises(DataError, match=words):
            read(tmp_path)
