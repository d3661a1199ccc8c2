"""Published numbers, from benchmarks/claims/*.toml, each with the protocol it was measured under as far as known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from genbench import files, toml
from genbench.errors import RequestError, printable, unknown
from genbench.ranking.folds import protocol_id
from genbench.registry import spec
from genbench.registry.resolve import Resolved, Resolver
from genbench.trial.protocol import Protocol

FILE: toml.Shape = {"title": (str,), "source": (str,), "claim": (list,), "family": (list,)}
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
    "ours": (str,),
    "within": (int, float),
    "folds": (int,),
}
ASPECTS = ("training", "inference", "sampling", "density", "design")
"""What a source may say of a family of models in words."""

FAMILY: toml.Shape = dict.fromkeys(("name", "models", *ASPECTS, "source"), (str,))


@dataclass(frozen=True)
class Family:
    """What a source says in words of a family of models; models names those of ours that belong to it, with commas."""

    name: str
    models: str
    training: str
    inference: str
    sampling: str
    density: str
    design: str
    source: str

    def has(self, model: str) -> bool:
        """Return whether a model of ours, by its label, belongs to it."""
        return _is_one_of(model, self.models)


@dataclass(frozen=True)
class Claim:
    """A published number. protocol_id is "" where its protocol is not known in full; differs then says how.

    ours names the models of ours that it is held against, with commas; within is the widest interval to a side, in the
    metric's unit, that can bear it out. claims is the name of the file it stands in. resolved is the metric, where that
    is known in full; one over folds counts for any dataset of its name that has as many.
    """

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
    ours: str = ""
    within: float = 0.0
    claims: str = ""
    folds: int = 1
    resolved: Resolved | None = None

    @property
    def error_over(self) -> Literal["folds", "images", ""]:
        """Return what its error was taken over, by the words of its source; "" where that is neither."""
        return "folds" if "folds" in self.error_means else "images" if "images" in self.error_means else ""

    @property
    def metric_name(self) -> str:
        """Return the metric's name without preset and options."""
        return spec.plain(self.metric)

    def is_on(self, metric: str, dataset: str) -> bool:
        """Return whether it was measured by a metric of this name on this dataset, under whatever protocol."""
        return (self.metric_name, self.dataset) == (metric, dataset)

    def protocol_on(self, digests: Sequence[str]) -> str:
        """Return the id of its protocol; one over folds has it on any dataset of its name with as many folds."""
        if self.resolved is None or self.folds == 1 or len(digests) != self.folds:
            return self.protocol_id
        return protocol_id([Protocol(self.resolved, digest).id for digest in digests])

    def is_about(self, model: str) -> bool:
        """Return whether a model of ours, by its label, is one that it is held against."""
        return _is_one_of(model, self.ours)


def available() -> dict[str, Path]:
    """Return the claims files that come with genbench, by name."""
    return {path.stem: path for path in sorted(files.shipped("claims").glob("*.toml"))}


def load(names: Iterable[str], resolver: Resolver) -> list[Claim]:
    """Return the claims of files by name. Raises RequestError for an unknown name or a malformed file."""
    return [_claim(entry, resolver, name) for name in names for entry in _read(name).get("claim", [])]


def families(names: Iterable[str]) -> list[Family]:
    """Return what claims files by name say in words of families of models. Raises RequestError as `load` does."""
    return [_family(entry, name) for name in names for entry in _read(name).get("family", [])]


def _read(name: str) -> dict[str, Any]:
    by_name = available()
    if name not in by_name:
        raise unknown("claims", name, by_name)
    table = toml.read(by_name[name])
    toml.check(table, FILE, f"claims {name}")
    return table


def _family(entry: Mapping[str, Any], name: str) -> Family:
    toml.check(entry, FAMILY, f"claims {name}")
    if missing := sorted(set(FAMILY) - set(entry)):
        raise RequestError(f"claims {name}: a family has no {', '.join(missing)}")
    return Family(**entry)


def _is_one_of(model: str, requested: str) -> bool:
    return any(spec.is_of(model, one) for one in spec.split(requested))


def _claim(entry: Mapping[str, Any], resolver: Resolver, name: str) -> Claim:
    where = f"claims {name}"
    toml.check(entry, CLAIM, where)
    missing = {"model", "dataset", "metric", "value"} - set(entry)
    if missing:
        raise RequestError(f"{where}: a claim has no {', '.join(sorted(missing))}")
    _check_bound(entry, where)
    digest, folds = entry.get("dataset_digest", ""), entry.get("folds", 1)
    if not digest and folds == 1:
        return Claim(**entry, claims=name)
    metric = resolver.resolve("metric", entry["metric"])
    return Claim(**entry, claims=name, resolved=metric, protocol_id=Protocol(metric, digest).id if digest else "")


def _check_bound(entry: Mapping[str, Any], where: str) -> None:
    """Raise RequestError where a claim is held against models of ours without a bound, or within none."""
    within = entry.get("within")
    if "ours" in entry and within is None:
        raise RequestError(f"{where}: the claim of {printable(entry['model'])} has ours but not within; expected both")
    if within is not None and not 0 < within < math.inf:
        raise RequestError(f"{where}: within is {within:g}; expected a finite number above 0")
