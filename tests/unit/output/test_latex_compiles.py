"""Every LaTeX output is set by a real LaTeX, whatever is in its labels."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from awkward_texts import NASTY
from scored import METRIC, scores

from genbench.errors import printable
from genbench.output import board_documents, capabilities_table, claims_table, overview_documents
from genbench.output.tables import Column, Row, Table
from genbench.output.tables_latex import escape, to_latex
from genbench.ranking import claims
from genbench.ranking.board import Board, boards
from genbench.ranking.capabilities import capabilities
from genbench.ranking.claims import Claim
from genbench.ranking.overview import overviews
from genbench.ranking.verdicts import verdicts

HOSTILE = [printable(text) for text in NASTY if printable(text).strip()] + [
    r"\input{/etc/passwd}",
    r"\\[1cm] & & \end{tabular}\stop",
    "λ=3, ∑x², ½ € “quoted” «so»  Łódź đo ĄąŊ",
    "e\u0301 ﬁ עברית ไทย \u3000 数据",
    "^^5cstop ^^M",
    "".join(chr(code) for code in range(0x20, 0x250) if chr(code).isprintable()),
]


def installed(engine: str) -> str:
    """Return where an engine is, or skip."""
    found = shutil.which(engine)
    if not found:
        pytest.skip(
            f"{engine} is not installed: Debian has it in texlive-latex-base, booktabs in texlive-latex-recommended"
        )
    return found


def compiled(engine: str, source: str, folder: Path) -> str:
    """Return the log of a document that was set without an error."""
    pages = source.replace(r"\end{table}", r"\end{table}\clearpage")
    document = (
        f"\\documentclass{{article}}\n\\usepackage{{booktabs}}\n\\begin{{document}}\n{pages}\n\\end{{document}}\n"
    )
    (folder / "tables.tex").write_text(document, "utf-8")
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "tables.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=300)
    log = (folder / "tables.log").read_text("utf-8", "replace")
    assert done.returncode == 0, log[-3000:]
    assert (folder / "tables.pdf").stat().st_size > 10_000
    return log


def hostile_boards() -> list[Board]:
    """Return boards of two metrics on two datasets whose models, metrics, units and datasets have hostile names."""
    rows = []
    for place, text in enumerate(HOSTILE):
        rows += scores(text, [float(place), place + 0.1, place + 0.2], samples_are=text)
    nasty = replace(METRIC, name="nasty", label=HOSTILE[-2], title=HOSTILE[-3], unit=HOSTILE[3], higher_is_better=False)
    again = [replace(row, metric=nasty, protocol_id="p2", protocol=HOSTILE[-1]) for row in rows[:30]]
    elsewhere = [
        replace(row, protocol_id="p3", trial=replace(row.trial, dataset={"label": f"npz:{HOSTILE[-3]}", "digest": "x"}))
        for row in rows[:30]
    ]
    return boards([*rows, *scores("real", [3.0, "failed"], role="reference"), *again, *elsewhere])


def every_table() -> Sequence[Table]:
    hostile = hostile_boards()
    published = [
        Claim(text, "digits", "parzen", 1.0, 0.1, text, text, text, "d1g", "p1", HOSTILE[0], 9.0, text)
        for text in HOSTILE
    ]
    families = claims.families(["goodfellow2014"])
    odd = Table(HOSTILE[-1], [Column(text) for text in HOSTILE], [Row(tuple(HOSTILE), best=True)], HOSTILE)
    return [
        *board_documents.tables(boards([s for b in hostile for r in b.rows for s in r.scores], published)),
        *overview_documents.tables(overviews(hostile)),
        *claims_table.tables(verdicts(hostile, published)),
        *capabilities_table.tables(capabilities(hostile, families), families),
        odd,
        replace(odd, in_blocks=True),
    ]


@pytest.mark.parametrize("engine", ["pdflatex", pytest.param("lualatex", marks=pytest.mark.slow)])
def test_every_table_compiles_with_hostile_labels(engine: str, tmp_path: Path) -> None:
    log = compiled(installed(engine), to_latex(every_table()), tmp_path)
    assert "Missing character" not in log or engine == "lualatex", "whose usual font lacks some"
    assert "root:" not in log


def test_without_the_definition_letters_are_not_set(tmp_path: Path) -> None:
    """The test above has teeth: pdfLaTeX stops at a letter that it lacks."""
    pdflatex = installed("pdflatex")
    source = to_latex([Table("t", [Column("模型")], [Row(("a",))])])
    compiled(pdflatex, source * 40, tmp_path)
    with pytest.raises(AssertionError, match=r"Unicode character 模"):
        compiled(pdflatex, source.replace(escape("模"), "模"), tmp_path)
