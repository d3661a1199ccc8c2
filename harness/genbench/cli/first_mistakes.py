"""What was typed and is not taken, answered with what to type instead."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import click

from genbench.cli import stray_words
from genbench.cli.command_list import COMMANDS
from genbench.errors import GenbenchError, did_you_mean, printable

if TYPE_CHECKING:
    from genbench.registry.plugins import Entry, Registry

SYNONYMS = {
    **dict.fromkeys(("train", "fit", "start", "bench", "benchmark"), "run"),
    **dict.fromkeys(("search", "sweep", "hpo", "optimise", "optimize"), "tune"),
    **dict.fromkeys(("eval", "score", "test"), "evaluate"),
    **dict.fromkeys(("results", "rank", "table", "tables", "export"), "leaderboard"),
    **dict.fromkeys(("html", "page", "dashboard"), "report"),
    **dict.fromkeys(("diff", "versus", "vs"), "compare"),
    **dict.fromkeys(("audit", "reproduce"), "verify"),
    **dict.fromkeys(("plot", "plots", "draw", "sample", "samples"), "figures"),
    **dict.fromkeys(("prepare", "download", "dataset", "datasets"), "data"),
    **dict.fromkeys(("models", "metrics", "suites"), "list"),
    **dict.fromkeys(("info", "describe"), "show"),
    **dict.fromkeys(("init", "create"), "new"),
    "help": "--help",
    "version": "--version",
}
"""What other tools call what ours does."""

FORMATS = ("csv", "json", "latex", "markdown")

RENAMED = {
    **dict.fromkeys(("output", "out", "o", "output-dir", "out-dir", "results-dir", "save", "save-dir"), "--results"),
    **dict.fromkeys(("n-samples", "num-samples", "n"), "--samples"),
    **dict.fromkeys(("n-trials", "num-trials", "n-iter", "configurations"), "--trials"),
    **dict.fromkeys(("n-seeds", "num-seeds", "repeats", "repetitions", "runs"), "--seeds"),
    **dict.fromkeys(("random-seed", "random-state"), "--seed"),
    **dict.fromkeys(("workers", "num-workers", "n-jobs", "processes"), "--jobs"),
    **dict.fromkeys(("data", "data-dir", "data-path", "data-root"), "--datasets"),
    **dict.fromkeys(("image-size", "img-size", "resolution"), "--size"),
    **dict.fromkeys(("force", "overwrite", "retrain"), "--fresh"),
    **dict.fromkeys(("steps", "max-steps", "iterations", "iters"), "--budget"),
    **dict.fromkeys(("gpu", "gpus", "cuda", "cpu"), "--device"),
    **dict.fromkeys(FORMATS, "--format"),
}
"""What other tools call options of ours, without the dashes."""

VALUES: Mapping[str, Callable[[str, str], str]] = {
    "--format": lambda name, value: name,
    "--device": lambda name, value: "cpu" if name == "cpu" else f"cuda:{value}" if value.isdecimal() else "cuda",
    "--budget": lambda name, value: f"{value if value.isdecimal() else 'N'}steps",
}
"""What options of ours take instead, by what was typed: the other's name and value."""

OPTIONS = {
    "batch-size": "batch",
    "learning-rate": "lr",
    "num-epochs": "epochs",
    "n-epochs": "epochs",
    "max-epochs": "epochs",
    "latent-dim": "latent",
    "z-dim": "latent",
    "optimizer": "optimiser",
}
"""What other tools call what options of plugins are mostly called here."""


def unknown_command(name: str, known: Iterable[str]) -> str:
    """Return what to say of a command that there is not."""
    meant = f" Did you mean {SYNONYMS[name]}?" if name in SYNONYMS else did_you_mean(name, known)
    return f"unknown command {printable(name)!r}.{meant}"


# Options given twice -------------------------------------------------------------------------------------------------


def check_once(command: click.Command, context: click.Context, arguments: Sequence[str]) -> None:
    """Raise UsageError where an option that takes one value comes twice: the last alone would count."""
    inner = click.Context(command, parent=context, info_name=command.name)
    if isinstance(command, click.Group):
        if arguments and (named := command.commands.get(arguments[0])):
            check_once(named, inner, arguments[1:])
        return
    try:
        _, _, given = command.make_parser(inner).parse_args(list(arguments))
    except click.UsageError:
        return  # reported when the command parses them
    for param, times in Counter(given).items():
        if times > 1 and isinstance(param, click.Option) and not (param.multiple or param.is_flag):
            takes_several = param.name in ("seed", "seeds") and _has_option(command, "--seeds")
            more = "; for several seeds, as in --seeds 1,2" if takes_several else ""
            raise click.UsageError(f"{param.opts[0]} is given {times} times; expected once{more}.", inner)


def _has_option(command: click.Command, name: str) -> bool:
    return any(name in option.opts for option in _options(command))


def _options(command: click.Command) -> list[click.Option]:
    return [param for param in command.params if isinstance(param, click.Option)]


# Options that there are not ------------------------------------------------------------------------------------------


def answer(error: click.UsageError) -> click.UsageError:
    """Return the answer to a command line that click refuses: the error itself where there is none better."""
    if error.ctx is None:
        return error
    arguments = stray_words.typed(error.ctx)
    if isinstance(error, click.NoSuchOption):
        return _unknown_option(error, error.ctx, arguments)
    advice = ""
    if "extra argument" in error.message:
        advice = stray_words.by_blanks(error.ctx.command, arguments)
    elif _is_of_seed(error) and _has_option(error.ctx.command, "--seeds"):
        advice = f"{error.format_message().removesuffix('.')}; for several seeds: --seeds 0,1"
    elif isinstance(error.ctx.command, click.Group) and "No such command" in (said := error.format_message()):
        known = ", ".join(error.ctx.command.list_commands(error.ctx))
        advice = "" if "Did you mean" in said else f"{said.removesuffix('.')}; expected one of: {known}"
    return click.UsageError(f"{advice}.", error.ctx) if advice else error


def _is_of_seed(error: click.UsageError) -> bool:
    return isinstance(error, click.BadParameter) and error.param is not None and error.param.name == "seed"


def _unknown_option(error: click.NoSuchOption, context: click.Context, arguments: Sequence[str]) -> click.UsageError:
    command, option = context.command, error.option_name
    name, value = option.lstrip("-"), _value_of(option, arguments)
    said = (
        _by_itself(context, name, value)
        or _renamed(command, name, value)
        or _of_plugins(command, name, value, arguments)
        or _elsewhere(command, option)
    )
    return click.UsageError(f"No such option {option!r}{said}.", context) if said else error


def _value_of(option: str, arguments: Sequence[str]) -> str:
    """Return the value that was given to an option, or ""."""
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == option:
            following = arguments[place + 1 : place + 2]
            return printable(value if equals else "".join(word for word in following if not word.startswith("-")))
    return ""


def _by_itself(context: click.Context, name: str, value: str) -> str:
    """Answer an option for what the command takes without one: genbench response --metric fid."""
    for param in context.command.params:
        if isinstance(param, click.Argument) and name.rstrip("s").upper() in _words(param):
            return f"; it is given by itself: {context.command_path} {value or name.upper()}"
    return ""


def _words(argument: click.Argument) -> list[str]:
    shown = (argument.metavar or str(argument.name)).upper()
    if shown.startswith("NAME"):
        return ["NAME", "MODEL", "METRIC", "DATASET", "SUITE"]
    return [word.rstrip("S") for word in shown.strip("[].").replace("]", "").split("|")]


def _renamed(command: click.Command, name: str, value: str) -> str:
    ours = RENAMED.get(name, "")
    if not _has_option(command, ours):
        return ""
    value = VALUES[ours](name, value) if ours in VALUES else value
    return f"; expected {ours}{' ' if value else ''}{value}"


def _of_plugins(command: click.Command, name: str, value: str, arguments: Sequence[str]) -> str:
    """Answer an option of a plugin, as typed or as it is called here: of those that were typed, else of any."""
    if not _has_option(command, "--set"):
        return ""
    from genbench.registry.plugins import load_registry

    registry = load_registry()
    typed = [entry for word in arguments for entry in _entries(registry, word)]
    known = [entry for kind in stray_words.KINDS for entry in registry.entries(kind)]
    spellings = [each.replace("-", "_") for each in dict.fromkeys((name, OPTIONS.get(name, name)))]
    for entries in (typed, known):
        for option in spellings:
            if having := [entry.name for entry in entries if _has(entry, option)]:
                return _set(having, option, value or "VALUE", is_typed=entries is typed)
    return ""


def _set(having: Sequence[str], option: str, value: str, is_typed: bool) -> str:
    """Answer an option that these plugins have."""
    if not is_typed:
        return f"; expected --set NAME.{option}={value}, with the name of what has it, as {having[0]} has"
    each = " ".join(f"--set {plugin}.{option}={value}" for plugin in having)
    return f", which {' and '.join(having)} {'has' if len(having) == 1 else 'have'}; expected {each}"


def _entries(registry: Registry, text: str) -> list[Entry]:
    """Return the plugins that a word of the command line names, of kinds whose options can be set."""
    from genbench.registry import spec

    with contextlib.suppress(GenbenchError):
        given = text.partition("=")[2] if text.startswith("--") else text
        requests = [spec.parse(part).name for part in spec.split(given)]
        found = [entry for name in dict.fromkeys(requests) for entry in registry.named(name)]
        return [entry for entry in found if entry.kind in stray_words.KINDS]
    return []


def _has(entry: Entry, option: str) -> bool:
    from genbench.registry import options

    with contextlib.suppress(GenbenchError):
        return option in options.declared(entry.load())
    return False


def _elsewhere(command: click.Command, option: str) -> str:
    """Answer an option of other commands."""
    modules = {name: import_module(f"genbench.cli.{name}_command") for name in COMMANDS if name != command.name}
    having = [name for name, module in modules.items() if any(option in o.opts for o in _options(module.command))]
    listed = " and ".join(filter(None, [", ".join(having[:-1]), *having[-1:]]))
    return f"; it is one of genbench {listed}" if having else ""
