"""The conformance kit for plugin authors: one list of named checks behind three doors. Knows no concrete plugin.

`check(target)` returns results, `parametrize_with_checks([...])` makes tests of pytest of them, and `genbench check`
prints them. Importing this package imports nothing heavy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genbench.testing.kit import check
    from genbench.testing.outcomes import CheckFailed, CheckSkipped, Result, Verdict
    from genbench.testing.pytest_plugin import parametrize_with_checks

_LAZY = {
    "check": "genbench.testing.kit",
    "parametrize_with_checks": "genbench.testing.pytest_plugin",
    "CheckFailed": "genbench.testing.outcomes",
    "CheckSkipped": "genbench.testing.outcomes",
    "Result": "genbench.testing.outcomes",
    "Verdict": "genbench.testing.outcomes",
}

__all__ = ["CheckFailed", "CheckSkipped", "Result", "Verdict", "check", "parametrize_with_checks"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'genbench.testing' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
