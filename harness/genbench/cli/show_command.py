"""genbench show: what a name stands for, and how a stored trial or row was made."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import click

from genbench import files
from genbench.abilities import abilities
from genbench.cli.paths import path
from genbench.errors import RequestError, printable
from genbench.output.console import stdout_console
from genbench.output.listing import listing
from genbench.ranking.filters import Filter
from genbench.registry import comments, options, spec
from genbench.registry.plugins import KINDS, Entry, Registry, load_registry
from genbench.registry.resolve import Resolver
from genbench.registry.search_space import search_space
from genbench.runs import suites
from genbench.store.layout import RECORD
from genbench.store.store import Store

TRIAL = re.compile(r"[0-9a-f]{4,12}")
"""What may be the first digits of a trial's id."""


ELSEWHERE = "genbench list; of a stored trial or row, give --results FOLDER too"


@click.command("show")
@click.argument("name", metavar="NAME|TRIAL|ROW")
@click.option("--results", type=path, metavar="FOLDER", help="Folder of the trial or row.  [default: results]")
@click.option("--metrics", "--metric", multiple=True, metavar="NAMES", help="A row under these metrics only.")
@click.option("--datasets", "--dataset", "-d", multiple=True, metavar="NAMES", help="A row on these datasets only.")
@click.option("--target", type=click.Choice(["test", "valid"]), help="A row of scores against this split only.")
def command(
    name: str, results: Path | None, metrics: tuple[str, ...], datasets: tuple[str, ...], target: str | None
) -> int:
    """Show what NAME stands for (description, options, presets, abilities), or how a TRIAL or ROW was made.

    NAME is a plugin's, a suite's, or that of a class in a file, ./mine.py:MyModel. TRIAL is the id, its first digits or
    the folder of a stored trial. ROW is a model's label, with --metric, --dataset or --results: all its scores there.
    """
    place = results or Path("results")
    of_a_row = bool(metrics or datasets or target)
    if of_a_row or results is not None or not _names_plugin(name):
        from genbench.cli import stored_rows

        if not of_a_row and _is_trial(name, place):
            return stored_rows.show_trial(name, place)
        if of_a_row or results is not None:
            wanted = Filter(spec.split_all(metrics), spec.split_all(datasets), [name], target)
            return stored_rows.show_rows(name, place, wanted)
    return _show_named(name)


def _is_trial(name: str, results: Path) -> bool:
    """Return whether a text is the folder of a stored trial, or may be the beginning of an id in a results folder."""
    return (Path(name) / RECORD).is_file() or (TRIAL.fullmatch(name) is not None and Store(results).trials.is_dir())


def _names_plugin(name: str) -> bool:
    return spec.NAME.fullmatch(name) is not None and bool(load_registry().named(name) or name in suites.available())


def _show_named(name: str) -> int:
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
        raise registry.unknown("name", plain, everything, see=ELSEWHERE)
    for entry in found:
        _show(_checked(registry, entry, request, name))
    return 0


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
