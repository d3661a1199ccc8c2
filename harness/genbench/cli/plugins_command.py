"""genbench plugins: which are installed, and what is wrong with the broken ones."""

from __future__ import annotations

from collections.abc import Iterator

import click

from genbench.errors import PluginError, printable
from genbench.output.console import stdout_console
from genbench.output.listing import listing
from genbench.registry import options
from genbench.registry.plugins import Plugin, Registry, load_registry


@click.command("plugins")
@click.option("--verify", is_flag=True, help="Import every class that is registered, and list those that cannot be.")
def command(verify: bool) -> int:
    """List installed plugins with what they register; a broken one with its reason. Hurts no other.

    With --verify, exit code 1 where anything is broken.
    """
    registry = load_registry()
    console = stdout_console()
    console.print(listing("plugins", [_row(registry, plugin) for plugin in registry.plugins]))
    if not verify:
        return 0
    faults = [fault for plugin in registry.plugins for fault in _faults(registry, plugin)]
    console.print()
    console.print(listing("names that cannot be loaded", faults) if faults else "every name can be loaded")
    return 1 if faults or any(plugin.problem for plugin in registry.plugins) else 0


def _row(registry: Registry, plugin: Plugin) -> tuple[str, ...]:
    state = f"BROKEN: {plugin.problem}" if plugin.problem else "ok"
    registered = ", ".join(entry.name for entry in registry.of(plugin))
    return plugin.name, f"{plugin.distribution} {plugin.version}", state, registered


def _faults(registry: Registry, plugin: Plugin) -> Iterator[tuple[str, ...]]:
    """Import what a plugin registered; yield each name that cannot be used, with the reason."""
    for entry in registry.of(plugin):
        try:
            options.declared(entry.load())
        except PluginError as error:
            yield plugin.name, f"{entry.kind} {entry.name}", printable(error)
