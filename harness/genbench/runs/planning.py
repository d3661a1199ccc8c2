"""What a run would do: its grid, its data prepared, the trials that the store lacks, and the engine for them."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from genbench import defaults
from genbench.api import Task
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
from genbench.runs.grid import Dataset, Grid, missing
from genbench.runs.settings import RunSettings, Texts, existing_device, make_engine
from genbench.store.store import Store
from genbench.trial import git_commit
from genbench.trial.identity import LAST, NO_BUDGET, Assignment, Budget, TrialSpec, parse_selection

DEFAULT_SEEDS = 3
"""Seeds of a run that names none, on the command line, in Python or in a suite."""


@dataclass(frozen=True)
class Plan:
    """A run made ready: the grid, its datasets prepared, and the trials that the store does not hold.

    settings are as asked for, on the device that is used; fresh_mark is that of a run that trains anew, or "".
    notes say what was decided that could have been meant otherwise. commit is that of the working folder's repository.
    """

    grid: Grid
    data: Sequence[Prepared]
    claims: Sequence[claims.Claim]
    todo: Sequence[TrialSpec]
    store: Store
    engine: Resolved
    settings: RunSettings
    fresh_mark: str = ""
    notes: Sequence[str] = ()
    commit: str = ""

    @property
    def gpus(self) -> float:
        """Return the part of a GPU that each trial has, 0 on the CPU."""
        if not self.todo:
            return 0.0
        device = self.settings.device
        if not self.engine.traits["is_remote"]:
            return share(device, self.engine.settings.get("jobs", 1))
        return 1 / (self.settings.jobs_per_gpu or 1) if device == "cuda" else 0.0


def plan(settings: RunSettings) -> Plan:
    """Return what a run would do, with its data prepared; nothing is written to the results.

    What is given wins over the suite, and the suite over the defaults: digits, parzen, 3 seeds, the reference rows.
    Raises RequestError, PluginError or DataError for whatever cannot be run, before anything trains.
    """
    settings.check()
    base = suites.load(settings.suite) if settings.suite is not None else suites.Suite(name="")
    settings = _with_suite(settings, base)
    resolver = Resolver(load_registry(), cache_folder())
    options = _merge(base.options, settings.options or {})
    if settings.samples == "all":
        raise RequestError("samples is 'all': a model draws as many as it is asked for; expected a number, as in 10000")
    overrides = Overrides(resolver, options, settings.samples, settings.size)
    all_models = overrides.resolve("model", _all_models(settings))
    all_metrics = overrides.resolve("metric", metric_texts(settings.metrics, resolver))
    sources = overrides.resolve("dataset", texts("datasets", settings.datasets, [defaults.DATASET]))
    overrides.check_used()
    limit = NO_BUDGET if settings.budget is None else Budget.parse(settings.budget)
    seeds = _seeds(settings.seeds)
    rule = parse_selection(LAST if settings.select is None else settings.select)
    compared = claims.load(texts("against", settings.against, ()), resolver)
    settings = settings.on_existing_device(resolver)
    data = [prepare(source.instantiate(), source.identity) for source in sources]
    triples = [(all_metrics, *each) for each in zip(sources, data, strict=True)]
    pairs = with_metrics(resolver, triples, settings.weights)
    grid = Grid(all_models, pairs, seeds, settings.target, limit, rule)
    return made_ready(resolver, grid, data, compared, settings)


def _with_suite(settings: RunSettings, suite: suites.Suite) -> RunSettings:
    """Return the settings, with what the suite says where nothing is given."""
    names = ("models", "metrics", "datasets", "seeds", "reference", "against", "samples", "budget", "select")
    return replace(settings, **{name: getattr(suite, name) for name in names if getattr(settings, name) is None})


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
    if todo and settings.device == "auto":  # what is finished must not wait for torch
        settings = replace(settings, device=existing_device("auto"))
    engine = make_engine(resolver, settings, len(todo), is_timed=grid.budget.seconds is not None)
    notes = [
        f"{asked.resolved.label}: {note}"
        for asked, found in zip(grid.datasets, data, strict=True)
        for note in found.notes
    ]
    notes += _lacking(store, todo)
    commit = (git_commit.of(Path.cwd()) if todo else None) or ""
    return Plan(grid, data, compared, todo, store, engine, settings, mark, notes, commit)


def _lacking(store: Store, todo: Sequence[TrialSpec]) -> list[str]:
    """Return a line on the trials to do of which weights or samples were let go."""
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


def task(planned: Plan, trial: TrialSpec, folder: str = "") -> Task:
    """Return the task that performs a trial of a plan, in the folder of this name, if one is given."""
    settings = planned.settings
    assignment = Assignment(
        trial=trial,
        metrics=tuple(planned.grid.metrics(trial.dataset_digest)),
        results=str(planned.store.root.resolve()),
        folder=folder,
        target=planned.grid.target,
        resized=planned.grid.resized,
        device=settings.device,
        threads=settings.threads,
        checkpoint_every=settings.checkpoint_every,
        fresh=planned.fresh_mark,
        fresh_scores=settings.fresh_scores,
        keep=settings.keep,
        commit=planned.commit,
    )
    return Task(trial.id, assignment.to_json(), settings.threads, planned.gpus, assignment.results)


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


def texts(what: str, given: Texts, default: Sequence[str]) -> list[str]:
    """Return what is given, or the default where that is None, texts with commas taken apart.

    Raises RequestError where they are blank.
    """
    chosen = default if given is None else given
    several = [chosen] if isinstance(chosen, str) else list(chosen)
    parts = spec.split_all(several)
    if several and not parts and what != "models":  # that no model is named, plan says better
        raise RequestError(f"{what} {', '.join(several)!r} is blank; expected names, or leave it out")
    return parts


def metric_texts(metrics: Texts, resolver: Resolver) -> list[str]:
    """Return the metrics asked for, `all` taken apart."""
    wanted = texts("metrics", metrics, [defaults.METRIC])
    return [name for text in wanted for name in (_for_any_images(resolver) if text == "all" else [text])]


def _for_any_images(resolver: Resolver) -> list[str]:
    """Return the metrics that `all` stands for; one that cannot be loaded, as `genbench plugins` shows, is none."""
    found: list[str] = []
    for name in dict.fromkeys(entry.name for entry in resolver.registry.entries("metric")):
        with contextlib.suppress(GenbenchError):
            found += [name] if resolver.resolve("metric", name).traits["for_any_images"] else []
    return found


def _all_models(settings: RunSettings) -> list[str]:
    """Return the models asked for, and the reference rows. Raises RequestError where no model is."""
    wanted = texts("models", settings.models, ())
    if not wanted:
        raise RequestError("no model given; expected --models NAME or a suite. See: genbench list models")
    return wanted + references(settings.reference)


def references(given: Texts) -> list[str]:
    """Return the reference rows asked for; "none" asks for none."""
    return [name for name in texts("reference", given, defaults.REFERENCES) if name != "none"]


def _seeds(given: int | Sequence[int] | None) -> list[int]:
    """Return the seeds asked for: so many, or these."""
    wanted = DEFAULT_SEEDS if given is None else given
    return suites.check_seeds(wanted if isinstance(wanted, int) else list(wanted), "seeds")


def _merge(*layers: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for plugin, given in layer.items():
            merged.setdefault(plugin, {}).update(given)
    return merged
