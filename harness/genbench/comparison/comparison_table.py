"""A comparison as tables for people, and as a data frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from genbench.comparison.comparing import Comparison
from genbench.comparison.differences import DRAWS
from genbench.comparison.pairing import Pair
from genbench.comparison.power import MOST
from genbench.errors import printable
from genbench.output import captions, numbers
from genbench.output.board_table import LONGEST, on_validation, title
from genbench.output.tables import Column, Row, Table
from genbench.ranking import frames
from genbench.ranking.columns import COMPARISON

if TYPE_CHECKING:
    import pandas as pd


def _number(head: str, gives_way: int = 0) -> Column:
    return Column(head, right=True, gives_way=gives_way, wraps=False)


COLUMNS = (
    _number("A - B"),
    _number("95% interval"),
    Column("better", wraps=False),
    _number("A ahead"),
    _number("to tell"),
    _number("seeds", gives_way=1),
)


def tables(found: Comparison) -> list[Table]:
    """Return a table for each dataset, a row per metric; of folders for each protocol, a row per model."""
    groups: dict[tuple[str, ...], list[Pair]] = {}
    for pair in found.pairs:
        board = pair.board
        key = (board.protocol_id,) if found.of_folders else (board.dataset, board.target, board.dataset_digest)
        groups.setdefault(key, []).append(pair)
    return [_table(found, pairs) for pairs in groups.values()]


def _table(found: Comparison, pairs: Sequence[Pair]) -> Table:
    first = Column("model" if found.of_folders else "metric")
    rows = [Row((printable(_name(found, pair)), *_cells(pair)), aside=_is_aside(pair)) for pair in pairs]
    return Table(_title(found, pairs), [first, *COLUMNS], rows, list(_caption(found, pairs)), ruled=True)


def _is_aside(pair: Pair) -> bool:
    return "reference" in (pair.a.kind, pair.b.kind)


def _title(found: Comparison, pairs: Sequence[Pair]) -> str:
    board = pairs[0].board
    who = f"{found.a} (A) against {found.b} (B)"
    if found.of_folders:
        return title(f"{who}: {board.metric.title} on {board.dataset}", board)
    return printable(f"{who} on {board.dataset}{on_validation(board.target)}", LONGEST)


def _name(found: Comparison, pair: Pair) -> str:
    """Return what a row is called: its model, or its metric, with the protocol's id where two have one label."""
    label = pair.a.model if found.of_folders else pair.board.metric.label
    same = [p for p in found.pairs if (p.board.metric.label, p.board.dataset) == (label, pair.board.dataset)]
    return label if len(same) < 2 else f"{label} {pair.board.protocol_id}"


def _cells(pair: Pair) -> tuple[str, ...]:
    found = pair.found
    error = found.spread.variance() ** 0.5 if found.over_seeds else found.image_variance**0.5
    ends = numbers.interval(found.low, found.high, error)
    return _mean(found.mean, error), ends, _verdict(pair), _percent(pair.a_is_better), _needed(pair), _seeds(pair)


def _verdict(pair: Pair) -> str:
    return "unclear" if pair.verdict == "not told apart" else pair.verdict


def _mean(mean: float, error: float) -> str:
    """Return a difference to the place that its error supports; the error itself stands as the interval."""
    return numbers.mean_and_error(mean, error).partition(" ± ")[0] if error else numbers.number(mean)


def _percent(share: float | None) -> str:
    if share is None:
        return numbers.MISSING
    return "<1 %" if share < 0.01 else ">99 %" if share > 0.99 else f"{100 * share:.0f} %"


def _needed(pair: Pair) -> str:
    if pair.seeds_needed is not None:
        return str(pair.seeds_needed)
    if not pair.found.over_seeds or pair.found.mean == 0:
        return numbers.MISSING
    return "images" if pair.limited_by_images else f">{MOST:,}"


def _seeds(pair: Pair) -> str:
    a, b = pair.found.seeds
    return f"{a} pairs" if pair.found.paired else f"{a} + {b}"


# What stands below ---------------------------------------------------------------------------------------------------


def _caption(found: Comparison, pairs: Sequence[Pair]) -> Iterator[str]:
    yield from _verdicts(found, pairs)
    yield _directions(found, pairs)
    differing = [pair for pair in pairs if pair.verdict != "equal"]
    yield from _intervals(found, differing)
    if any(pair.found.over_seeds for pair in differing):
        yield "A ahead: chance that A is better at a further seed of each, on the same images."
        yield "To tell: seeds of each for power 80 %, alpha .05, were the difference what it seems."
    if len(differing) > 1:
        yield f"Each of {len(differing)} differences is judged alone: of 20 that are none, one is told apart by chance."
    protocols = dict.fromkeys(f"{pair.board.metric.label} {pair.board.protocol_id}" for pair in pairs)
    yield printable(f"Protocols: {', '.join(protocols)}.", LONGEST)
    yield from _cautions(found, pairs)


def _verdicts(found: Comparison, pairs: Sequence[Pair]) -> Iterator[str]:
    """Say which is better, in words."""
    words = {"A": f"{found.a} (A) is better", "B": f"{found.b} (B) is better", "one seed": "One seed, so no verdict"}
    words |= {"not told apart": "Not told apart, so unclear", "equal": "Equal"}
    for verdict, said in words.items():
        if names := [_name(found, pair) for pair in pairs if pair.verdict == verdict]:
            yield printable(f"{said}{' for' if found.of_folders else ' by'}: {', '.join(names)}.", LONGEST)


def _directions(found: Comparison, pairs: Sequence[Pair]) -> str:
    lower = [_name(found, pair) for pair in pairs if not pair.board.metric.higher_is_better]
    if not lower or found.of_folders:
        return f"A - B: above 0 where A scores higher; {'lower' if lower else 'higher'} is better."
    rest = "" if len(lower) == len(pairs) else f" by {', '.join(lower)}, else higher"
    return printable(f"A - B: above 0 where A scores higher; lower is better{rest}.", LONGEST)


def _intervals(found: Comparison, pairs: Sequence[Pair]) -> Iterator[str]:
    """Say what the intervals were taken over."""
    seeds = [pair for pair in pairs if pair.found.over_seeds]
    if seeds:
        how = {True: "paired by seed", False: "not paired (Welch)"}
        yield f"Interval: t over seeds, {' or '.join(how[is_paired] for is_paired in _distinct(seeds))}."
    if drawn := [pair for pair in pairs if pair.found.images]:
        images = " or ".join(f"{count:,}" for count in sorted({pair.found.images for pair in drawn}))
        names = "" if len(drawn) == len(pairs) else f" by {', '.join(_name(found, pair) for pair in drawn)}"
        yield printable(f"Also over {images} test images{names}: {DRAWS:,} bootstrap draws, always the same.", LONGEST)
    if len(drawn) < len(pairs):
        yield f"{'Others' if drawn else 'They'} hold for these test images: scores of single ones are not kept."


def _distinct(pairs: Sequence[Pair]) -> list[bool]:
    return sorted({pair.found.paired for pair in pairs}, reverse=True)


def _cautions(found: Comparison, pairs: Sequence[Pair]) -> Iterator[str]:
    """Yield each reason for caution once, behind the rows that it is about."""
    about: dict[str, list[str]] = {}
    for pair in pairs:
        for line in dict.fromkeys((*_of_pair(pair), *_of_rows(pair))):
            about.setdefault(line, []).append(_name(found, pair))
    for line, names in about.items():
        whose = "" if len(names) == len(pairs) else f"{', '.join(names)}: "
        yield printable(f"! {whose}{line}", LONGEST)


def _of_pair(pair: Pair) -> Iterator[str]:
    if pair.verdict == "one seed":
        images = " on other images, with these two trained models" if pair.found.images else ""
        yield f"one seed of A or B tells nothing of others{f'; the interval is{images}' if images else ''}"
    if pair.found.left_out:
        yield f"seeds that A or B alone has are left out: {', '.join(map(str, pair.found.left_out))}"
    if pair.incomplete:
        yield f"{' and '.join(pair.incomplete)} without a score for some seeds: may be found worse, never better"


def _of_rows(pair: Pair) -> Iterator[str]:
    rows = [replace(row, model=name) for name, row in (("A", pair.a), ("B", pair.b))]
    return captions.cautions(replace(pair.board, rows=rows, alone=()))


# In full precision ---------------------------------------------------------------------------------------------------


def frame(found: Comparison) -> pd.DataFrame:
    """Return a row per pair, in the columns COMPARISON."""
    return frames.of_rows([_row(found, pair) for pair in found.pairs], COMPARISON)


def _row(compared: Comparison, pair: Pair) -> dict[str, Any]:
    board, found = pair.board, pair.found
    folders = {"results_a": compared.a, "results_b": compared.b} if compared.of_folders else {}
    return {
        "metric": board.metric.label,
        "dataset": board.dataset,
        "target": board.target or None,
        "model_a": pair.a.model,
        "model_b": pair.b.model,
        **folders,
        "mean_a": found.means[0],
        "mean_b": found.means[1],
        "difference": found.mean,
        "ci_low": found.low,
        "ci_high": found.high,
        "verdict": pair.verdict,
        "probability_a": pair.a_is_better,
        "seeds_needed": pair.seeds_needed,
        "paired": found.paired,
        "seeds_a": found.seeds[0],
        "seeds_b": found.seeds[1],
        "images": found.images,
        "unit": board.metric.unit,
        "higher_is_better": board.metric.higher_is_better,
        "protocol_id": board.protocol_id,
        "protocol": board.protocol,
        "dataset_digest": board.dataset_digest,
    }
