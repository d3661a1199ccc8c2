"""Every error a user can see, and foreign text made safe to show."""

import difflib
from collections.abc import Iterable


class GenbenchError(Exception):
    """A mistake a person can mend: the command line prints it as one line and exits with 2.

    The message says what was wrong, the value, what was expected and what to do.
    """


class RequestError(GenbenchError):
    """A name, option, seed, suite or other request is malformed or unknown."""


class PluginError(GenbenchError):
    """A plugin cannot be used; the message names it and its distribution."""


class ChangedError(PluginError):
    """A file is no longer what a run was planned with: of a plugin, or images given. No trial has failed by it."""


class DataError(GenbenchError):
    """A dataset, or a file it needs, is missing or cannot be used."""


class StoreError(GenbenchError):
    """A results folder, or a file in it, is missing, damaged or cannot be written."""


class NotFitted(GenbenchError, AttributeError):
    """A model was asked for something before it was built and fitted or restored."""


class Unsupported(GenbenchError):
    """A plugin cannot work with this dataset: the message says what it needs, and what it was given instead."""


class DeviceError(GenbenchError):
    """A GPU cannot be used in this process. No trial has failed by it."""


class OtherDevice(GenbenchError):
    """What a trial has stored can be taken up on the kind of device alone that it was made on."""


class Diverged(Exception):
    """Training left the numbers: raised on NaN or infinity, or by a model's own verdict. Ends its trial only."""


class DamagedError(StoreError):
    """A stored file is not what was written. stage is what it belongs to: trial for the record itself."""

    def __init__(self, message: str, stage: str = "trial") -> None:
        super().__init__(message)
        self.stage = stage


class NotKept(StoreError):
    """A trial's weights or samples were let go on purpose. stage is what they belong to."""

    def __init__(self, message: str, stage: str) -> None:
        super().__init__(message)
        self.stage = stage


class Interrupted(KeyboardInterrupt):
    """Asked to stop, and stopped after saving. signal is what asked, a number of `signal.Signals`, or 2 for Ctrl-C."""

    def __init__(self, message: str = "", signal: int = 2) -> None:
        super().__init__(message)
        self.signal = signal


def shown(text: object) -> str:
    """Return foreign text with a blank for each character that is not to be shown: control characters, lone bytes."""
    whole = str(text)
    return whole if whole.isprintable() else "".join(c if c.isprintable() else " " for c in whole)


def printable(text: object, limit: int = 300) -> str:
    """Return foreign text on one line, without control characters, at most `limit` characters long."""
    line = " ".join(shown(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ' Did you mean X?' for a near miss of a known name, else ''."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else ""


def unknown(what: str, name: str, known: Iterable[str], see: str = "") -> RequestError:
    """Return the error for a name that is not among `known`, with the nearest one and where to look."""
    known = sorted(known)
    listed = f" Known: {', '.join(known)}." if len(known) <= 12 else ""
    hint = f" See: {see}" if see else ""
    return RequestError(f"unknown {what} {printable(name)!r}.{did_you_mean(name, known)}{listed}{hint}")
