"""Image files read with care: broken, giant, animated or transparent ones are refused by name."""

from __future__ import annotations

import contextlib
import mimetypes
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from genbench import files
from genbench.data.resizing import square
from genbench.errors import DataError, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".pgm", ".ppm")
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
GREY_MODES = ("1", "L", "LA")
MODES = (*GREY_MODES, "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV")
BITS_TAG = 258
"""Where a TIFF holds the bits of each channel."""

BEGINNINGS = {
    "png": rb"\x89PNG\r\n",
    "jpg": rb"\xff\xd8\xff",
    "gif": rb"GIF8[79]a",
    "webp": rb"RIFF.{4}WEBP",
    "tif": rb"II\*\x00|MM\x00\*",
    "bmp": rb"BM.{4}\x00{4}",
}
"""What files of pictures begin with, by suffix."""

ROTATED = (5, 6, 7, 8)
"""The EXIF orientations that swap width and height."""


def head(file: Path) -> tuple[int, int, bool]:
    """Return an image's width, height, and whether it is stored as grey, without decoding it."""
    with _opened(file) as image:
        width, height = image.size
        if _turnable(image) and image.getexif().get(0x0112) in ROTATED:
            width, height = height, width
        return width, height, image.mode in GREY_MODES


def pixels(file: Path, channels: int, size: int = 0) -> NDArray[np.uint8]:
    """Return an image, (C, H, W), upright, its central square resized to `size` where that is not 0."""
    import numpy as np
    from PIL import ImageOps

    with _opened(file) as image:
        image.load()
        upright = ImageOps.exif_transpose(image) if _turnable(image) else image
        plain = _opaque(file, upright).convert("L" if channels == 1 else "RGB")
        array: NDArray[np.uint8] = np.array(square(plain, size) if size else plain, np.uint8)
    return array[None] if channels == 1 else array.transpose(2, 0, 1)


def entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the images and the folders directly in a folder, sorted by name; what is hidden is left out."""
    visible = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    images, folders = [], []
    for entry in sorted(visible, key=os.fsencode):
        kind = mimetypes.guess_type(entry.name, strict=False)[0] or ""
        if entry.is_dir():
            folders.append(entry)
        elif entry.suffix.lower() in SUFFIXES:
            images.append(entry)
        elif kind.startswith("image/"):
            # left out in silence, it would be missed by nobody
            refuse(entry, f"an image of a kind that is not read ({kind})", "convert it to png, or move it away")
        elif entry.is_file() and (suffix := _suffix_by_content(entry)):
            refuse(entry, "a picture whose name does not tell so", f"let it end in .{suffix}, or move it away")
    return images, folders


def _suffix_by_content(file: Path) -> str:
    """Return the suffix that a file's first bytes ask for, or "" where they are none of a picture."""
    try:
        with files.opened(file) as opened:
            first = opened.read(16)
    except OSError:
        return ""
    return next((suffix for suffix, begins in BEGINNINGS.items() if re.match(begins, first, re.DOTALL)), "")


def refuse(path: Path, found: object, advice: str, cause: BaseException | None = None) -> NoReturn:
    """Raise the DataError about a file or folder."""
    raise DataError(f"{printable(repr(str(path)))}: {printable(found)}; {advice}") from cause


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Image]:
    """Yield an image of a kind that is read, and turn all that Pillow raises into a DataError."""
    from PIL import Image

    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with files.opened(file) as content, Image.open(content, formats=FORMATS) as image:
                _check_kind(file, image)
                yield image
    except DataError:
        raise
    except bombs as error:
        refuse(file, "too many pixels for one image", f"at most {Image.MAX_IMAGE_PIXELS}: remove or shrink it", error)
    except Exception as error:  # broken files make Pillow raise nearly anything
        refuse(file, _reason(file, error), "remove or replace it", error)


def _reason(file: Path, error: Exception) -> str:
    """Return why a file cannot be read: the system's words where it is the system that refuses."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if file.is_file() and file.stat().st_size == 0:
        return "it is empty"
    return f"not a readable image ({type(error).__name__}: {error})"


def _check_kind(file: Path, image: Image) -> None:
    if (bits := _bits(image)) > 8:
        refuse(file, f"it has {bits} bits a channel, not 8", "convert it first: on which scale, only you can say")
    if image.mode not in MODES:
        refuse(file, f"its pixels have mode {image.mode}", f"expected one of {', '.join(MODES)}: convert it to RGB")
    # an MPO is a JPEG photograph followed by its own previews
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        refuse(file, f"it has {getattr(image, 'n_frames', 1)} frames", "expected one: save the wanted one as png")


def _bits(image: Image) -> int:
    """Return how many bits a channel has in the file: Pillow opens some pictures of 16 as if they had 8."""
    tiles: Any = getattr(image, "tile", None)
    arguments = tiles[0].args if tiles else ""
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        return int(max(tags.get(BITS_TAG, (1,))))
    if image.format == "PPM" and isinstance(arguments, tuple):
        return int(arguments[1]).bit_length()  # of the greatest value
    return 16 if image.format in ("PNG", "PPM") and ";16" in str(arguments) else 8


def _turnable(image: Image) -> bool:
    """Return whether an EXIF orientation is ours to apply: Pillow does it for TIFF, and a PNG would be decoded."""
    return image.format in ("JPEG", "MPO", "WEBP")


def _opaque(file: Path, image: Image) -> Image:
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    least: Any = image.getchannel("A").getextrema()[0]
    if least != 255:
        refuse(file, "it is transparent in places", "lay it on a background first")
    return image
