"""genbench run: train, score, rank, print."""

from __future__ import annotations

from typing import Any

import click

from genbench.cli import running, stray_words
from genbench.errors import RequestError, did_you_mean
from genbench.runs import planning, suites
from genbench.runs.settings import RunSettings


@click.command("run")
@click.argument("words", nargs=-1, metavar="[SUITE]")
# What is compared
@click.option(
    "--models",
    "--model",
    "-m",
    multiple=True,
    metavar="NAMES",
    help="Models: gan,vae or gan@paper or vae[latent=50] or ./mine.py:MyModel.",
)
@running.scored
@click.option("--seeds", metavar="SEEDS", help="How many (5), or which (0,3 or 0-4 or 3,).  [default: 3]")
@click.option("--seed", type=click.IntRange(min=0), help="That one seed.")
@running.compared
# Under what protocol
@click.option("--samples", type=click.IntRange(min=1), help="Samples that metrics score.")
@running.under
@click.option("--budget", metavar="5000steps|60s", help="Bound on the training of every model.")
@click.option(
    "--select",
    metavar="last|best-valid[:EPOCHS]",
    help="State that is kept: the last, or the best by validation Parzen, looked at every 10 epochs.  [default: last]",
)
# How and where
@running.performed
@click.option(
    "--checkpoint-every",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Least time between two checkpoints of a training; 0: one after every step.",
)
@click.option(
    "--tensorboard", is_flag=True, help="Write what TensorBoard shows, while trials train: RESULTS/tensorboard."
)
@click.option(
    "--detach", is_flag=True, help="Leave trials to the queue of --engine slurm; the same command says how they stand."
)
@click.option("--fresh", is_flag=True, help="Train again what the store holds.")
@click.option("--fresh-scores", is_flag=True, help="Score again what the store holds, and train none of it.")
@running.shown
def command(words: tuple[str, ...], settings: tuple[str, ...], **given: Any) -> int:
    """Train models with several seeds, score them, print ranked tables and write RESULTS/leaderboard.csv.

    What RESULTS holds already is not done again. SUITE names a file of settings (genbench list suites); options win
    over it.
    """
    printed = running.Printed.of(given)
    seeds, seed = given.pop("seeds"), given.pop("seed")
    if seeds is not None and seed is not None:
        raise RequestError("--seeds and --seed are both given; expected one of them")
    asked = RunSettings(
        suite=_suite(words),
        options=running.parse_settings(settings),
        seeds=[seed] if seed is not None else suites.parse_seeds(seeds) if seeds is not None else None,
        **running.lists(given, "models"),
        **given,
    )
    return running.perform(planning.plan(asked), printed)


def _suite(words: tuple[str, ...]) -> str | None:
    """Return the suite that is asked for. Raises RequestError for words that can be meant as none."""
    if not words:
        return None
    if len(words) > 1 or not (suites.is_one(words[0]) or did_you_mean(words[0], suites.available())):
        stray_words.check_words(words)
        if (error := stray_words.no_suite(words)) is not None:
            raise error
    return words[0]
