"""Figures inside a page: no style that its policy forbids, ids of their own, texts that stay texts, the same bytes."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from genbench.figures.canvas import PAPER
from genbench.html_report import pixel_png
from genbench.html_report.inline_svg import inline


def drawn() -> Figure:
    figure = Figure()
    axes = figure.subplots()
    axes.plot(np.linspace(0, 1, 50), np.sin(np.linspace(0, 9, 50)), "--", alpha=0.5, label="a <b> & 'c'")
    axes.legend()
    axes.set_title("bold", fontweight="bold", fontstyle="italic")
    return figure


def test_no_style_is_left_and_nothing_of_its_meaning_is_lost() -> None:
    text = str(inline(drawn(), "one", "a curve"))
    assert not re.search(r" style=|<style|<metadata|xmlns:|http", text.replace("http://www.w3.org/2000/svg", ""))
    root = ElementTree.fromstring(text)
    line = next(e for e in root.iter() if e.get("stroke-dasharray"))
    assert line.get("fill") == "none"
    assert float(line.get("stroke-opacity")) == 0.5
    title = next(e for e in root.iter() if e.text == "bold")
    assert (title.get("font-size"), title.get("font-weight"), title.get("font-style")) == ("12px", "700", "italic") or (
        title.get("font-weight") == "bold" and title.get("font-style") == "italic"
    )
    assert "a <b> & 'c'" in "".join(root.itertext())
    assert root.get("role") == "img"
    assert root.get("aria-label") == "a curve"


def test_ids_are_the_figure_s_own_and_every_reference_is_met() -> None:
    one, other = (str(inline(drawn(), name, "x")) for name in ("one", "other"))
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for text, own in zip((one, other), ids, strict=True):
        assert set(re.findall(r'(?:url\(|href=")#([^")]+)', text)) == own


def test_the_same_figure_gives_the_same_bytes() -> None:
    assert inline(drawn(), "one", "x") == inline(drawn(), "one", "x")


def test_a_hostile_description_stays_one() -> None:
    root = ElementTree.fromstring(str(inline(drawn(), "one", '"><script>alert(1)</script>')))
    assert root.get("aria-label") == '"><script>alert(1)</script>'
    assert not [e for e in root.iter() if "script" in str(e.tag)]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_in_the_file_pixel_by_pixel(channels: int) -> None:
    import base64
    import io

    images = np.random.default_rng(0).random((5, 4, 6, channels)).repeat(3 // channels, axis=3)
    picture = pixel_png.grid(list(images), 3, "five")
    with Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2]))) as file:
        found = np.asarray(file.convert("RGB")) / 255
    assert found.shape == (9, 20, 3)
    assert np.allclose(found[5:9, 7:13], images[4], atol=0.5 / 255 + 1e-9)
    assert np.allclose(found[5:9, 14:], PAPER, atol=0.5 / 255 + 1e-9)
    assert (picture.width, picture.height) == (7 * 20, 7 * 9)
