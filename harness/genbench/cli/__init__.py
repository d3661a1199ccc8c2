"""The command line: one module per command, which parses, calls and prints. `main` turns errors into exit codes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import click

from genbench.cli import first_mistakes, stray_words
from genbench.cli.command_list import COMMANDS, FORMER
from genbench.cli.complaints import DEBUG, complain, is_of_the_system, of_the_system, one_line
from genbench.cli.limits import lacking
from genbench.cli.streams import drop_unwritable, prepare_streams
from genbench.errors import GenbenchError, Interrupted, printable

SIGNALLED = 128
"""The exit code of a command that a signal stopped, less the number of the signal."""


class Unwritten(Exception):
    """What was to be printed could not be: nobody reads it any more."""


@contextlib.contextmanager
def _reading_goes_on() -> Iterator[None]:
    """Turn a closed pipe into Unwritten, before click makes an exit code of its own of it."""
    try:
        yield
    except BrokenPipeError as error:
        raise Unwritten from error


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order they are shown."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return a command, also by a former name."""
        name = FORMER.get(name, name)
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"genbench.cli.{name}_command").command
        debug = click.Option(["--debug"], is_flag=True, expose_value=False, help=DEBUG)
        if not any(param.name == "debug" for param in command.params):
            command.params.append(debug)
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the arguments, which prints help where that is asked for."""
        with _reading_goes_on():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and print what is left in the buffers."""
        try:
            with _reading_goes_on():
                result = super().invoke(ctx)
                sys.stdout.flush()
                return result
        except click.UsageError as error:
            raise first_mistakes.answer(error) from error

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and keep them as they were typed."""
        stray_words.keep(ctx, args)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, or answer an unknown name with the nearest."""
        if args and args[0] not in {**COMMANDS, **FORMER} and not args[0].startswith("-"):
            raise click.UsageError(first_mistakes.unknown_command(args[0], COMMANDS), ctx)
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            first_mistakes.check_once(command, ctx, rest)
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands from the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from importlib import metadata

        click.echo(f"genbench {metadata.version('genbench')}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def command_line() -> None:
    """Benchmark generative models: train under one protocol, score under named ones, rank honestly.

    Begin with: genbench run --models gan,vae --metric parzen
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (default: this process's); return its exit code: 0 done, 1 some trials failed, 2 wrong use.

    A command that was interrupted returns 130, as shells expect.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    set_environment()
    prepare_streams()
    if problem := lacking(arguments):
        return complain(problem)
    try:
        code: Any = command_line.main(arguments, prog_name="genbench", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except (click.ClickException, GenbenchError) as error:
        if "--debug" in arguments:
            raise
        return complain(one_line(error))
    except (KeyboardInterrupt, click.Abort) as error:
        return _interrupted(error.__cause__ or error)  # click wraps what Ctrl-C raises
    except Unwritten:
        drop_unwritable()
        return 0
    except Exception as error:
        if "--debug" in arguments:
            raise
        drop_unwritable()
        if is_of_the_system(error):
            return complain(of_the_system(error))
        return complain(f"unexpected {type(error).__name__}: {printable(error)}. For the traceback, add --debug")


def set_environment() -> None:
    """Set what must be set before torch and matplotlib are imported."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["MPLBACKEND"] = "agg"  # files are all that is drawn; a notebook's backend is not to be had here


def _interrupted(error: BaseException) -> int:
    saved = isinstance(error, Interrupted)
    said = str(error) if saved else "interrupted at once; finished stages and the last checkpoints are kept"
    print(f"genbench: {said}. To go on from there, give the same command again.", file=sys.stderr)
    return SIGNALLED + (error.signal if isinstance(error, Interrupted) else 2)
