"""Options that name files: the path as typed, the content as identity, and what stands for both in plain data.

Among a plugin's complete options, such a value is {"path": ..., "sha256": ...}. As resolved, it is taken apart: the
content, as "sha256:...", is one of the options, that results depend on, and the path a setting of the same name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from genbench.errors import DataError, RequestError, printable
from genbench.named_files import File
from genbench.registry import spec

PREFIX = "sha256:"


# Types ---------------------------------------------------------------------------------------------------------------


def is_one(hint: Any) -> bool:
    """Return whether a type is that of an option that names a file: genbench.File, or that or None."""
    if get_origin(hint) is Annotated:
        return is_one(get_args(hint)[0])
    return hint is File or (bool(get_args(hint)) and set(get_args(hint)) == {File, NoneType})


def has_some(hint: Any) -> bool:
    """Return whether files are anywhere in a type."""
    return hint is File or any(map(has_some, get_args(hint)))


# Values --------------------------------------------------------------------------------------------------------------


def completed(value: Any) -> dict[str, str] | None:
    """Return the value of an option in plain data: of a path, the file as it is now.

    What is complete already is held to the file. Raises DataError for no path, and for content that is another.
    """
    if value is None:
        return None
    if isinstance(value, Mapping) and set(value) == {"path", "sha256"}:
        found = completed(value["path"])
        if found is None or found["sha256"] != value["sha256"]:
            raise DataError(f"its content is not of SHA-256 {printable(value['sha256'], 80)}")
        return found
    if not isinstance(value, str) or not value.strip():
        raise DataError("that is no path")
    return plain(File.at(value))


def plain(file: object) -> dict[str, str]:
    """Return a file as plain data. Raises TypeError for anything else, as json's `default` does."""
    if not isinstance(file, File):
        raise TypeError(f"{type(file).__name__} is no plain value")
    return {"path": file.path, "sha256": file.sha256}


def typed(options: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return complete options as they can be typed: of a file, its path, as it was given where it was."""
    paths = {name: value["path"] for name, value in options.items() if isinstance(value, Mapping)}
    as_given = {name: text for name, text in (given or {}).items() if name in paths and isinstance(text, str)}
    return {**options, **paths, **as_given}


# As resolved ---------------------------------------------------------------------------------------------------------


def of(options: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, File]:
    """Return the files of a plugin as resolved, by option."""
    return {
        name: File(str(settings[name]), value.removeprefix(PREFIX))
        for name, value in options.items()
        if name in settings and isinstance(value, str) and value.startswith(PREFIX)
    }


def of_record(resolved: Mapping[str, Any]) -> dict[str, File]:
    """Return the files of a plugin as resolved, from a record, which may lack what older ones had not."""
    options, settings = (resolved.get(name) for name in ("options", "settings"))
    return of(options, settings) if isinstance(options, Mapping) and isinstance(settings, Mapping) else {}


def apart(option: str, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what of a file is an option and what a setting; one that is not named changes no identity."""
    if value is None:
        return {}, {option: None}
    return {option: f"{PREFIX}{value['sha256']}"}, {option: value["path"]}


def shown(resolved: Mapping[str, Any]) -> str:
    """Return the label of a plugin as resolved, perhaps from a record, with the names of files for their paths."""
    label: str = resolved["label"]
    found = of_record(resolved)
    inner = (resolved.get("traits") or {}).get("extractor")
    try:
        request = spec.parse(label) if found or inner else None
    except RequestError:  # a record may hold any text
        return label
    return label if request is None else spec.format_request(_with_names(request, found, inner))


def _with_names(request: spec.Request, found: Mapping[str, File], inner: Any) -> spec.Request:
    """Return a request with the names of its files, and of those of the extractor that it names."""
    options = {name: _name(value) if name in found else value for name, value in request.options.items()}
    unnamed = request.positional
    if any(name not in options and _name(unnamed) == _name(file.path) for name, file in found.items()):
        unnamed = _name(unnamed)
    if isinstance(inner, Mapping) and isinstance(inner.get("label"), str):
        short = shown(inner)
        unnamed = short if unnamed == inner["label"] else unnamed
        options = {name: short if value == inner["label"] else value for name, value in options.items()}
    return replace(request, options=options, positional=unnamed)


def _name(path: Any) -> Any:
    return os.path.basename(path) if isinstance(path, str) else path


def digits(resolved: Mapping[str, Any]) -> str:
    """Return the first digits of the content of each file of a plugin as resolved."""
    found = of_record(resolved)
    return printable(" ".join(file.sha256[:8] for file in found.values()), 80)
