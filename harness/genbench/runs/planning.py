"""What a run would do: its grid, its data prepared, the trials that the store lacks, and the engine for them."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from genbench.data.cache import Prepared, prepare
from genbench.data.folders import cache_folder, originals
from genbench.engines.gpus import share
from genbench.errors import GenbenchError, RequestError
from genbench.files import digest
from genbench.ranking import claims
from genbench.registry import code, extractors, spec
from genbench.registry.overrides import Overrides
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolved, Resolver
from genbench.runs import suites
from genbench.runs.grid import Conditions, Dataset, Grid, missing
from genbench.runs.settings import RunSettings, existing, place
from genbench.store.layout import Keep
from genbench.store.store import Store
from genbench.trial.identity import LAST, NO_BUDGET, Budget, Target, TrialSpec, parse_selection

REFERENCE = ("train-data", "gaussian", "kmeans", "pca")
"""The reference rows that are shown unless others, or none, are asked for."""

METRICS, DATASETS = ("parzen",), ("digits",)
"""What is scored by and on, unless something else is asked for."""

DEFAULT_SEEDS = 3
"""Seeds of a run that names none, on the command line, in Python or in a suite."""


@dataclass(frozen=True)
class Plan:
    """A run made ready: the grid, its datasets prepared, and the trials that the store does not hold.

    notes say what was decided that could have been meant otherwise.
    """

    grid: Grid
    data: Sequence[Prepared]
    claims: Sequence[claims.Claim]
    todo: Sequence[TrialSpec]
    store: Store
    engine: Resolved
    conditions: Conditions
    timeout: float | None = None
    tensorboard: bool = False
    notes: Sequence[str] = ()


def plan(
    models: Sequence[str] | str | None = None,
    metrics: Sequence[str] | str | None = None,
    datasets: Sequence[str] | str | None = None,
    *,
    suite: str | None = None,
    seeds: int | Sequence[int] | None = None,
    reference: Sequence[str] | str | None = None,
    against: Sequence[str] | str | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    samples: int | None = None,
    size: int | None = None,
    weights: str | os.PathLike[str] | None = None,
    budget: str | None = None,
    select: str | None = None,
    target: Target = "test",
    results: str | os.PathLike[str] = "results",
    device: str = "auto",
    threads: int = 1,
    engine: str | None = None,
    jobs: int | None = None,
    jobs_per_gpu: int | None = None,
    timeout: float | None = None,
    checkpoint_every: float = 10.0,
    fresh: bool = False,
    fresh_scores: bool = False,
    keep: Keep = "all",
    tensorboard: bool = False,
) -> Plan:
    """Return what a run would do, with its data prepared; nothing is written to the results.

    weights is the file of a feature extractor's.
    What is given wins over the suite, and the suite over the defaults: digits, parzen, 3 seeds, the reference rows.
    jobs is how many trials are performed at once, jobs_per_gpu how many of them share a GPU and its memory.
    timeout bounds the seconds of each trial, checkpoint_every those between two checkpoints. With tensorboard, what
    TensorBoard shows is written beside the trials. fresh trains and scores anew, fresh_scores scores what is trained.
    Raises RequestError, PluginError or DataError for whatever cannot be run, before anything trains.
    """
    settings = RunSettings(
        results, device, threads, engine, jobs, timeout, checkpoint_every, fresh, tensorboard, jobs_per_gpu
    )
    settings = replace(settings, fresh_scores=fresh_scores, keep=keep)
    settings.check()
    if tensorboard and find_spec("tensorboard") is None:
        raise RequestError("--tensorboard: tensorboard is not installed; run: python -m pip install tensorboard")
    base = suites.load(suite) if suite is not None else suites.Suite(name="")
    resolver = Resolver(load_registry(), cache_folder())
    chosen = _merge(base.options, options or {})
    overrides = Overrides(resolver, chosen, samples if samples is not None else base.samples, size)
    all_models = overrides.resolve("model", _all_models(models, reference, base))
    all_metrics = overrides.resolve("metric", metric_texts(metrics, base.metrics, resolver))
    sources = overrides.resolve("dataset", texts("datasets", datasets, base.datasets, DATASETS))
    overrides.check_used()
    bound = budget if budget is not None else base.budget
    numbered = _seeds(seeds, base.seeds)
    limit = NO_BUDGET if bound is None else Budget.parse(bound)
    rule = parse_selection(select if select is not None else base.select or LAST)
    compared = claims.load(texts("against", against, base.against, ()), resolver)
    settings = settings.on_existing_device()
    data = [prepare(source.instantiate(), source.identity) for source in sources]
    triples = [(all_metrics, *each) for each in zip(sources, data, strict=True)]
    pairs = with_metrics(resolver, triples, weights)
    grid = Grid(all_models, pairs, numbered, target, limit, rule)
    return made_ready(resolver, grid, data, compared, settings)


def _check_selectable(todo: Sequence[TrialSpec]) -> None:
    """Raise RequestError where the best state is asked for of a model that offers none to be judged."""
    models = {trial.model.label: trial for trial in todo if trial.select != LAST}
    never = [label for label, trial in models.items() if not code.may_select(type(trial.model.instantiate()))]
    if never:
        raise RequestError(
            f"--select {models[never[0]].select}: no state of {', '.join(never)} can be judged while it trains, since "
            f"its fit nowhere says run.batches(..., select=True); use --select {LAST}, or leave it out"
        )


def made_ready(
    resolver: Resolver, grid: Grid, data: Sequence[Prepared], compared: Sequence[claims.Claim], settings: RunSettings
) -> Plan:
    """Return the plan of a grid: what the store does not hold, and the engine for that."""
    store = Store(Path(settings.results))
    mark = (store.fresh_mark() or secrets.token_hex(4)) if settings.fresh else ""
    todo = missing(grid, store, mark, settings.fresh_scores)
    _check_selectable(todo)
    for asked, found in zip(grid.datasets, data, strict=True) if todo else ():
        with originals() as folder:
            extractors.fetch(asked.metrics, found.space, found.digest, folder)
    # what is finished must not wait for torch
    device = existing(settings.device) if todo and settings.device == "auto" else settings.device
    engine = place(resolver, settings, device, len(todo), is_timed=grid.budget.seconds is not None)
    gpus = share(device, engine.settings.get("jobs", 1)) if todo else 0.0
    conditions = Conditions(
        device, settings.threads, settings.checkpoint_every, mark, gpus, settings.fresh_scores, settings.keep
    )
    notes = [
        f"{asked.resolved.label}: {note}"
        for asked, found in zip(grid.datasets, data, strict=True)
        for note in found.notes
    ]
    notes += _lacking(store, todo)
    return Plan(grid, data, compared, todo, store, engine, conditions, settings.timeout, settings.tensorboard, notes)


def _lacking(store: Store, todo: Sequence[TrialSpec]) -> list[str]:
    """Return a line that tells of the trials to do of which weights or samples were let go."""
    contents = store.read() if todo else None
    lacking = [
        f"{trial}, {copies[0][1].lacking}"
        for trial in todo
        if contents and (copies := contents.trials.get(trial.id)) and copies[0][1].lacking
    ]
    if not lacking:
        return []
    more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
    return [
        f"{lacking[0]}{more}: made again where that is needed; its scores stay if that comes to the same "
        "weights and samples, and are done again if not"
    ]


def with_metrics(
    resolver: Resolver,
    asked: Sequence[tuple[Sequence[Resolved], Resolved, Prepared]],
    weights: str | os.PathLike[str] | None,
) -> list[Dataset]:
    """Return the datasets of the grid, each with its metrics as they are on it; two that come to the same are one.

    Raises RequestError where weights are given, and no extractor takes them.
    """
    options = {} if weights is None else {"weights": os.fspath(weights)}
    datasets = []
    for metrics, source, data in asked:
        found = [extractors.with_extractor(resolver, metric, data.space, data.digest, options) for metric in metrics]
        datasets.append(
            Dataset(source, data.digest, list({digest(metric.identity): metric for metric in found}.values()))
        )
    in_use = [metric.traits.get("extractor") for dataset in datasets for metric in dataset.metrics]
    for name in options:
        if not any(name in {**used["options"], **used["settings"]} for used in in_use if used):
            _refuse_for_extractors(name, resolver)
    return datasets


def _refuse_for_extractors(option: str, resolver: Resolver) -> NoReturn:
    """Say which extractors take an option that none of a run's does."""
    known = [entry.name for entry in resolver.registry.entries("extractor")]
    takers = sorted(name for name in known if extractors.takes(resolver, name, option))
    raise RequestError(
        f"--{option.replace('_', '-')}: no extractor of this run takes it; expected a metric of "
        f"{' or '.join(takers)}, as in --metric fid[{takers[0]}]"
    )


def texts(
    what: str, given: Sequence[str] | str | None, suite: Sequence[str] | None, default: Sequence[str]
) -> list[str]:
    """Return the first that is not None, texts with commas taken apart. Raises RequestError where they are blank."""
    chosen = given if given is not None else suite if suite is not None else default
    several = [chosen] if isinstance(chosen, str) else list(chosen)
    parts = [part for text in several for part in spec.split(text)]
    if several and not parts and what != "models":  # that no model is named, plan says better
        raise RequestError(f"{what} {', '.join(several)!r} is blank; expected names, or leave it out")
    return parts


def metric_texts(metrics: Sequence[str] | str | None, suite: Sequence[str] | None, resolver: Resolver) -> list[str]:
    """Return the metrics asked for, `all` taken apart."""
    wanted = texts("metrics", metrics, suite, METRICS)
    return [name for text in wanted for name in (_for_any_images(resolver) if text == "all" else [text])]


def _for_any_images(resolver: Resolver) -> list[str]:
    """Return the metrics that `all` stands for; one that cannot be loaded, as `genbench plugins` tells, is none."""
    found: list[str] = []
    for name in dict.fromkeys(entry.name for entry in resolver.registry.entries("metric")):
        with contextlib.suppress(GenbenchError):
            found += [name] if resolver.resolve("metric", name).traits["for_any_images"] else []
    return found


def _all_models(
    models: Sequence[str] | str | None, reference: Sequence[str] | str | None, base: suites.Suite
) -> list[str]:
    """Return the models asked for, and the reference rows. Raises RequestError where no model is."""
    wanted = texts("models", models, base.models, ())
    if not wanted:
        raise RequestError("no model given; expected --models NAME or a suite. See: genbench list models")
    return wanted + references(reference, base.reference)


def references(given: Sequence[str] | str | None, suite: Sequence[str] | None = None) -> list[str]:
    """Return the reference rows asked for; "none" asks for none."""
    return [name for name in texts("reference", given, suite, REFERENCE) if name != "none"]


def _seeds(given: int | Sequence[int] | None, suite: list[int] | None) -> list[int]:
    if given is None:
        return suite or list(range(DEFAULT_SEEDS))
    return suites.check_seeds(given if isinstance(given, int) else list(given), "seeds")


def _merge(*layers: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for plugin, given in layer.items():
            merged.setdefault(plugin, {}).update(given)
    return merged
