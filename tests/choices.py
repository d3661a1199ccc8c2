"""The built-in plugins as the registry has them, and short requests for them: every choice, every preset."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, get_args, get_origin

from genbench.registry.options import Option, declared
from genbench.registry.plugins import Entry, load_registry
from genbench.registry.spec import format_value

SMALL: Mapping[str, object] = {
    **{"batch": 500, "burn_in": 1, "thin": 1, "subsets": 5, "runs": 2},
    **{"temperatures": 20, "posterior_temperatures": 5, "images": 10, "simulated": 4},
}
"""What keeps models and metrics short, as far as they have these options."""

MOST = 20
"""Units, maps and chains of a preset are cut down to as many."""

NO_SIZES = {"batch", "epochs", "burn_in", "thin", "k", "momentum_epochs"}


def builtin(kind: str) -> list[Entry]:
    return [entry for entry in load_registry().entries(kind) if entry.plugin.distribution == "genbench"]


def text_of(name: str, options: Mapping[str, object]) -> str:
    given = ",".join(f"{option}={format_value(value)}" for option, value in sorted(options.items()))
    return f"{name}[{given}]" if given else name


def short(options: Mapping[str, Option]) -> dict[str, object]:
    """Return the options that make a model short: an epoch of few steps, and chains that are hardly run."""
    found = {name: value for name, value in SMALL.items() if name in options}
    if "epochs" in options:
        found["epochs"] = [1] if isinstance(options["epochs"].default, tuple) else 1
    return found


def shortened(entry: Entry) -> str:
    """Return a model or metric with its defaults, short."""
    return text_of(entry.name, short(declared(entry.load())))


def other_values(option: Option) -> list[object]:
    """Return what an option of few values takes beside its default."""
    if option.hint is bool:
        return [not option.default]
    if get_origin(option.hint) is Literal:
        return [value for value in get_args(option.hint) if value != option.default]
    return []


def choices(entry: Entry) -> Iterator[str]:
    """Yield a model with the first other value of every option that has few, then the second of each, and so on."""
    options = declared(entry.load())
    others = {name: values for name, option in options.items() if (values := other_values(option))}
    for turn in itertools.zip_longest(*others.values()):
        chosen = {name: value for name, value in zip(others, turn, strict=True) if value is not None}
        yield text_of(entry.name, short(options) | chosen)


def cut(value: object) -> object:
    """Return a preset's size, or list of sizes, at most MOST."""
    if isinstance(value, tuple | list):
        return [cut(each) for each in value]
    return min(value, MOST) if type(value) is int else value


def presets(entry: Entry) -> Iterator[str]:
    """Yield a model's presets, cut down."""
    cls = entry.load()
    options = declared(cls)
    for name, preset in cls.presets.items():
        sizes = {option: cut(value) for option, value in preset.items() if option not in NO_SIZES}
        smaller = {
            option: value for option, value in sizes.items() if format_value(value) != format_value(preset[option])
        }
        smaller |= {"epochs": 3, "below_from": 1} if "below_from" in preset else {}
        yield text_of(f"{entry.name}@{name}", short(options) | smaller)


def joined(texts: Iterable[str]) -> str:
    return ",".join(texts)
