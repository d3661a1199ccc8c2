"""The options that narrow stored results to some models, metrics, datasets or a split."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from genbench.ranking.filters import Filter
from genbench.registry import spec

OPTIONS = (
    click.option("--metrics", "--metric", multiple=True, metavar="NAMES", help="These metrics only."),
    click.option("--datasets", "--dataset", "-d", multiple=True, metavar="NAMES", help="These datasets only."),
    click.option(
        "--models",
        "--model",
        "-m",
        multiple=True,
        metavar="NAMES",
        help="These models only, by label or plugin; ranks stay those among all.",
    ),
    click.option(
        "--target",
        type=click.Choice(["test", "valid"]),
        help="Scores against this split only.  [default: each split in tables of its own]",
    ),
)


def options(command: Callable[..., int]) -> Callable[..., int]:
    """Add --metric, --dataset, --model and --target to a command, which gets what they ask for as `wanted`."""

    @functools.wraps(command)
    def narrowed(
        metrics: tuple[str, ...],
        datasets: tuple[str, ...],
        models: tuple[str, ...],
        target: str | None,
        **others: Any,
    ) -> int:
        wanted = Filter(spec.split_all(metrics), spec.split_all(datasets), spec.split_all(models), target)
        return command(wanted=wanted, **others)

    return functools.reduce(lambda decorated, option: option(decorated), reversed(OPTIONS), narrowed)
