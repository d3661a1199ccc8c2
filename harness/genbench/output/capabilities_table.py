"""What models can do and what they cost, as tables: a source's words for families, and what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from genbench.errors import printable
from genbench.output import numbers
from genbench.output.tables import Column, Row, Table
from genbench.ranking.capabilities import Capability
from genbench.ranking.claims import ASPECTS, Family

COLUMNS = (
    Column("model"),
    *(Column(head, right=True, wraps=False) for head in ("train", "samples/s", "ess")),
    *(Column(head, wraps=False) for head in ("inference", "density", "chain")),
    Column("family", gives_way=1, wraps=False),
)

WORDS = {
    "training": "Training",
    "inference": "Inference",
    "sampling": "Sampling",
    "density": "Evaluating p(x)",
    "design": "Model design",
}
"""The aspects as the paper's Table 2 names its rows."""


def tables(found: Sequence[Capability], families: Sequence[Family]) -> list[Table]:
    """Return a table with what is said of families, and one for each dataset with what was measured on it."""
    by_dataset: dict[str, list[Capability]] = {}
    for row in found:
        by_dataset.setdefault(row.dataset, []).append(row)
    measured = [
        Table(f"Measured on {printable(dataset)}", COLUMNS, [_row(row) for row in rows], _CAPTION)
        for dataset, rows in by_dataset.items()
    ]
    return [*_said(families), *measured]


_CAPTION = (
    "train: mean over trials; samples/s: burn-in of chains included; ess: effective number of samples, where recorded.",
    "inference: codes for images (encode); chain: samples are states of Markov chains, one after another.",
    "density: p(x) exactly or with a learned normaliser (log-likelihood), by a lower bound (bound), annealing (ais) or "
    "windows on samples (parzen).",
)


def _said(families: Sequence[Family]) -> list[Table]:
    """Return a source's words as its table has them: a row per aspect, a column per family."""
    by_source: dict[str, list[Family]] = {}
    for family in families:
        by_source.setdefault(family.source, []).append(family)
    return [
        Table(
            title=f"In the words of {printable(source)}, shortened",
            columns=[Column(""), *(Column(printable(family.name)) for family in several)],
            rows=[Row((WORDS[name], *(printable(getattr(family, name)) for family in several))) for name in ASPECTS],
        )
        for source, several in by_source.items()
    ]


def _row(row: Capability) -> Row:
    cells = (
        printable(row.model),
        numbers.seconds(row.fit_seconds),
        _whole(row.samples_per_second),
        _whole(row.ess),
        _yes(row.inference),
        row.density or numbers.MISSING,
        _yes(row.chain),
        printable(row.family.name) if row.family else numbers.MISSING,
    )
    return Row(cells)


def _whole(value: float | None) -> str:
    return numbers.MISSING if value is None else numbers.count(round(value)) if value >= 100 else numbers.short(value)


def _yes(flag: bool | None) -> str:
    return numbers.MISSING if flag is None else "yes" if flag else "no"
