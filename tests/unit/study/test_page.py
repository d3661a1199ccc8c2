"""The page by itself: it needs nothing from elsewhere, and does not tell which image is which."""

import base64
import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from studies import FITTED, VAE, shown

from genbench.study import page
from genbench.study.design import Design
from genbench.study.items import Item, items, permutation, shown_shape
from genbench.study.key import Key
from genbench.study.making import Request, make

DESIGN = Design(
    dataset="digits",
    dataset_digest="0" * 64,
    shape=[1, 2, 3],
    scale=40,
    exposure=0,
    feedback=False,
    models=1,
    per_model=2,
    real=2,
    practice=1,
)


def item(value: int, source: str) -> Item:
    return Item(source, "abc" if source else "", value, bytes([value] * 6))


SCORED = [item(1, "gan"), item(2, ""), item(3, ""), item(4, "gan")]
SWAPPED = [item(1, ""), item(2, "vae"), item(3, "vae"), item(4, "")]
PRACTICE = [item(5, "gan")]


def test_the_page_is_the_same_whichever_image_is_real() -> None:
    made = page.html(page.content(DESIGN, SCORED, PRACTICE))
    assert made == page.html(page.content(DESIGN, SWAPPED, PRACTICE))


def test_with_feedback_the_page_knows_which_are_real_and_not_of_which_model() -> None:
    told = DESIGN.model_copy(update={"feedback": True})
    assert page.content(told, SCORED, PRACTICE)["is_real"] == [False, True, True, False]
    renamed = [dataclasses.replace(each, source=each.source and "other", trial="", row=0) for each in SCORED]
    assert page.html(page.content(told, SCORED, PRACTICE)) == page.html(page.content(told, renamed, PRACTICE))
    assert page.content(told, SCORED, PRACTICE)["study"] != page.content(told, SWAPPED, PRACTICE)["study"]


def test_every_image_takes_as_many_characters() -> None:
    rng = np.random.default_rng(0)
    images = [torch.zeros(3, 5, 7), torch.ones(3, 5, 7), torch.as_tensor(rng.random((3, 5, 7))).float()]
    made = items("gan", "abc", range(3), torch.stack(images), (0.0, 1.0))
    assert {len(each.pixels) for each in made} == {3 * 5 * 7}
    held = page.content(DESIGN, made, made)
    assert len({len(text) for text in (*held["items"], *held["practice"])}) == 1


def test_nothing_but_pixels_tells_images_apart(made: Key, tmp_path: Path) -> None:
    text = (tmp_path / "study.html").read_text(encoding="utf-8")
    held = shown(tmp_path / "study.html")
    known = {VAE, "vae", FITTED, *(place.trial for place in (*made.items, *made.practice) if place.trial)}
    assert not [name for name in known if name in text]
    assert sorted(held) == sorted(
        ["study", "protocol", "shape", "scale", "exposure", "items", "practice", "practice_is_real", "is_real"]
    )
    assert held["is_real"] is None
    assert held["practice_is_real"] == [not place.source for place in made.practice]
    assert len({len(text) for text in held["items"]}) == 1


class References(HTMLParser):
    """All that a page would load or send to, and what it does on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.found += [(tag, name) for name, _ in attributes if name in ("src", "href", "action", "data", "srcset")]


def test_the_page_loads_and_sends_nothing(made: Key, tmp_path: Path) -> None:
    text = (tmp_path / "study.html").read_text(encoding="utf-8")
    references = References()
    references.feed(text)
    assert references.found == []
    assert "default-src 'none'" in text
    assert not re.search(r"https?:|//[a-z]+\.|fetch\(|XMLHttpRequest|WebSocket|sendBeacon|@import|url\(", text)


def test_the_page_is_one_study_and_one_script(results: Path, tmp_path: Path) -> None:
    make(results, tmp_path / "study.html", Request([VAE], per_model=1, real=1, practice=0))
    text = (tmp_path / "study.html").read_text(encoding="utf-8")
    assert text.count("<script") == text.count("</script>") == 2
    assert page.HOLE not in text


# Images --------------------------------------------------------------------------------------------------------------


def test_real_and_generated_images_are_rounded_alike() -> None:
    x = torch.tensor([-0.1, 0.0, 0.4 / 255, 0.6 / 255, 100 / 255, 1.0]).view(1, 1, 2, 3)
    for source in ("", "gan"):
        assert list(items(source, "", [0], x, (0.0, 1.0))[0].pixels) == [0, 0, 0, 1, 100, 255]


@pytest.mark.parametrize(("channels", "shown_as"), [(1, 1), (2, 1), (3, 3), (4, 3)])
def test_channels_are_shown_as_figures_show_them(channels: int, shown_as: int) -> None:
    assert shown_shape((channels, 4, 5)) == [shown_as, 4, 5]
    x = torch.arange(channels).view(1, channels, 1, 1).expand(1, channels, 4, 5) / 10
    pixels = items("gan", "", [0], x, (0.0, 1.0))[0].pixels
    expected = [0] if shown_as == 1 else [0, 26, 51]
    assert list(pixels) == expected * 20


def test_orders_of_a_seed_are_permutations_each_of_its_own() -> None:
    orders = {(seed, what): tuple(permutation(30, seed, what)) for seed in (0, 1) for what in ("order", "real")}
    assert len(set(orders.values())) == 4
    assert all(sorted(order) == list(range(30)) for order in orders.values())
    assert tuple(permutation(30, 0, "order")) == orders[0, "order"]


def test_pixels_come_back_from_base64() -> None:
    assert base64.b64decode(page.content(DESIGN, SCORED, PRACTICE)["items"][3]) == bytes([4] * 6)
