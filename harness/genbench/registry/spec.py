"""What a user types to name a plugin, taken apart and put together: gan, gan@paper, vae[latent=50], ./mine.py:Model."""

from __future__ import annotations

import json
import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from genbench.errors import RequestError, printable

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
OPTION = re.compile(r"[a-z][a-z0-9_]*")
BARE = re.compile(r"[A-Za-z_./~][A-Za-z0-9_./~+-]*")
FILE = re.compile(r"(?P<path>[^@\[\]:,\"]+\.py):(?P<cls>[^\W\d]\w*)")
REQUEST = re.compile(
    r"(?P<name>[^@\[\]:,\"]+\.py:[^@\[\]:]*|[^@\[\]:]*)"  # the colon of a file's class is no positional value's
    r"(@(?P<preset>[^\[\]:]*))?(:(?P<colon>\"[^\"]*\"|.*?))?(\[(?P<options>.*)\])?",
    re.DOTALL,
)
BARE_POINT = re.compile(r"[+-]?(\.\d+|\d+\.)([eE][+-]?\d+)?")
TOML_WORDS = {"true", "false", "inf", "nan"}

Value = bool | int | float | str | list["Value"]


@dataclass(frozen=True)
class Request:
    """A plugin as asked for: its name, a preset of it, its one positional value, and options with raw values.

    The name of a class in a file is its path and the class, as in ./mine.py:MyModel.
    """

    name: str
    preset: str | None = None
    positional: Value | None = None
    options: Mapping[str, Value] = field(default_factory=dict)


def parse(text: str, kind: str = "") -> Request:
    """Return the request that a text stands for, of a kind of plugin. Raises RequestError where it is malformed."""
    match = REQUEST.fullmatch(text.strip())
    if match is None or not (NAME.fullmatch(match["name"]) or is_file(match["name"])):
        raise _malformed(text.strip(), kind)
    preset, colon = match["preset"], match["colon"]
    if preset is not None and not NAME.fullmatch(preset):
        raise RequestError(f"malformed preset {printable(preset)!r} in {printable(text)!r}: expected as in gan@paper")
    if colon is not None and not colon.strip('"'):
        raise RequestError(f"nothing after ':' in {printable(text)!r}: expected a path, as in npz:images.npz")
    positional, options = _arguments(match["options"] or "", text)
    if colon is not None and positional is not None:
        raise RequestError(f"two unnamed values in {printable(text)!r}: expected one")
    return Request(match["name"], preset, positional if colon is None else colon.strip('"'), options)


def is_file(name: str) -> bool:
    """Return whether a name is that of a class in a file, ./mine.py:MyModel."""
    return FILE.fullmatch(name) is not None and name.isprintable()


def _malformed(text: str, kind: str) -> RequestError:
    name = plain(text)
    small = name.lower().replace("_", "-")
    if name != small and NAME.fullmatch(small):
        return RequestError(
            f"malformed name {printable(text)!r}: expected a name of small letters, digits and '-', as {small} is"
        )
    if kind == "dataset" and (expected := as_dataset(text)):
        return RequestError(f"dataset {printable(text)!r} is a path; expected {printable(expected)}")
    if ".py" in text or "/" in plain(text):
        return RequestError(
            f"malformed name {printable(text)!r}: expected the path of a Python file and a class in it, as in "
            "./mine.py:MyModel or ./mine.py:MyModel[lr=0.1]; no comma, colon, @, bracket or quote may be in the path"
        )
    return RequestError(
        f"malformed name {printable(text)!r}: expected a name of small letters, digits and '-', then optionally "
        "@preset, :path or [option=value,...], as in gan@paper or vae[latent=50,epochs=20]"
    )


def as_dataset(path: str) -> str:
    """Return what names the images at a path as a dataset, or "" where a text is not the path of such."""
    if os.path.isdir(os.path.expanduser(path)):
        return f"folder:{path}"
    if path.endswith(".npz"):
        return f"npz:{path}"
    return f"folder:{path} for a folder of pictures, or npz:FILE" if "/" in path and ".py" not in path else ""


def _arguments(text: str, request: str) -> tuple[Value | None, dict[str, Value]]:
    """Return the unnamed value and the options inside the brackets."""
    positional: Value | None = None
    options: dict[str, Value] = {}
    for part in split(text):
        name, equals, raw = part.partition("=")
        name = name.strip()
        if "[" in name:  # the = is one of an unnamed value's own options: fid[inception[weights=w.pth]]
            equals = ""
        if not equals and positional is None and not options:
            positional = value(part)
        elif not equals or not OPTION.fullmatch(name):
            raise RequestError(
                f"malformed option {printable(part)!r} in {printable(request)!r}: expected option=value, as in lr=0.05"
            )
        elif name in options:
            raise RequestError(f"option {name} is given twice in {printable(request)!r}")
        else:
            options[name] = value(raw)
    return positional, options


def split_all(texts: Iterable[str]) -> list[str]:
    """Return the parts of several texts, in order, as `split` has them."""
    return [part for text in texts for part in split(text)]


def split(text: str) -> list[str]:
    """Split at the commas that are in no bracket and no quotes; blank parts are left out."""
    parts, depth, quoted = [""], 0, False
    for c in text:
        quoted ^= c == '"'
        depth += 0 if quoted else (c == "[") - (c == "]")
        if c == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += c
    if depth or quoted:
        raise RequestError(f"unbalanced brackets or quotes in {printable(text)!r}")
    return [part.strip() for part in parts if part.strip()]


def value(text: str) -> Value:
    """Return a value read as TOML; a text that is no TOML value stands for itself, and so do nan and inf.

    A number may begin or end with its point, which TOML has not: .001 is 0.001, and 5. is 5.0; in a list too.
    """
    text = text.strip()
    parts = [text] if set(text) & set("\"'") else re.split(r"([\[\],\s])", text)
    try:
        read = tomllib.loads("value = " + "".join(repr(float(p)) if BARE_POINT.fullmatch(p) else p for p in parts))
    except (ValueError, RecursionError):  # no TOML, a number of thousands of digits, brackets as deep
        return text
    return read["value"] if set(read) == {"value"} and is_plain(read["value"]) else text


def is_plain(read: object) -> bool:
    """Return whether a value is one that an option can have: no date, no table, no NaN."""
    if isinstance(read, list):
        return all(is_plain(item) for item in read)
    return isinstance(read, bool | int | str) or (isinstance(read, float) and math.isfinite(read))


def format_value(given: Value) -> str:
    """Return a value as it can be typed: the inverse of `value`."""
    if isinstance(given, list):
        return (
            "["
            + ",".join(format_value(item) if not isinstance(item, str) else json.dumps(item) for item in given)
            + "]"
        )
    if isinstance(given, str):
        bare = BARE.fullmatch(given) and given not in TOML_WORDS and not BARE_POINT.fullmatch(given)
        return given if bare else json.dumps(given, ensure_ascii=False)
    return json.dumps(given)


def format_request(request: Request, colon: bool = False) -> str:
    """Return a request as it can be typed: the inverse of `parse`. With `colon`, the unnamed value stands after ':'."""
    options = [f"{name}={format_value(item)}" for name, item in request.options.items()]
    head = request.name + (f"@{request.preset}" if request.preset else "")
    if request.positional is not None and colon:
        path = str(request.positional)
        head += f':"{path}"' if set(path) & set('[],"') else f":{path}"
    elif request.positional is not None:
        options.insert(0, format_value(request.positional))
    return head + (f"[{','.join(options)}]" if options else "")


def plain(label: str) -> str:
    """Return the name in a request as typed, without what may stand behind it: preset, path and options."""
    match = REQUEST.match(label)
    assert match is not None  # every part of it may be empty
    return match["name"]


def is_of(label: str, requested: str) -> bool:
    """Return whether a label is of what was asked for: vae of vae, gan@paper[epochs=9] of gan and of gan@paper."""
    mine, theirs = REQUEST.match(label), REQUEST.match(requested)
    assert mine is not None
    assert theirs is not None
    return mine["name"] == theirs["name"] and theirs["preset"] in (None, mine["preset"])


def slug(name: str) -> str:
    """Return a name that can be part of others: a registered one as it is, of a file the class, MyModel as my-model."""
    match = FILE.fullmatch(name)
    if match is None:
        return name
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", match["cls"]).lower()
    made = re.sub(r"[^a-z0-9]+", "-", words).strip("-")[:35]
    return made if NAME.fullmatch(made) else f"file-{made}".rstrip("-")


def short(label: str) -> str:
    """Return a request as typed with the slug of its name in place of the name."""
    name = plain(label)
    return slug(name) + label[len(name) :]
