"""The options that narrow stored results to some models, metrics, datasets or a split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from genbench.ranking.filters import Filter
from genbench.registry import spec

Command = TypeVar("Command", bound=Callable[..., Any])


def options(command: Command) -> Command:
    """Add --metric, --dataset, --model and --target to a command."""
    for option in (
        click.option(
            "--target",
            type=click.Choice(["test", "valid"]),
            help="Scores against this split only.  [default: each split in tables of its own]",
        ),
        click.option(
            "--models",
            "--model",
            "-m",
            multiple=True,
            metavar="NAMES",
            help="These models only, by label or plugin; ranks stay those among all.",
        ),
        click.option("--datasets", "--dataset", "-d", multiple=True, metavar="NAMES", help="These datasets only."),
        click.option("--metrics", "--metric", multiple=True, metavar="NAMES", help="These metrics only."),
    ):
        command = option(command)
    return command


def wanted(metrics: tuple[str, ...], datasets: tuple[str, ...], models: tuple[str, ...], target: str | None) -> Filter:
    """Return what the options ask for."""
    return Filter(spec.split_all(metrics), spec.split_all(datasets), spec.split_all(models), target)
