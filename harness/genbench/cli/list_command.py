"""genbench list: what there is to choose from."""

from __future__ import annotations

import click

from genbench import toml
from genbench.errors import unknown
from genbench.output.console import stdout_console
from genbench.output.listing import listing
from genbench.registry.plugins import BUILTIN, KINDS, Registry, load_registry
from genbench.runs import suites

WHAT = [kind.plural for kind in KINDS.values()] + ["suites"]


@click.command("list")
@click.argument("what", required=False, metavar="[models|metrics|datasets|suites|extractors|engines]")
def command(what: str | None) -> None:
    """List the names that can be given to a run, with a line on each."""
    if what is not None and what not in WHAT:
        raise unknown("kind", what, WHAT)
    registry = load_registry()
    console = stdout_console()
    for plural in [what] if what else WHAT:
        rows = _suites() if plural == "suites" else _entries(registry, plural.removesuffix("s"))
        console.print(listing(plural, rows))


def _entries(registry: Registry, kind: str) -> list[tuple[str, str]]:
    return [
        (e.name, e.summary if e.plugin.distribution == BUILTIN else f"{e.summary} ({e.plugin.distribution})")
        for e in registry.entries(kind)
    ]


def _suites() -> list[tuple[str, str]]:
    return [(name, str(toml.read(path).get("title", ""))) for name, path in suites.available().items()]
