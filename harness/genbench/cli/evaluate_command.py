"""genbench evaluate: score and rank images made elsewhere."""

from __future__ import annotations

from typing import Any

import click

from genbench.cli import running, stray_words
from genbench.errors import RequestError, printable
from genbench.runs import external
from genbench.runs.settings import RunSettings


def _samples(context: click.Context, option: click.Parameter, value: str | None) -> int | str | None:
    """Return a number from 1, "all" or None."""
    if value in (None, "all"):
        return value
    if not value.isdecimal() or not 0 < int(value) < 10**12:
        raise click.BadParameter(f"{printable(value, 40)!r}: expected a number from 1, or all")
    return int(value)


@click.command("evaluate")
@click.argument("sources", nargs=-1, metavar="NAME=PATHS...")
@click.option(
    "--samples-are",
    multiple=True,
    metavar="[NAME=]WORDS",
    help="draws, means, clipped, reconstructions or 'real images': of all, or of one.  [default: not said]",
)
@running.scored
@running.compared
@click.option(
    "--samples", callback=_samples, metavar="N|all", help="Samples that metrics score, or all that each file has."
)
@running.under
@running.performed
@click.option("--fresh", is_flag=True, help="Read and score again what the store holds.")
@click.option("--fresh-scores", is_flag=True, help="Score again what the store holds.")
@running.shown
def command(
    sources: tuple[str, ...],
    samples_are: tuple[str, ...],
    settings: tuple[str, ...],
    **given: Any,
) -> int:
    """Score images made elsewhere as trained models are: the same tables, protocols and RESULTS.

    PATHS are .npz and .safetensors files (with an array "images"), .npy files or folders of pictures and of such
    folders: several, by commas or as a quoted pattern ('runs/*.npz'), are the seeds of NAME. Images are of the
    dataset's shape, (n, C, H, W) or (n, H, W, C), uint8 or floats from 0 to 1; with --size they are resized to it.
    Without --samples, as many are scored as the smallest of all holds,
    if metrics usually ask for more.
    """
    printed = running.Printed.of(given)
    named, said = _by_name("", sources), _said(samples_are)
    asked = RunSettings(options=running.parse_settings(settings), **running.lists(given), **given)
    return running.perform(external.plan(named, asked, said), printed)


def _by_name(what: str, texts: tuple[str, ...]) -> dict[str, str]:
    """Return what stands behind each NAME=. Raises RequestError where there is no name, or one comes twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        if not equals:
            stray_words.check_words([text])
            raise RequestError(f"{printable(text)!r} has no name; expected NAME=PATH, as in ours=images.npz")
        if name in found:
            raise RequestError(
                f"{what}{printable(name)} is given twice; expected once, as in ours=a.npz,b.npz for two seeds"
            )
        found[name] = rest
    return found


def _said(texts: tuple[str, ...]) -> dict[str, str] | str | None:
    """Return what samples are said to be: of all sources, or by name."""
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    if any("=" not in text for text in texts):
        raise RequestError("--samples-are is given several times; expected NAME=WORDS each time, as in ours=draws")
    return _by_name("--samples-are ", texts) or None
