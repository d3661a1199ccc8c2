"""The hooks a plugin may implement. Each is handed a `register(name, target, *, summary)` callback."""

import pluggy

from genbench.api import Register

hookspec = pluggy.HookspecMarker("genbench")
hookimpl = pluggy.HookimplMarker("genbench")


@hookspec
def register_models(register: Register) -> None:
    """Register additional models."""


@hookspec
def register_metrics(register: Register) -> None:
    """Register additional metrics."""


@hookspec
def register_datasets(register: Register) -> None:
    """Register additional datasets."""


@hookspec
def register_extractors(register: Register) -> None:
    """Register additional feature extractors."""


@hookspec
def register_engines(register: Register) -> None:
    """Register additional engines."""
