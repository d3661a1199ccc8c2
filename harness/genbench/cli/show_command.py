"""genbench show: what a name stands for."""

from __future__ import annotations

import inspect
from typing import Any

import click

from genbench import files
from genbench.abilities import abilities
from genbench.errors import RequestError, printable
from genbench.output.console import stdout_console
from genbench.output.listing import listing
from genbench.registry import comments, options, spec
from genbench.registry.plugins import KINDS, Entry, Registry, load_registry
from genbench.registry.resolve import Resolver
from genbench.registry.search_space import search_space
from genbench.runs import suites


@click.command("show")
@click.argument("name")
def command(name: str) -> None:
    """Show what NAME stands for: description, options, presets, abilities.

    NAME is a plugin's, a suite's, or that of a class in a file, ./mine.py:MyModel.
    """
    request = spec.parse(name)
    plain = request.name
    registry = load_registry()
    found = registry.named(plain)
    known = suites.available()
    if plain in known and request != spec.Request(plain):
        raise RequestError(f"{printable(name)!r}: {plain} is a suite; expected its name alone")
    if plain in known:
        click.echo(files.read_text(known[plain]), nl=False)
    elif not found:
        everything = {e.name for kind in KINDS for e in registry.entries(kind)} | set(known)
        raise registry.unknown("name", plain, everything, see="genbench list")
    for entry in found:
        _show(_checked(registry, entry, request, name))


def _checked(registry: Registry, entry: Entry, request: spec.Request, text: str) -> Entry:
    """Return the entry to show. Raises RequestError where preset or options that were given with its name are wrong."""
    if request != spec.Request(entry.name):
        Resolver(registry).resolve(entry.kind, text)
    return registry.find(entry.kind, entry.name)


def _show(entry: Entry) -> None:
    cls = entry.load()
    declared = options.declared(cls)
    console = stdout_console()
    console.print(f"{entry.name}: {entry.kind} of {entry.plugin.distribution}, version {cls.version}, {entry.target}\n")
    console.print(_reflowed(inspect.getdoc(cls) or entry.summary))
    console.print()
    meanings = comments.meanings(cls)
    rows = [(o.name, _shown(o.default), _expected(o), meanings.get(o.name, "")) for o in declared.values()]
    console.print(listing("options: default, expected, meaning", rows))
    for preset, values in cls.presets.items():
        given = ", ".join(f"{name}={_shown(value)}" for name, value in values.items())
        console.print(f"\n{entry.name}@{preset}: {given}")
    if searched := [(each.name, each.in_words) for each in search_space(cls).values()]:
        console.print()
        console.print(listing("search: what genbench tune draws from", searched))
    for fact in _facts(entry.kind, cls):
        console.print(f"\n{fact}")


def _expected(option: options.Option) -> str:
    return option.expected + ("" if option.identity else " (changes no result)")


def _reflowed(text: str) -> str:
    """Return a text whose paragraphs are one line each, to be wrapped by the terminal; indented ones stay."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(p if "\n " in p else p.replace("\n", " ") for p in paragraphs)


def _facts(kind: str, cls: type[Any]) -> list[str]:
    if kind == "model":
        able = ", ".join(abilities(cls)) or "none beside sampling"
        ready = "" if cls.trains else "; pretrained: it learns nothing here"
        return [f"family: {cls.family}; samples are {cls().samples_are}; abilities: {able}{ready}"]
    if kind == "metric":
        better = "higher" if cls.higher_is_better else "lower"
        return [f"{cls.title}, {cls.unit}, {better} is better. Protocol: {cls().describe()}"]
    return [cls.citation] if kind == "dataset" and cls.citation else []


def _shown(value: object) -> str:
    try:
        return spec.format_value(list(value) if isinstance(value, tuple) else value)  # type: ignore[arg-type]
    except TypeError as error:
        raise RequestError(f"default {printable(value)} cannot be shown: {printable(error)}") from error
