"""A plugin's options: its dataclass fields, described for people and validated before anything trains."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from genbench.errors import DataError, PluginError, RequestError, did_you_mean, printable
from genbench.named_files import File
from genbench.registry import file_options, loading
from genbench.registry.spec import format_value


@dataclass(frozen=True)
class Option:
    """A field of a plugin: its type in words, its default, and whether results depend on it."""

    name: str
    hint: Any
    default: Any
    identity: bool

    @property
    def expected(self) -> str:
        """Return what values it takes, in words: "float > 0", "minimax or non-saturating"."""
        return in_words(self.hint)

    @property
    def is_file(self) -> bool:
        """Return whether it names a file, whose content counts."""
        return file_options.is_one(self.hint)


def declared(cls: type) -> dict[str, Option]:
    """Return a plugin's options by name. Raises PluginError where it is no dataclass or a field has no default."""
    where = loading.of_class(cls)
    if not dataclasses.is_dataclass(cls) or "__dataclass_fields__" not in vars(cls):
        raise PluginError(f"{where} is no dataclass: decorate it with @dataclass(eq=False)")
    if missing := sorted(getattr(cls, "__abstractmethods__", ())):
        raise PluginError(
            f"{where} lacks {', '.join(missing)}, which its kind of plugin must have: see the plugin guide"
        )
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except Exception as error:
        raise PluginError(f"{where}: options cannot be read: {type(error).__name__}: {printable(error)}") from error
    fields = [f for f in dataclasses.fields(cls) if f.init]
    found = [Option(f.name, hints[f.name], _default(f, where), f.metadata.get("identity", True)) for f in fields]
    for option in found:
        _check_file(option, where)
    return {option.name: option for option in found}


def _check_file(option: Option, where: str) -> None:
    """Raise PluginError for an option that names files in a way that their content could not be part of identities."""
    if not file_options.has_some(option.hint):
        return
    if not option.is_file:
        wrong = f"is of type {option.expected}; expected genbench.File or genbench.File | None"
    elif option.default is not None:
        wrong = (
            f"has the default {printable(repr(option.default), 60)}; expected None: who uses the plugin names the file"
        )
    elif not option.identity:
        wrong = "is a file and a setting; expected no setting, since results depend on what is in a file"
    else:
        return
    raise PluginError(f"{where}: option {option.name} {wrong}")


def _default(field: dataclasses.Field[Any], where: str) -> Any:
    """Return a field's default, as it is written. Raises PluginError where it has none that JSON could hold."""
    default = field.default
    if default is dataclasses.MISSING:
        if field.default_factory is dataclasses.MISSING:
            raise PluginError(f"{where}: options cannot be read: {field.name} has no default; expected one for each")
        default = field.default_factory()
    try:
        _plain(default)
    except (TypeError, ValueError) as error:
        raise PluginError(
            f"{where}: option {field.name} has the default {printable(repr(default), 60)}, which cannot be stored; "
            "expected numbers, text, true, false, None, or tuples of these"
        ) from error
    return default


def in_words(hint: Any) -> str:
    """Return a type annotation in words."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        return " ".join([in_words(arguments[0]), *filter(None, map(_bound_in_words, arguments[1:]))])
    if origin is Literal:
        return " or ".join(str(argument) for argument in arguments)
    if origin in (tuple, list):
        return f"list of {in_words(arguments[0])}" if arguments else "list"
    if arguments:
        return " or ".join(in_words(argument) for argument in arguments)
    return {str: "text", type(None): "nothing", File: "the path of a file"}.get(
        hint, getattr(hint, "__name__", str(hint))
    )


def _bound_in_words(bound: object) -> str:
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "min_length": "length >=", "max_length": "length <="}
    found = [f"{sign} {getattr(bound, name)}" for name, sign in signs.items() if getattr(bound, name, None) is not None]
    return " ".join(found)


def complete(cls: type, who: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options as JSON values: those given, validated, and the defaults of the others.

    A file that an option names is hashed, and stands there with path and digest. Raises RequestError for an unknown
    name or a value out of type or range; true is no int, nan and inf are refused.
    """
    options = declared(cls)
    see = f"See: genbench show {who}"
    for name in given:
        if name not in options:
            listed = f" Known: {', '.join(options)}." if options else " It has none."
            raise RequestError(f"{who} has no option {printable(name)!r}.{did_you_mean(name, options)}{listed} {see}")
    return {
        name: _validated(option, given[name], who) if name in given else _plain(option.default)
        for name, option in options.items()
    }


def _validated(option: Option, value: Any, who: str) -> Any:
    """Return a value in canonical form: 1 for a float becomes 1.0, a list for a tuple stays a list."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    if option.is_file:
        return _file(option, value, who)
    adapter: TypeAdapter[Any] = TypeAdapter(option.hint, config=ConfigDict(strict=True, allow_inf_nan=False))
    try:
        return _plain(adapter.validate_json(json.dumps(value), strict=True))
    except (ValidationError, ValueError, TypeError) as error:
        shown = _shown(value)
        if isinstance(value, str) and not _is_text(value):
            raise RequestError(
                f"{who}: option {option.name} is {shown}, with bytes that are no text here; expected text. Rename the "
                "file, or set LC_ALL=C.UTF-8"
            ) from error
        raise RequestError(
            f"{who}: option {option.name} is {shown}; expected {option.expected}. See: genbench show {who}"
        ) from error


def _file(option: Option, value: Any, who: str) -> Any:
    """Return what stands for a file that an option names. Raises RequestError where there is none to be read."""
    try:
        return file_options.completed(value)
    except DataError as error:
        raise RequestError(
            f"{who}: option {option.name} is {_shown(value)}: {error}; expected {option.expected}. "
            f"See: genbench show {who}"
        ) from error


def _shown(value: Any) -> str:
    """Return a value as it would be typed, or as Python prints what cannot be."""
    try:
        return printable(format_value(value), 60)
    except (TypeError, ValueError):
        return printable(repr(value), 60)


def _is_text(value: str) -> bool:
    """Return whether a text is one, and not bytes of a file's name that the locale cannot read."""
    return not any("\ud800" <= c <= "\udfff" for c in value)


def _plain(value: Any) -> Any:
    """Return a value as JSON would give it back."""
    return json.loads(json.dumps(value))


def construct(cls: type, options: Mapping[str, Any]) -> Any:
    """Return the plugin made with options in JSON form; lists become tuples where the field is one."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return cls(**{name: _as_declared(hints[name], value) for name, value in options.items()})


def _as_declared(hint: Any, value: Any) -> Any:
    if get_origin(hint) is typing.Annotated:
        return _as_declared(get_args(hint)[0], value)
    if file_options.is_one(hint) and value is not None:
        return File(**value)
    return tuple(value) if get_origin(hint) is tuple and isinstance(value, list) else value
