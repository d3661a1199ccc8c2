"""Options that were set by plugin name for a whole run, and which of them the run made use of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from genbench.errors import RequestError, printable
from genbench.files import digest
from genbench.registry import spec
from genbench.registry.resolve import Resolved, Resolver


class Overrides:
    """Resolves requests with the options that were set by plugin name, and notes which of those were used."""

    def __init__(
        self, resolver: Resolver, options: Mapping[str, Mapping[str, Any]], samples: int | None, size: int | None
    ) -> None:
        self._resolver = resolver
        self._options = options
        self._shared = {"metric": {"samples": samples}, "dataset": {"size": size}}
        self._used: set[str] = set()
        self._taken: set[str] = set()

    def resolve(self, kind: str, texts: Iterable[str]) -> list[Resolved]:
        """Return the plugins asked for, equal ones once: of several labels, such as two paths of a file, the first."""
        found: dict[str, Resolved] = {}
        for text in texts:
            resolved = self._resolve(kind, text)
            found.setdefault(digest(resolved.identity), resolved)
        return list(found.values())

    def _resolve(self, kind: str, text: str) -> Resolved:
        request = spec.parse(text, kind)
        given = dict(self._options.get(request.name, {}))
        self._used.add(request.name)
        if all(spec.is_plain(value) for value in given.values()):  # as if they were typed with the name
            text = spec.format_request(replace(request, options={**request.options, **given}))
        for option, value in self._shared.get(kind, {}).items():
            if value is not None and option in self._resolver.resolve(kind, text).options:
                given.setdefault(option, value)
                self._taken.add(option)
        return self._resolver.resolve(kind, text, given)

    def check_used(self, is_size_taken: bool = False) -> None:
        """Raise RequestError where options were set for a plugin that has no part in the run, or a size for none.

        is_size_taken says that something else than a dataset takes it.
        """
        size = self._shared["dataset"]["size"]
        if size is not None and "size" not in self._taken and not is_size_taken:
            raise RequestError(f"--size {size}: no dataset of this run takes it; expected folder:PATH among them")
        for name in self._options:
            if name not in self._used:
                raise RequestError(
                    f"options are set for {printable(name)!r}, which is not in this run; it has: "
                    f"{', '.join(sorted(self._used))}"
                )
