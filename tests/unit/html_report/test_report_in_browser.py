"""The page of a report in a real browser, off the network: nothing complains, sorting and choosing work, it prints."""

import base64
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, browser

from genbench.html_report.building import build
from genbench.html_report.stored_trials import StoredTrials
from genbench.ranking.overview import overviews
from genbench.runs import stored

pytestmark = pytest.mark.slow

OFFLINE = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
MODELS = "return [...document.querySelector('table.overview').tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[0].textContent)"
SEEDS = (
    "return [...document.querySelectorAll('.samples [data-seed]')].filter(e => e.offsetParent).map(e => e.dataset.seed)"
)


@pytest.fixture(scope="module")
def page(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    boards, _ = stored.read([results])
    path.write_text(build('Trials of <b>& "friends"</b>', boards, StoredTrials([results]), [], []), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def windows() -> Iterator[dict[str, Browser]]:
    with browser() as desk, browser(mobile=True) as telephone:
        yield {"desk": desk, "telephone": telephone}


@pytest.fixture
def desk(windows: dict[str, Browser], page: Path) -> Browser:
    return opened(windows["desk"], page)


def opened(window: Browser, page: Path) -> Browser:
    window.devtools("Network.enable")
    window.devtools("Network.emulateNetworkConditions", **OFFLINE)
    window.open(page)
    return window


@pytest.mark.parametrize("name", ["desk", "telephone"])
def test_nothing_complains_and_nothing_is_wider_than_the_window(
    name: str, windows: dict[str, Browser], page: Path
) -> None:
    window = opened(windows[name], page)
    assert window.complaints() == []
    assert window.run("return document.documentElement.scrollWidth <= window.innerWidth")
    assert window.text("h1") == 'Trials of <b>& "friends"</b>'
    assert window.run("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")


@pytest.mark.parametrize("name", ["desk", "telephone"])
def test_axe_finds_nothing_serious(name: str, windows: dict[str, Browser], page: Path) -> None:
    spec = importlib.util.find_spec("axe_core_python")
    assert spec is not None
    assert spec.submodule_search_locations
    axe = (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")
    window = opened(windows[name], page)
    window.run("for (const each of document.querySelectorAll('details')) each.open = true;")
    window.run(axe)
    found: dict[str, Any] = window.run("return axe.run()")
    assert found["passes"]
    worst = {
        v["id"]: [n["html"][:200] for n in v["nodes"]][:3]
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    }
    assert worst == {}


def test_a_click_sorts_by_a_metric_the_better_first_and_a_second_click_turns_it_round(
    results: Path, desk: Browser
) -> None:
    overview = overviews(stored.read([results])[0])[0]
    before = desk.run(MODELS)
    assert before == [row.model for row in overview.rows]
    for column, board in enumerate(overview.boards, 2):
        selector = f"table.overview th:nth-child({column})"
        means = {row.model: row.summary.mean for row in board.rows if row.summary}
        best_first = sorted(means.values(), reverse=board.metric.higher_is_better)
        desk.click(f"{selector} button")
        assert [means[model] for model in desk.run(MODELS)] == best_first
        ways = ["ascending", "descending"]
        way = ways[board.metric.higher_is_better]
        assert desk.run(f"return document.querySelector('{selector}').getAttribute('aria-sort')") == way
        desk.click(f"{selector} button")
        assert [means[model] for model in desk.run(MODELS)] == best_first[::-1]
    desk.click("table.overview th:nth-child(1) button")
    assert desk.run(MODELS) == sorted(before)


def test_models_and_metrics_can_be_chosen(desk: Browser) -> None:
    everything = desk.run(MODELS)
    desk.type(".choices .models", "vae gau")
    assert sorted(desk.run(MODELS)) == ["gaussian", "vae[epochs=1]"]
    desk.run("const f = document.querySelector('.models'); f.value = ''; f.dispatchEvent(new Event('input'));")
    assert desk.run(MODELS) == everything
    heads = "return [...document.querySelectorAll('table.overview')[0].tHead.rows[0].cells].filter(c => c.offsetParent).length"
    before = desk.run(heads)
    desk.click(".choices summary")
    desk.click(".choices input[type=checkbox]")
    assert desk.run(heads) == before - 1


def test_samples_are_shown_of_the_seed_that_is_chosen(desk: Browser) -> None:
    assert set(desk.run(SEEDS)) == {"0"}
    desk.run("const c = document.querySelector('select.seed'); c.value = '1'; c.dispatchEvent(new Event('change'));")
    assert set(desk.run(SEEDS)) == {"1"}
    assert desk.run("return getComputedStyle(document.querySelector('.samples img')).imageRendering") == "pixelated"


def test_a_link_to_how_a_row_was_made_unfolds_it(desk: Browser) -> None:
    desk.click("table.overview tbody th a")
    place = json.dumps(desk.run("return location.hash.slice(1)"))
    desk.until(f"document.getElementById({place}).open")


def test_it_prints(desk: Browser) -> None:
    assert base64.b64decode(desk.call("POST", "/print", {})).startswith(b"%PDF-")
