"""genbench plugins: which are installed, and what is wrong with the broken ones."""

from __future__ import annotations

import click

from genbench.output.console import stdout_console
from genbench.output.listing import listing
from genbench.registry.plugins import KINDS, load_registry


@click.command("plugins")
def command() -> None:
    """List installed plugins with what they register; a broken one with its reason. Hurts no other."""
    registry = load_registry()
    entries = [entry for kind in KINDS for entry in registry.entries(kind)]
    rows = []
    for plugin in registry.plugins:
        names = [
            e.name for e in entries if (e.plugin.name, e.plugin.distribution) == (plugin.name, plugin.distribution)
        ]
        state = f"BROKEN: {plugin.problem}" if plugin.problem else "ok"
        rows.append((plugin.name, f"{plugin.distribution} {plugin.version}", state, ", ".join(names)))
    stdout_console().print(listing("plugins", rows))
