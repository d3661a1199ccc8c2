"""Published numbers, from benchmarks/claims/*.toml, each with the protocol it was measured under as far as known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from genbench import files, toml
from genbench.errors import RequestError, unknown
from genbench.registry.names import plain
from genbench.registry.resolve import Resolver
from genbench.trial.protocol import Protocol

FILE: toml.Shape = {"title": (str,), "source": (str,), "claim": (list,)}
CLAIM: toml.Shape = {
    "model": (str,),
    "dataset": (str,),
    "metric": (str,),
    "value": (int, float),
    "error": (int, float),
    "error_means": (str,),
    "source": (str,),
    "differs": (str,),
    "dataset_digest": (str,),
}


@dataclass(frozen=True)
class Claim:
    """A published number. protocol_id is "" where its protocol is not known in full; differs then says how."""

    model: str
    dataset: str
    metric: str
    value: float
    error: float | None = None
    error_means: str = ""
    source: str = ""
    differs: str = ""
    dataset_digest: str = ""
    protocol_id: str = ""

    @property
    def metric_name(self) -> str:
        """Return the metric's name without preset and options."""
        return plain(self.metric)


def available() -> dict[str, Path]:
    """Return the claims files that come with genbench, by name."""
    return {path.stem: path for path in sorted(files.shipped("claims").glob("*.toml"))}


def load(names: Iterable[str], resolver: Resolver) -> list[Claim]:
    """Return the claims of files by name. Raises RequestError for an unknown name or a malformed file."""
    known = available()
    claims: list[Claim] = []
    for name in names:
        if name not in known:
            raise unknown("claims", name, known)
        table = toml.read(known[name])
        toml.check(table, FILE, f"claims {name}")
        claims += [_claim(entry, resolver, f"claims {name}") for entry in table.get("claim", [])]
    return claims


def _claim(entry: Mapping[str, Any], resolver: Resolver, where: str) -> Claim:
    toml.check(entry, CLAIM, where)
    missing = {"model", "dataset", "metric", "value"} - set(entry)
    if missing:
        raise RequestError(f"{where}: a claim has no {', '.join(sorted(missing))}")
    given = {f.name: entry[f.name] for f in fields(Claim) if f.name in entry}
    digest = entry.get("dataset_digest", "")
    protocol = Protocol(resolver.resolve("metric", entry["metric"]), digest).id if digest else ""
    return Claim(**given, protocol_id=protocol)
