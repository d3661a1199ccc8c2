"""Searches as tables: the best configurations, the expected best score by their number, and which options mattered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from genbench.errors import printable
from genbench.output import numbers
from genbench.output.tables import Column, Row, Table
from genbench.registry import spec
from genbench.tuning.option_importance import LEAST, Importance, Importances, importances
from genbench.tuning.tried import Rung, Tried, TunedModel, Tuning

SHOWN = 10
"""Configurations of a model that a table shows."""

MOST_REASONS = 3

TOO_FEW = f"Which options mattered is not told: it takes {LEAST} configurations with scores that differ."

COUNTS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""Numbers of configurations that the table of expected scores has rows for, as far as there are so many."""


def tables(tuned: Tuning) -> list[Table]:
    """Return all tables, as for a terminal."""
    important = [importances(model) for model in tuned.models]
    found = [
        _and_says(best(tuned, model), "" if each else TOO_FEW)
        for model, each in zip(tuned.models, important, strict=True)
    ]
    if any(model.curve for model in tuned.models):
        found.append(expected(tuned))
    pairs = zip(tuned.models, important, strict=True)
    return [*found, *(mattered(model, each) for model, each in pairs if each)]


def _and_says(table: Table, line: str) -> Table:
    return replace(table, caption=[*table.caption, *filter(None, [line])])


def documents(tuned: Tuning) -> list[Table]:
    """Return the tables for documents: all configurations with a score."""
    return [best(tuned, model, shown=len(model.standing)) for model in tuned.models]


def _number(head: str) -> Column:
    return Column(head, right=True, wraps=False)


# The best configurations ---------------------------------------------------------------------------------------------


def best(tuned: Tuning, model: TunedModel, shown: int = SHOWN) -> Table:
    """Return the best configurations of a model, with the options that are tuned."""
    standing = model.standing
    default = [(rung, each) for rung, each in standing[shown:] if each.configuration.number == 0]
    rows = [
        _best_row(model, rung, each, place >= shown) for place, (rung, each) in enumerate(standing[:shown] + default)
    ]
    error, several = _error_of(tuned, model), len(model.rungs) > 1
    columns = [_number("trial"), _number("score ± se" if error else "score"), *map(_number, model.space)]
    columns += [*([_number("budget")] if several else []), _number("train")]
    direction = "higher" if tuned.metric.higher_is_better else "lower"
    title = f"{model.model} on {tuned.dataset}, {tuned.metric.title} of validation images, {direction} is better"
    return Table(printable(title), columns, rows, list(_caption(tuned, model)), in_blocks=True)


def _error_of(tuned: Tuning, model: TunedModel) -> str:
    """Return what the errors of a model's scores are, or "" where they have none."""
    if all(each.stderr is None for each in model.best):
        return ""
    several = len(tuned.settings.seeds) > 1
    return "over training seeds" if several else "the metric's own, of one training seed"


def _best_row(model: TunedModel, rung: Rung, tried: Tried, is_aside: bool) -> Row:
    number = "default" if tried.configuration.number == 0 else str(tried.configuration.number)
    score = numbers.mean_and_error(tried.score, tried.stderr)
    values = [_value(tried.configuration.values[name]) for name in model.space]
    budget = [str(rung.budget)] if len(model.rungs) > 1 else []
    return Row((number, score, *values, *budget, numbers.seconds(tried.seconds)), aside=is_aside)


def _value(value: Any) -> str:
    """Return an option's value as it is shown: [200,200] for a list, 0.00123."""
    return printable(spec.format_value(list(value) if isinstance(value, tuple) else value), 60)


def _caption(tuned: Tuning, model: TunedModel) -> Iterator[str]:
    tried = model.all_tried.tried
    error = f"; ±: standard error, {_error_of(tuned, model)}" if _error_of(tuned, model) else ""
    yield f"{_count(len(tried), 'configuration')} by seed {tuned.settings.seed}{error}."
    if len(tried) < tuned.settings.trials:
        yield f"The search space holds no more than these {len(tried)}."
    for above, below in zip(model.rungs, model.rungs[1:], strict=False):
        stopped = len(above.tried) - len(below.tried)
        yield f"Halving: {stopped} of {len(above.tried)} stopped after {above.budget}, {len(below.tried)} trained anew."
    yield f"Protocol {model.rungs[-1].protocol}."
    if model.failed:
        yield f"! {_count(len(model.failed), 'configuration')} without a score: {_reasons(model.failed)}."


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _reasons(failed: Sequence[Tried]) -> str:
    """Return why configurations have no score, the first few of them."""
    named = [
        printable(f"{each.configuration.number} {each.status}{f': {each.reason}' if each.reason else ''}", 160)
        for each in failed[:MOST_REASONS]
    ]
    more = len(failed) - len(named)
    return "; ".join([*named, *([f"and {more} more"] if more else [])])


# The expected best score ---------------------------------------------------------------------------------------------


def expected(tuned: Tuning) -> Table:
    """Return the expected best score of n random configurations, a column for each model, and who is ahead."""
    curves = {model.model: {each.n: each for each in model.curve} for model in tuned.models}
    most = max(map(len, curves.values()))
    several = len(curves) > 1
    rows = []
    for n in sorted({*(n for n in COUNTS if n < most), most}):
        here = {name: curve[n] for name, curve in curves.items() if n in curve}
        cells = [numbers.mean_and_error(here[name].mean, here[name].sd) if name in here else "-" for name in curves]
        sign = 1 if tuned.metric.higher_is_better else -1
        ahead = [max(here, key=lambda name: sign * here[name].mean)] if several else []
        rows.append(Row((str(n), *cells, *map(printable, ahead))))
    rows.append(Row(("default", *map(_default, tuned.models), *([""] if several else [])), aside=True))
    columns = [
        _number("n"),
        *(Column(printable(name), right=True) for name in curves),
        *([Column("ahead")] if several else []),
    ]
    title = f"Expected best score of n random configurations on {tuned.dataset}"
    return Table(printable(title), columns, rows, list(_expected_caption(tuned)))


def _default(model: TunedModel) -> str:
    """Return the score of a model's own options, with its error."""
    own = next(each for each in model.all_tried.tried if each.configuration.number == 0)
    return numbers.mean_and_error(own.score, own.stderr)


def _expected_caption(tuned: Tuning) -> Iterator[str]:
    yield "±: standard deviation of the best of n (Dodge et al. 2019); the default takes no part in it."
    if any(each.score is None for model in tuned.models for each in model.all_tried.tried):
        yield "A configuration without a score counts as the worst score of its model."
    budget = tuned.models[0].all_tried.budget
    words = f"training at most {budget}" if budget.bounds else "no budget: each trains to its own end"
    yield f"Each configuration: {words}."


# Which options mattered ----------------------------------------------------------------------------------------------


def mattered(model: TunedModel, found: Importances) -> Table:
    """Return the options of a model by their importance."""
    columns = [Column("option"), _number("importance ± sd"), _number("rank correlation"), Column("best value")]
    caption = [
        f"By {found.configurations} configurations. Importance: the part of the variance of ranks that a random forest "
        "no longer predicts of held-out ones when the option is shuffled; sd over folds."
    ]
    if found.predicted <= 0:
        caption.append("! The forest predicts held-out configurations no better than chance: read nothing into this.")
    else:
        caption.append(f"With all options it predicts {100 * found.predicted:.0f} % of that variance.")
    return Table(
        printable(f"Which options of {model.model} mattered"),
        columns,
        [_mattered_row(each) for each in found.of],
        caption,
    )


def _mattered_row(each: Importance) -> Row:
    correlation = "" if each.rank_correlation is None else f"{each.rank_correlation:+z.2f}"
    best = "" if each.best is None else _value(each.best)
    return Row((each.option, f"{each.share:z.2f} ± {each.sd:.2f}", correlation, best))
