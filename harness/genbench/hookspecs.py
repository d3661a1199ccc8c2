"""The hooks a plugin may implement. Each is handed a `register(name, target, *, summary)` callback.

A registering module may say for which plugin API it was written, `GENBENCH_API = 1`, which is what is taken where it
says nothing. A genbench that offers less (`genbench.API_VERSION`) lists the plugin as broken, with what it needs, and
calls none of its hooks.
"""

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
