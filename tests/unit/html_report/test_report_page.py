"""The page of a report: one file without links to others, the same each time, true to the tables, safe with any text."""

import base64
import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from awkward_texts import NASTY
from scored import scores

import genbench
from genbench.html_report.building import build
from genbench.html_report.overview_part import overview_part
from genbench.html_report.stored_trials import StoredTrials
from genbench.output import overview_table
from genbench.ranking.board import BoardRow, boards
from genbench.ranking.overview import overviews
from genbench.runs import stored
from genbench.store import verifications
from genbench.store.trial_folder import TrialFolder
from genbench.store.verifications import Check, Mark

Cli = Callable[[str], tuple[int, str, str]]
VOID = {"meta", "input", "img", "br", "link", "path", "use"}


class Page(HTMLParser):
    """A page taken apart: its elements, and its texts by element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def all(self, name: str) -> list[str]:
        """Return the values of an attribute."""
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    def text(self, tag: str) -> list[str]:
        """Return what stands in elements of a kind."""
        return [text for of, text in self.texts if of == tag]


@pytest.fixture(scope="session")
def html(results: Path) -> str:
    """Return the page of small results."""
    return page_of(results)


def page_of(folder: Path) -> str:
    found, collected = stored.read([folder])
    return build("Small trials", found, StoredTrials([folder]), [], collected.damaged)


def test_nothing_is_loaded_and_the_policy_lets_nothing_run_but_what_is_in_the_file(html: str) -> None:
    page = Page(html)
    assert not page.all("style")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert all(value.startswith("data:image/png;base64,") for value in page.all("src"))
    assert all(value.startswith("#") for value in page.all("href"))
    assert "url(" not in html.replace("url(#", "")
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag, source in (("style", "style-src"), ("script", "script-src")):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert len(found) == 1
        digest = base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode()
        assert f"{source} 'sha256-{digest}'" in policy


def test_places_are_named_once_and_every_link_leads_somewhere(html: str) -> None:
    page = Page(html)
    ids = Counter(page.all("id"))
    assert max(ids.values()) == 1
    links = {value.removeprefix("#") for value in page.all("href")}
    links |= set(re.findall(r"url\(#([^)]+)\)", html))
    assert links <= set(ids)
    assert len(links) > 10


def test_the_same_results_give_the_same_bytes(results: Path, html: str) -> None:
    assert page_of(results) == html


def test_the_overview_has_the_cells_of_the_table(results: Path, html: str) -> None:
    cells = Counter(Page(html).text("td"))
    found, _ = stored.read([results])
    for table in overview_table.tables(overviews(found)):
        assert Counter(cell for row in table.rows for cell in row.cells[1:]) <= cells


def test_every_seed_s_samples_are_there_with_what_is_nearest_and_real_images(html: str) -> None:
    alts = [attributes["alt"] for tag, attributes in Page(html).elements if tag == "img"]
    for model in ("vae[epochs=1]", "gan[epochs=1]", "gaussian"):
        for seed in (0, 1):
            name = f"{model} on digits, seed {seed}"
            assert alts.count(f"20 samples of {name}") == 1
            assert alts.count(f"the training images nearest to the samples of {name}") == 1
    assert alts.count("20 real test images") == 1
    assert alts.count("two training images of each class") == 1
    assert sum(alt.startswith("walk of") for alt in alts) == 2


def test_how_a_row_was_made_is_said(html: str) -> None:
    codes = Page(html).text("code")
    assert any("genbench run --models 'vae[epochs=1]'" in code for code in codes)


def test_texts_from_elsewhere_stay_texts(results: Path) -> None:
    found, _ = stored.read([results])
    clean = Page(build("Report", found, StoredTrials([]), [], []))
    hostile = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", *NASTY]
    board = found[0]
    rows = [replace(board.rows[0], model=text) for text in hostile]
    changed = replace(board, rows=rows, dataset=hostile[0], protocol=hostile[1])
    page = Page(build(hostile[0], [changed], StoredTrials([]), [], hostile))
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in clean.elements} | {"section", "li", "ul"}
    assert len([tag for tag, _ in page.elements if tag == "script"]) == 1
    assert {name for _, a in page.elements for name in a} <= {name for _, a in clean.elements for name in a}
    assert page.text("h1") == [hostile[0]]
    assert "{{ 7 * 7 }}" in page.text("a")


def test_a_damaged_trial_is_named_and_the_rest_is_shown(results: Path, tmp_path: Path, cli: Cli) -> None:
    folder = Path(shutil.copytree(results, tmp_path / "results"))
    record = next(folder.glob("trials/vae*-digits-s0-*/trial.json"))
    record.write_text(record.read_text().replace("vae", "eav", 1))
    code, printed, said = cli(f"report {folder} -o {tmp_path / 'r.html'}")
    assert (code, printed) == (1, f"{tmp_path / 'r.html'}\n")
    assert "not read: " in said
    assert "is damaged" in said
    page = Page((tmp_path / "r.html").read_text())
    assert "Not everything could be read" in page.text("h2")
    assert any("is damaged" in text for text in page.text("li"))
    assert "gan[epochs=1]" in page.text("a")


def test_trials_that_lie_in_two_folders_are_noted_and_no_problem(results: Path, tmp_path: Path, cli: Cli) -> None:
    again = Path(shutil.copytree(results, tmp_path / "again"))
    code, _, said = cli(f"report {results} {again} -o {tmp_path / 'r.html'}")
    page = Page((tmp_path / "r.html").read_text())
    assert code == 0
    assert "lie in several folders" in said
    assert any("lie in several folders" in text for text in page.text("li"))
    assert "Not everything could be read" not in page.text("h2")


def test_a_model_without_another_leads_nothing() -> None:
    (overview,) = overviews(boards(scores("vae", [30.0, 31.0])))
    (line,) = overview_part(overview, StoredTrials([])).lines
    assert (line.cells[0].leads, line.cells[0].shade) == (False, None)


def test_damaged_samples_are_named_and_the_rest_is_shown(results: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(results, tmp_path / "results"))
    shard = next(folder.glob("trials/vae*-digits-s0-*/samples/*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    page = Page(page_of(folder))
    assert any("does not match its checksum" in text for text in page.text("p"))
    alts = [attributes["alt"] for tag, attributes in page.elements if tag == "img"]
    assert "20 samples of vae[epochs=1] on digits, seed 1" in alts
    assert "20 samples of vae[epochs=1] on digits, seed 0" not in alts


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("report {folder}", "no results in"),
        ("report {results} -o r.pdf", "-o r.pdf: expected the path of an .html file"),
        ("report {results} -o {folder}/x/r.html", "no folder"),
        ("report {results} --against nobody", "nobody"),
    ],
)
def test_wrong_requests_are_answered_in_one_line(
    line: str, message: str, results: Path, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "x").write_text("")
    code, _, said = cli(line.format(folder=tmp_path, results=results))
    assert code == 2
    assert message in said
    assert said.count("\n") == 1


def test_slimmed_results_make_a_page_that_says_what_it_lacks(results: Path, tmp_path: Path, cli: Cli) -> None:
    assert cli(f"slim {results} -o {tmp_path / 'slim'}")[0] == 0
    page = Page(page_of(tmp_path / "slim"))
    assert "vae[epochs=1]" in page.text("a")
    assert not [attributes for tag, attributes in page.elements if tag == "img"]


def test_verified_scores_are_marked_and_those_that_differ(results: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(results, tmp_path / "results"))
    for model, outcome in (("vae", "same"), ("gaussian", "differs")):
        for path in folder.glob(f"trials/{model}*-digits-s*"):
            trial = TrialFolder(path)
            record = trial.record()
            stage = next(name for name in record.stages if name.startswith("parzen"))
            mark = Mark({"score": Check(outcome, "it differs <b>", "2026-01-31T00:00:00+00:00")})
            assert verifications.keep(trial, record, {stage: mark})
    page = Page(page_of(folder))
    marks = [attributes["aria-label"] for _, attributes in page.elements if attributes.get("class") == "mark"]
    assert marks == ["verified", "differs when verified"]
    lines = page.text("dd")
    assert "verified 2026-01-31: scored again: parzen[samples=50], seeds 0 1" in lines
    assert "differs: it differs <b>: parzen[samples=50], seeds 0 1" in lines


def test_a_mark_of_some_seeds_is_none_of_the_row(results: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(results, tmp_path / "results"))
    trial = TrialFolder(next(folder.glob("trials/vae*-digits-s0-*")))
    record = trial.record()
    found = {
        stage: Mark({"score": Check("same", at="2026-01-31T00:00:00+00:00")})
        for stage in record.stages
        if stage.startswith("parzen")
    }
    assert verifications.keep(trial, record, found)
    assert "mark" not in Page(page_of(folder)).all("class")


def test_several_datasets_together_are_ranked_with_a_diagram() -> None:
    rows = [
        replace(row, trial=replace(row.trial, dataset={"label": f"d{n}", "digest": f"digest{n}"}), protocol_id=f"p{n}")
        for n in range(6)
        for model in range(3)
        for row in scores(f"m{model}", [float(model), model + 0.5])
    ]
    found = [replace(board, rows=[_unmade(row) for row in board.rows]) for board in boards(rows)]
    html = build("Six", found, StoredTrials([]), [], [])
    page = Page(html)
    assert "All datasets together" in page.text("h2")
    assert len([1 for tag, a in page.elements if tag == "svg" and "datasets" in a["aria-label"]]) == 1
    assert set(page.all("href")) >= {"#across"}


def _unmade(row: BoardRow) -> BoardRow:
    """Return a row without the trials it is of, which made records lack."""
    return replace(row, scores=[])


def test_a_foreign_folder_is_named_and_the_rest_is_shown(results: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "photos").mkdir()
    code, _, said = cli(f"report {tmp_path / 'photos'} {results} -o {tmp_path / 'r.html'}")
    assert code == 1
    assert said.startswith(f"not read: no results in {tmp_path / 'photos'}")
    page = Page((tmp_path / "r.html").read_text())
    assert any(text.startswith("not read: no results in ") for text in page.text("li"))
    assert "gan[epochs=1]" in page.text("a")


def test_results_of_a_plugin_that_is_not_here_are_shown_without_what_it_draws(
    tmp_path: Path, toy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    genbench.run(models=["toy"], metrics="parzen", seeds=1, reference="none", samples=50, results=tmp_path / "results")
    monkeypatch.setenv("GENBENCH_PLUGINS", "")
    page = Page(page_of(tmp_path / "results"))
    assert "toy" in page.text("a")
    alts = [attributes["alt"] for tag, attributes in page.elements if tag == "img"]
    assert "20 samples of toy on digits, seed 0" in alts
    assert not [alt for alt in alts if alt.startswith("walk")]
