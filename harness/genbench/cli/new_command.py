"""genbench new: the project of a new plugin."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from genbench import scaffold
from genbench.cli.paths import path
from genbench.errors import printable
from genbench.registry.plugins import load_registry


@click.group("new", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Make something new to work on."""


@command.command("plugin")
@click.argument("name")
@click.option("--into", type=path, metavar="FOLDER", default=".", help="Where to make it. Default: here.")
def plugin_command(name: str, into: Path) -> None:
    """Make the project NAME: a model, a metric and their tests, which work as they are and are there to be changed."""
    project = scaffold.plan(name, load_registry())
    folder = scaffold.make(project, into)
    click.echo(f"{printable(folder)}: model {project.name} and metric {project.metric}, in {project.package}")
    for file in project.texts():
        click.echo(f"  {file}")
    click.echo("Next:")
    for line in _next(project, folder):
        click.echo(f"  {line}")


def _next(project: scaffold.Project, folder: Path) -> list[str]:
    """Return the commands to type, in their order."""
    return [
        f"cd {printable(shlex.quote(str(folder)))}",
        "python -m pip install -e '.[dev]'",
        "python -m pytest",
        f"genbench check {project.name} {project.metric}",
        f"genbench run --models {project.name},vae --metric {project.metric},parzen",
    ]
