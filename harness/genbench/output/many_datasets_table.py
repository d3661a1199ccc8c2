"""Average ranks over datasets as tables: who is told apart, by which test, and who was left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genbench.errors import printable
from genbench.output import numbers
from genbench.output.board_table import LONGEST, MODEL, on_validation
from genbench.output.tables import Column, Row, Table
from genbench.ranking.friedman import Test
from genbench.ranking.many_datasets import ManyDatasets, RankedModel

AVERAGE, GROUPS = Column("average rank", right=True, wraps=False), Column("groups", wraps=False)


def tables(found: Sequence[ManyDatasets]) -> list[Table]:
    """Return a table for each metric: average ranks, groups that are not told apart, the rank on each dataset."""
    return [_table(each) for each in found]


def _table(found: ManyDatasets) -> Table:
    split = on_validation(found.target)
    title = f"{found.metric.title}: ranks averaged over {len(found.datasets)} datasets{split}, lower is better"
    columns = [
        AVERAGE,
        MODEL,
        *([GROUPS] if found.test else []),
        *(Column(printable(name), True, place, wraps=False) for place, name in enumerate(found.datasets, 1)),
    ]
    rows = [_row(found, model) for model in found.shown]
    return Table(printable(title, LONGEST), columns, rows, list(_caption(found)), ruled=True)


def _row(found: ManyDatasets, model: RankedModel) -> Row:
    groups = found.letters(model)
    cells = (f"{model.average_rank:.2f}", printable(model.model), *([groups] if found.test else []))
    alone = groups == "a" and len(found.groups[0]) == 1
    return Row((*cells, *(numbers.short(rank) for rank in model.ranks)), best=alone)


def _caption(found: ManyDatasets) -> Iterator[str]:
    if found.test is None:
        yield f"No test: {found.refused}."
    else:
        yield from _tested(found, found.test)
    yield "Ranks on each dataset are by the mean score over seeds, whose spread takes no part here."
    for model, where in found.left_out.items():
        yield printable(f"Left out: {model}, without a score on {', '.join(where)}.", LONGEST)
    if found.incomplete:
        yield printable(f"! ranked by the seeds that have a score, not by all: {', '.join(found.incomplete)}", LONGEST)


def _tested(found: ManyDatasets, test: Test) -> Iterator[str]:
    n, k = len(found.datasets), len(found.models)
    how = {"F and Nemenyi": "by F", "exact": "exact, of all permutations", "Monte Carlo": "by random permutations"}
    f = f"; Iman-Davenport F({k - 1}, {(k - 1) * (n - 1)}) = {numbers.number(test.f, 3)}"
    yield f"Friedman's chi-square = {numbers.number(test.chi_square, 3)}{f}; p {_p(test.p)}, {how[test.by]}."
    if not found.is_told:
        yield "No difference between models is found at alpha .05: none are told apart."
        return
    by = "Nemenyi" if test.by == "F and Nemenyi" else "permutations"
    yield f"Critical difference, alpha .05: {test.critical_difference:.2f} ({by})."
    yield "Models that share a letter are not told apart: their average ranks are closer than that."


def _p(p: float) -> str:
    return "< .001" if p < 0.001 else f"= {p:.3f}".replace("0.", ".")
