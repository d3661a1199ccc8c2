"""genbench data: datasets prepared, verified, located."""

from __future__ import annotations

import click

from genbench.data.cache import Prepared, prepare
from genbench.data.folders import cache_folder, data_folder
from genbench.errors import printable
from genbench.output.console import stdout_console
from genbench.output.numbers import image_words
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver


@click.group("data", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Prepare, verify or locate datasets."""


@command.command("prepare")
@click.argument("names", nargs=-1, required=True)
@click.option("--fresh", is_flag=True, help="Prepare again, also where it was prepared.")
def prepare_command(names: tuple[str, ...], fresh: bool) -> None:
    """Prepare datasets: download where needed, check, digest, store for memory mapping."""
    for name in names:
        _print(name, _prepared(name, fresh))


@command.command("verify")
@click.argument("names", nargs=-1, required=True)
def verify_command(names: tuple[str, ...]) -> None:
    """Compare prepared datasets with their digests, bit for bit."""
    for name in names:
        data = _prepared(name)
        data.verify()
        _print(name, data, "verified: ")


@command.command("path")
@click.argument("name", required=False)
def path_command(name: str | None) -> None:
    """Print where data lies: the folder of a prepared dataset, or the data and cache folders."""
    if name is None:
        click.echo(f"data   {data_folder()}\ncache  {cache_folder()}")
    else:
        click.echo(str(_prepared(name).folder))


def _prepared(name: str, fresh: bool = False) -> Prepared:
    resolved = Resolver(load_registry(), cache_folder()).resolve("dataset", name)
    return prepare(resolved.instantiate(), resolved.identity, fresh=fresh)


def _print(name: str, data: Prepared, before: str = "") -> None:
    stdout_console().print(
        printable(f"{before}{name}, {image_words(data.shape, data.sizes)}; digest {data.digest[:16]}"), soft_wrap=True
    )
    for note in data.notes:
        stdout_console().print(printable(f"! {name}: {note}"), soft_wrap=True)
