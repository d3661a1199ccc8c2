"""The page as people use it, in a real browser where there is one: keys, touch, exposure and mask, answers saved."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser, browser
from studies import COLOUR, FITTED, VAE, shown

from genbench.study import answers, key, outcome
from genbench.study.making import Request, make

pytestmark = pytest.mark.slow

ENTER, LEFT, RIGHT, CONTROL = "\ue007", "\ue012", "\ue014", "\ue009"
ASKED = "!document.getElementById('real').disabled"
SEEN = """const canvas = document.getElementById('image');
return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"""
"""The script that returns the image on the page, four bytes a pixel."""


@pytest.fixture(scope="module")
def desk() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def telephone() -> Iterator[Browser]:
    with browser(mobile=True) as opened:
        yield opened


def at(window: Browser, words: str) -> None:
    """Wait until an image is asked about, whose progress line says so."""
    window.until(f"document.getElementById('progress').textContent === {words!r} && {ASKED}")


def pixels(window: Browser, channels: int) -> list[int]:
    """Return the image on the page, as bytes of its channels."""
    seen = np.array(window.run(SEEN)).reshape(-1, 4)
    assert (seen[:, 3] == 255).all()
    assert channels == 3 or (seen[:, :3] == seen[:, :1]).all()
    return seen[:, :channels].flatten().tolist()


def saved(window: Browser) -> tuple[Path, dict[str, Any]]:
    window.until("!document.getElementById('end').hidden")
    path = window.downloaded(window.text("#file"))
    return path, json.loads(path.read_text(encoding="utf-8"))


def test_a_study_at_a_desk_from_begin_to_score(results: Path, tmp_path: Path, desk: Browser) -> None:
    request = Request([VAE, FITTED], ["digits"], per_model=1, practice=2)
    made = make(results, tmp_path / "study.html", request)
    held = shown(tmp_path / "study.html")
    desk.open(tmp_path / "study.html")
    for words in (
        "press R or →",
        "press G or ←",
        "stays until you answer",
        "first 2 are for practice",
        "4 images follow",
    ):
        assert words in desk.text("#intro")
    desk.type("#rater", "Anna B.")
    desk.press(ENTER)

    for place, truth in enumerate(held["practice_is_real"]):
        at(desk, f"Practice {place + 1} of 2")
        assert pixels(desk, 1) == list(base64.b64decode(held["practice"][place]))
        desk.press("r")
        said = desk.until("document.getElementById('told').textContent")
        assert said == ("Right: it is real." if truth else "Wrong: it was generated.")
    desk.until("!document.getElementById('ready').hidden")
    assert desk.text("#ready") == "The practice is over. 4 images follow."
    desk.press(ENTER)

    typed = [RIGHT, "g", LEFT, "R"]
    for place, pressed in enumerate(typed):
        at(desk, f"Image {place + 1} of 4")
        assert pixels(desk, 1) == list(base64.b64decode(held["items"][place]))
        desk.press("x")  # no answer
        desk.press(CONTROL, "b")
        desk.press(pressed)
        assert desk.text("#told") == ""  # without feedback
    path, content = saved(desk)
    called = ["generated" if each in ("g", LEFT) else "real" for each in typed]
    assert [answer["called"] for answer in content["answers"]] == called
    assert content["rater"] == "Anna B."
    assert path.name == f"answers-{made.study}-Anna-B-.json"
    assert all(answer["shown_ms"] == answer["answered_ms"] > 0 for answer in content["answers"])

    (read,) = answers.read([path], key.read(tmp_path / "study.key.json"))
    assert [answer.called for answer in read.answers] == called
    real = sum(each == "real" for each, item in zip(called, made.items, strict=True) if not item.source)
    assert outcome.score(made, [read]).scores[-1].called_real == real


def test_an_image_is_hidden_by_a_mask_after_its_time(results: Path, tmp_path: Path, desk: Browser) -> None:
    make(results, tmp_path / "study.html", Request([FITTED], [COLOUR], per_model=1, practice=0, exposure=100))
    held = shown(tmp_path / "study.html")
    desk.open(tmp_path / "study.html")
    assert "shown for 0.1 seconds, and then hidden" in desk.text("#intro")
    desk.run("""window.drawn = [];
        const put = CanvasRenderingContext2D.prototype.putImageData;
        CanvasRenderingContext2D.prototype.putImageData = function (image, ...at) {
          window.drawn.push([...image.data]);
          return put.call(this, image, ...at);
        };""")
    desk.click("#go")
    for place in range(2):
        at(desk, f"Image {place + 1} of 2")
        image, mask = (np.array(each).reshape(-1, 4)[:, :3].flatten() for each in desk.run("return drawn.slice(-2)"))
        assert image.tolist() == list(base64.b64decode(held["items"][place]))
        assert pixels(desk, 3) == mask.tolist()
        assert abs(np.corrcoef(image, mask)[0, 1]) < 0.1
        assert mask.std() > 60  # noise from black to white
        desk.press("g")
    _, content = saved(desk)
    for answer in content["answers"]:
        assert answer["answered_ms"] >= answer["shown_ms"] >= 100 - 8


def test_a_study_on_a_telephone_by_touch_with_feedback(results: Path, tmp_path: Path, telephone: Browser) -> None:
    make(results, tmp_path / "study.html", Request([VAE], per_model=1, practice=0, feedback=True))
    held = shown(tmp_path / "study.html")
    telephone.open(tmp_path / "study.html")
    assert telephone.run("return document.documentElement.scrollWidth <= innerWidth")
    telephone.touch("#go")
    for place, truth in enumerate(held["is_real"]):
        at(telephone, f"Image {place + 1} of 2")
        size = telephone.run(
            "const box = document.getElementById('image').getBoundingClientRect();"
            "return [box.width, box.height, box.right <= innerWidth, box.left >= 0]"
        )
        assert size == [256, 256, True, True]
        assert telephone.run("return document.getElementById('real').getBoundingClientRect().bottom <= innerHeight")
        telephone.touch("#generated")
        said = telephone.until("document.getElementById('told').textContent")
        assert said == ("Wrong: it is real." if truth else "Right: it was generated.")
    _, content = saved(telephone)
    assert [answer["called"] for answer in content["answers"]] == ["generated", "generated"]
    assert content["screen"]["pixel_ratio"] == 2


def test_a_window_that_is_too_small_is_told(results: Path, tmp_path: Path, telephone: Browser) -> None:
    make(results, tmp_path / "study.html", Request([VAE], per_model=1, practice=0, scale=50))
    telephone.open(tmp_path / "study.html")
    assert "too small for the images, which are 400 by 400 pixels large" in telephone.text("#too-small")
    assert telephone.run("return document.getElementById('go').disabled")


@pytest.mark.parametrize(
    ("attempt", "directive"),
    [
        ("fetch('http://127.0.0.1:9/').catch(() => {})", "connect-src"),
        ("new Image().src = 'http://127.0.0.1:9/x.png'", "img-src"),
        ("navigator.sendBeacon('http://127.0.0.1:9/', 'x')", "connect-src"),
    ],
)
def test_the_page_s_own_policy_lets_nothing_in_or_out(
    attempt: str, directive: str, results: Path, tmp_path: Path, desk: Browser
) -> None:
    make(results, tmp_path / "study.html", Request([VAE], per_model=1))
    desk.open(tmp_path / "study.html")
    assert desk.run("return performance.getEntriesByType('resource').length") == 0
    refused = "addEventListener('securitypolicyviolation', event => done(event.effectiveDirective))"
    assert desk.run(f"return new Promise(done => {{ {refused}; {attempt}; }})") == directive
