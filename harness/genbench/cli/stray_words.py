"""Words that stand alone on a command line and are none of what it takes: what they were probably meant as."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile

import click

from genbench.errors import GenbenchError, RequestError, printable

KINDS = ("model", "metric", "dataset")
"""The kinds of plugins whose options can be set from the command line."""


# The command line as it was typed ------------------------------------------------------------------------------------


def keep(context: click.Context, arguments: Sequence[str]) -> None:
    """Keep a command line as it was typed, for what is asked of it later."""
    context.meta[__name__] = list(arguments)


def typed(context: click.Context) -> list[str]:
    """Return the command line as it was typed."""
    kept: list[str] = context.meta.get(__name__, [])
    return kept


# Behind an option that takes several by commas -----------------------------------------------------------------------


def check_words(words: Sequence[str]) -> None:
    """Raise RequestError where words of the command line stand behind an option that takes several by commas.

    To be asked where the words are none of what the command takes by themselves.
    """
    context = click.get_current_context()
    advice = by_blanks(context.command, typed(context))
    if words and advice:
        raise RequestError(advice)


def by_blanks(command: click.Command, arguments: Sequence[str]) -> str:
    """Return the advice for values that were given to one option by blanks, or "": values are what the option takes."""
    several = {name: option for option in command.params if option.name in TAKES for name in option.opts}
    for place, argument in enumerate(arguments):
        name, equals, first = argument.partition("=")
        if name not in several:
            continue
        behind = list(takewhile(lambda word: not word.startswith("-"), arguments[place + 1 :]))
        values = [*([first] if equals else []), *behind]
        together = _together(str(several[name].name), name, [value.strip(",") for value in values])
        if together:
            return f"{printable(' '.join([name, *values]))}: parted by blanks; expected {printable(together)}"
    return ""


def _together(option: str, name: str, values: Sequence[str]) -> str:
    """Return values that were parted by blanks as they are typed, as far as the option takes them; "" for one alone."""
    if option == "settings":
        return _settings(name, values)
    taken = [*values[:1], *takewhile(TAKES[option], values[1:])]
    return f"{name} {','.join(taken)}" if len(taken) > 1 else ""


def _settings(name: str, values: Sequence[str]) -> str:
    """Return settings as they are typed: of gan.lr 0.1, gan.lr = 0.1, and of several behind one option."""
    text = re.sub(r"\s*=\s*", "=", " ".join(values))
    if "=" not in text and len(values) == 2:
        text = "=".join(values)
    settings = [*takewhile(TAKES["settings"], text.split())]
    together = " ".join(f"{name} {setting}" for setting in settings)
    return together if len(values) > 1 and settings and together != f"{name} {values[0]}" else ""


def _is_a(kind: str) -> Callable[[str], bool]:
    """Return what tells whether a word names a plugin of a kind."""
    return lambda word: word in ("all", "none") or kind in _kinds(word)


def _is_figure(word: str) -> bool:
    from genbench.figures.kinds import KINDS as FIGURES

    return word in FIGURES


def _is_step(word: str) -> bool:
    return word.isdecimal() or word == "end"


TAKES: Mapping[str, Callable[[str], bool]] = {
    "models": _is_a("model"),
    "reference": _is_a("model"),
    "metrics": _is_a("metric"),
    "datasets": _is_a("dataset"),
    "kinds": _is_figure,
    "seeds": str.isdecimal,
    "steps": _is_step,
    "settings": lambda word: re.fullmatch(r"\S+\.\w+=\S+", word) is not None,
}
"""The options that take several values by commas, or come several times, and which words are values of theirs."""


# Where a suite can stand ---------------------------------------------------------------------------------------------


def no_suite(words: Sequence[str]) -> RequestError | None:
    """Return what to say of words that stand where a suite can, or None where they may be meant as one."""
    shown = printable(" ".join(words))
    if any(word.endswith(".py") for word in words):
        return RequestError(f"{shown!r} is no suite; expected a class in the file: --models {shown}:MyModel")
    if options := _as_options(words):
        return RequestError(f"{shown!r} is no suite; expected {printable(options)}")
    return RequestError(f"{shown!r}: expected one suite at most, and all else by options") if len(words) > 1 else None


def _as_options(words: Sequence[str]) -> str:
    """Return the options that plugins are named by, each with its names: --models gan,vae --datasets mnist; or ""."""
    from genbench.registry import spec
    from genbench.registry.plugins import KINDS as ALL

    try:
        parts = spec.split_all(words)
    except GenbenchError:
        return ""
    kinds = [next(iter(_kinds(part)), "") for part in parts]
    if not all(kinds):
        return ""
    named = {kind: [part for part, its in zip(parts, kinds, strict=True) if its == kind] for kind in KINDS}
    return " ".join(f"--{ALL[kind].plural} {','.join(found)}" for kind, found in named.items() if found)


def _kinds(word: str) -> list[str]:
    """Return the kinds of plugins that a word names, of those that are asked for by options."""
    from genbench.registry import spec
    from genbench.registry.plugins import load_registry

    registry, name = load_registry(), spec.plain(word)
    registered = {kind: {entry.name for entry in registry.entries(kind)} for kind in KINDS}
    return [kind for kind in KINDS if name in registered[kind] or (kind == "model" and ".py:" in word)]
