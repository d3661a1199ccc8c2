"""Figures as SVG that stands inside a page: no styles of their own, which the page's policy forbids, and unique ids."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from genbench.figures import canvas

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
REFERENCE = re.compile(r"#([\w.-]+)")
FONT = re.compile(r"(?:(?P<style>italic|oblique) )?(?:(?P<weight>bold|\d+) )?(?P<size>[\d.]+px) (?P<family>.+)")
LONG = re.compile(r"-?\d+\.\d{3,}")
LINES = {"stroke-linejoin": "round", "stroke-linecap": "butt"}
"""What matplotlib says of all lines in a style sheet."""

COORDINATES = {"d", "x", "y", "width", "height", "transform"}
"""Attributes whose numbers are places: a hundredth of a point is enough, and half the size."""

FAMILY = "system-ui, sans-serif"
"""The reader's own font: no file can bring one along, and text stays text."""


def inline(figure: Figure, name: str, shows: str) -> Markup:
    """Return a figure as an SVG element. name, a word, begins its ids and must be its own; shows says it in words."""
    with canvas.defaults(), matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        written = io.BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ElementTree.fromstring(written.getvalue())
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag == f"{SVG}metadata" or child.tag == f"{SVG}style"]:
            parent.remove(child)
    for element in root.iter():
        _without_style(element)
        for key in COORDINATES & element.attrib.keys():
            element.set(key, LONG.sub(_rounded, element.attrib[key]))
    _with_own_ids(root, name)
    _describe(root, shows)
    return Markup(_serialised(root))  # the figure's texts are escaped by the serialiser


def _serialised(root: ElementTree.Element) -> str:
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        if LINK in element.attrib:
            element.set("href", element.attrib.pop(LINK))
    return ElementTree.tostring(root, encoding="unicode")


def _without_style(element: ElementTree.Element) -> None:
    """Turn a style into attributes of the same meaning."""
    for part in filter(None, map(str.strip, element.attrib.pop("style", "").split(";"))):
        name, _, value = (each.strip() for each in part.partition(":"))
        if name == "font" and (font := FONT.fullmatch(value)):
            element.set("font-size", font["size"])
            element.set("font-family", FAMILY)
            for key, given in (("font-style", font["style"]), ("font-weight", font["weight"])):
                if given:
                    element.set(key, given)
        else:
            element.set(name, value)


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _with_own_ids(root: ElementTree.Element, name: str) -> None:
    """Keep the ids that something refers to, with a name before them: other figures on the page have the same."""
    used = {match for element in root.iter() for value in element.attrib.values() for match in REFERENCE.findall(value)}
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
        else:
            element.set("id", f"{name}-{element.get('id')}")
        for key, value in element.attrib.items():
            if key == LINK or value.startswith("url(#"):
                element.set(key, REFERENCE.sub(rf"#{name}-\1", value))


def _describe(root: ElementTree.Element, shows: str) -> None:
    """Say what a figure shows to those who do not see it, and let the page choose its size."""
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    width = root.get("viewBox", "0 0 0 0").split()[2]
    root.attrib.update(LINES, role="img", width=f"{float(width) * 96 / 72:.0f}")
    root.set("aria-label", shows)
