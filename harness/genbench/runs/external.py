"""Images made elsewhere, scored under the protocols and by the engines that trained models are scored by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from genbench import defaults
from genbench.api import Space
from genbench.data.cache import prepare
from genbench.data.folders import cache_folder
from genbench.errors import RequestError
from genbench.files import digest
from genbench.ranking import claims
from genbench.registry import spec
from genbench.registry.overrides import Overrides
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolved, Resolver
from genbench.runs import execution, planning
from genbench.runs.arguments import Datasets, Images, Metrics, Models, Path
from genbench.runs.grid import Grid
from genbench.runs.planning import Plan
from genbench.runs.report import Report
from genbench.runs.settings import RunSettings
from genbench.store.layout import Keep
from genbench.trial import sources as given
from genbench.trial.identity import Target
from genbench.trial.sources import Paths, Source

if TYPE_CHECKING:
    import torch


def plan(
    sources: Mapping[str, Paths], settings: RunSettings, samples_are: Mapping[str, str] | str | None = None
) -> Plan:
    """Return what an evaluation would do, with its data prepared and its images checked; no results are written.

    sources are paths or patterns by name, a file or folder for each seed; samples_are says what their samples are, of
    all or by name. With size, images are resized to it, which is part of the protocol. Without samples, metrics ask for
    as many as the smallest of them has, where their default is more; "all" is as many as each of them has.
    Raises RequestError, PluginError or DataError for whatever cannot be scored.
    """
    settings.check()
    resolver = Resolver(load_registry(), cache_folder())
    options, samples = settings.options or {}, settings.samples
    overrides = Overrides(resolver, options, None if samples == "all" else samples, settings.size)
    models = overrides.resolve("model", planning.references(settings.reference))
    metrics = _Metrics(resolver, overrides, planning.metric_texts(settings.metrics, resolver), options, samples)
    places = overrides.resolve("dataset", planning.texts("datasets", settings.datasets, [defaults.DATASET]))
    overrides.check_used(is_size_taken=True)
    compared = claims.load(planning.texts("against", settings.against, ()), resolver)
    settings = settings.on_existing_device(resolver)
    found = given.find(sources, samples_are, resolver.registry, settings.size or 0)
    data = [prepare(place.instantiate(), place.identity) for place in places]
    fitted = [metrics.fitting(found, each.space) for each in data]
    triples = zip([fit for fit, _ in fitted], places, data, strict=True)
    seeds = range(max(len(source.seeds) for source in found))
    pairs = planning.with_metrics(resolver, list(triples), settings.weights)
    resized = next(filter(None, (given.resizing(found, each.space) for each in data)), "")
    grid = Grid(models, pairs, seeds, settings.target, given=found, resized=resized)
    planned = planning.made_ready(resolver, grid, data, compared, settings)
    _check_images(planned, found)
    notes = [note for each in data for note in given.notes(found, each.space)] + [n for _, fit in fitted for n in fit]
    return replace(planned, notes=list(dict.fromkeys([*planned.notes, *notes])))


def evaluate(
    sources: Mapping[str, Images],
    metrics: Metrics | None = None,
    datasets: Datasets | None = None,
    *,
    samples_are: Mapping[str, str] | str | None = None,
    reference: Models | None = None,
    against: Sequence[str] | str | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    samples: int | Literal["all"] | None = None,
    size: int | None = None,
    weights: Path | None = None,
    target: Target = "test",
    results: Path = "results",
    device: str | torch.device = "auto",
    threads: int = 1,
    engine: str | None = None,
    jobs: int | None = None,
    jobs_per_gpu: int | None = None,
    timeout: float | None = None,
    checkpoint_every: float = 10.0,
    fresh: bool = False,
    fresh_scores: bool = False,
    keep: Keep = "all",
) -> Report:
    """Score and rank images made elsewhere, as trained models are: `genbench evaluate`.

    `genbench.evaluate({"ours": ["a0.npz", "a1.npz"]}, metrics="parzen", datasets="mnist").leaderboard` is a data frame.

    sources are images by a name of yours: a path, a pattern of paths, an array of numpy or a tensor of torch, of shape
    (n, C, H, W) or (n, H, W, C), uint8 or floats from 0 to 1; or a list of these, one for each seed. Arrays are kept as
    files in the cache folder. samples_are says what the samples are ("draws", "means", ...), of all or by name.
    Without samples, metrics ask for as many as the smallest source has, where their default is more; "all" takes
    every image that each has. All else is as in `genbench.run`.

    Raises RequestError, PluginError or DataError for whatever cannot be scored.
    """
    return execution.planned_and_executed(plan, locals())


class _Metrics:
    """The metrics asked for, and for how many samples each may ask: what is named must be had, a default gives way."""

    def __init__(
        self,
        resolver: Resolver,
        overrides: Overrides,
        texts: Sequence[str],
        options: Mapping[str, Mapping[str, Any]],
        samples: int | Literal["all"] | None,
    ) -> None:
        self._resolver = resolver
        self._samples = samples
        self._options = options
        asked = [
            (metric, self._is_named(text, metric)) for text in texts for metric in overrides.resolve("metric", [text])
        ]
        self._asked = list({digest(metric.identity): (metric, named) for metric, named in asked}.values())

    def _is_named(self, text: str, metric: Resolved) -> bool:
        """Return whether someone named the number of samples: by an option, or by a preset that has its own."""
        request = spec.parse(text)
        usual = self._resolver.resolve("metric", request.name).traits["samples"]
        typed = {*request.options, *self._options.get(request.name, {})}
        return self._samples is not None or "samples" in typed or bool(metric.traits["samples"] != usual)

    def fitting(self, sources: Sequence[Source], space: Space) -> tuple[list[Resolved], list[str]]:
        """Return the metrics as they can be asked of all sources, and what was changed for that.

        Raises RequestError where more images are asked for by name than there are.
        """
        if self._samples == "all":
            count = given.equal(sources, space)
            return [self._all(metric, count) for metric, _ in self._asked], []
        least, where = given.fewest(sources, space)
        metrics, notes = [], []
        for metric, is_named in self._asked:
            wanted = metric.traits["samples"]
            if wanted > least and is_named:
                raise RequestError(
                    f"{metric.label} asks for {wanted:,} samples, and {where} has {least:,} images; expected as many: "
                    f"give --samples {least}, or more images"
                )
            if wanted > least:
                notes.append(f"{metric.label}: {least:,} samples in place of {wanted:,}, for {where} has no more")
                metric = self._fewer(metric, least, where)
            metrics.append(metric)
        return metrics, notes

    def _all(self, metric: Resolved, count: int) -> Resolved:
        return self._fewer(metric, count, "each") if metric.traits["samples"] else metric

    def _fewer(self, metric: Resolved, least: int, where: str) -> Resolved:
        """Return a metric that asks for fewer samples. Raises RequestError where it cannot."""
        try:
            return self._resolver.resolve("metric", metric.label, {"samples": least})
        except RequestError as error:
            raise RequestError(
                f"{metric.name} cannot score {where}, which has {least:,} image{'s' * (least != 1)}: expected more "
                f"({error})"
            ) from error


def _check_images(planned: Plan, sources: Sequence[Source]) -> None:
    """Read the images that are to be scored, and keep none.

    Raises DataError where one cannot be, RequestError where seeds have the same.
    """
    todo = {(trial.model.name, trial.seed, trial.dataset_digest) for trial in planned.todo}
    for place, data in zip(planned.grid.datasets, planned.data, strict=True):
        most = max(metric.traits["samples"] for metric in place.metrics)
        for source in sources:
            new = [seed for seed in range(len(source.seeds)) if (source.name, seed, data.digest) in todo]
            opened = source.opened(data.space)
            if new:
                given.check_seeds_differ(source.name, opened)
            for seed in new:
                opened[seed].check(most)
