"""Names of places on the page: words that need no quotes anywhere, one for each thing however it is called."""

from __future__ import annotations

from genbench import files


def anchor(kind: str, *what: str) -> str:
    """Return the id of the element on something: texts of any kind give one of letters, digits and a hyphen."""
    return f"{kind}-{files.digest(list(what), 10)}"
