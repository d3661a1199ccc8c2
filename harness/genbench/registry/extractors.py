"""Which feature extractor a metric uses on some data: the one it names, or what the data choose."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from genbench import defaults
from genbench.api import FeatureExtractor, Space
from genbench.errors import DataError, PluginError
from genbench.registry import spec
from genbench.registry.resolve import Resolved, Resolver

AUTO = "auto"


def with_extractor(
    resolver: Resolver, metric: Resolved, space: Space, dataset: str, options: Mapping[str, Any] | None = None
) -> Resolved:
    """Return a metric with its extractor named, and resolved among its traits; one without stays as it is.

    Of the options given for all extractors (weights, say), it takes those that it has.

    Raises RequestError where there is none of its name, Unsupported where it has no features of such images.
    """
    requested = metric.options.get("extractor")
    if not isinstance(requested, str):
        return metric
    name = defaults.extractor(space, metric.traits["own_classes"]) if requested == AUTO else requested
    extractor = resolver.remembered(
        "extractor",
        _with_options(resolver, name, options or {}),
        [space.shape, space.classes, space.bounds, dataset],
        lambda found: bound(found, space, dataset),
    )
    named = resolver.resolve("metric", metric.label, {"extractor": extractor.label})
    return dataclasses.replace(named, traits={**named.traits, "extractor": dataclasses.asdict(extractor)})


def takes(resolver: Resolver, text: str, option: str) -> bool:
    """Return whether an extractor has an option of a name."""
    candidate = resolver.resolve("extractor", text)
    return option in candidate.options or option in candidate.settings


def _with_options(resolver: Resolver, text: str, options: Mapping[str, Any]) -> str:
    """Return an extractor's text with those of some options that it has and that are not in it."""
    request = spec.parse(text)
    taken = {name: value for name, value in options.items() if takes(resolver, text, name)}
    return spec.format_request(dataclasses.replace(request, options={**taken, **request.options})) if taken else text


def bound(resolved: Resolved, space: Space, dataset: str) -> Resolved:
    """Return an extractor with what it says of itself once it is bound."""
    extractor: FeatureExtractor = resolved.instantiate()
    extractor.bind(space, dataset)
    digest = extractor.digest
    if not isinstance(digest, str):
        raise PluginError(f"extractor {resolved.label}: digest is {digest!r}; expected a text")
    described = {"digest": digest, "describe": extractor.describe()}
    return dataclasses.replace(resolved, traits={**resolved.traits, **described})


def fetch(metrics: Iterable[Resolved], space: Space, dataset: str, originals: Path) -> None:
    """Have at hand what the extractors of metrics load from elsewhere. Raises DataError where it cannot be had."""
    for metric in metrics:
        resolved = metric.traits.get("extractor")
        if resolved is not None:
            extractor: FeatureExtractor = Resolved(**resolved).instantiate()
            extractor.bind(space, dataset)
            try:
                extractor.fetch(originals)
            except DataError as error:
                raise DataError(f"{error}. {_without_weights(space)}") from error


def _without_weights(space: Space) -> str:
    """Return with which extractors images can be scored without anything from elsewhere."""
    return "fid[domain] and fid[random] need none" if space.classes else "fid[random] needs none"


def identity(extractor: Mapping[str, Any]) -> dict[str, Any]:
    """Return what features depend on beside the images, of an extractor as it stands among a metric's traits."""
    return {**Resolved(**extractor).identity, "digest": extractor["traits"]["digest"]}
