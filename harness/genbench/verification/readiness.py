"""What of a stored trial can be done again here: its plugins as they are installed, its data, its files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from genbench.data.cache import Prepared
from genbench.data.folders import originals
from genbench.errors import GenbenchError, printable
from genbench.figures.lacking import Lacking
from genbench.figures.subjects import Subject
from genbench.figures.trained import Trained
from genbench.ranking.recorded import RecordedMetric, RecordedModel
from genbench.registry import extractors
from genbench.registry.resolve import Resolved, Resolver
from genbench.store.layout import MODEL, SHARD
from genbench.store.records import TrialRecord
from genbench.trial import sources
from genbench.trial.identity import LAST, Budget, Target, TrialSpec
from genbench.trial.protocol import Protocol
from genbench.verification.asked import Unit

SAID_OF_MODELS = ("role", "samples_are")
SAID_OF_METRICS = ("title", "unit", "higher_is_better", "bounds")
"""What of a plugin stands in tables and decides ranks, and is copied into records."""


@dataclass(frozen=True)
class Ready:
    """A unit with what is needed to do it again.

    trial is None where nothing can be, for the reason in problem. protocols are those that are the same here, by stage;
    lacking says of the others why not. lies are what the record says that is not so.
    """

    unit: Unit
    trial: TrialSpec | None = None
    data: Prepared | None = None
    problem: str = ""
    protocols: Mapping[str, Protocol] = field(default_factory=dict)
    lacking: Mapping[str, str] = field(default_factory=dict)
    lies: tuple[str, ...] = ()
    undrawn: str = ""

    @property
    def record(self) -> TrialRecord:
        """Return the record of the trial as it is written."""
        return self.unit.record

    @property
    def model(self) -> RecordedModel:
        """Return the model of the record."""
        return RecordedModel.read(self.unit.stored.record.model)

    @property
    def has_samples(self) -> bool:
        """Return whether samples are stored, and were not let go."""
        return "samples" in self.record.stages and not self.record.lacks("samples")


def made_ready(unit: Unit, resolver: Resolver, typed: Collection[str]) -> Ready:
    """Return a unit with what is needed to do it again; typed are the names that the user gave."""
    lies: tuple[str, ...] = ()
    trained = Trained(Subject([unit.stored], unit.stored.stem), resolver, torch.device("cpu"), typed)
    try:
        lies += tuple(_untrue(unit))
        lies += tuple(_mislabelled(unit.record, trained))
        trial = _trial(unit, trained)
        data = trained.data
    except (GenbenchError, Lacking) as error:
        return Ready(unit, problem=printable(error), lies=lies)
    lies += tuple(_said_otherwise(unit.record.model["traits"], trial.model.traits, SAID_OF_MODELS, "model"))
    if trial.id != unit.record.id:
        return Ready(unit, problem="its identity is not what this genbench makes of its model and data", lies=lies)
    protocols, lacking, more = _protocols(unit, trained, resolver)
    return Ready(unit, trial, data, "", protocols, lacking, (*lies, *more), _undrawn(unit.record, trial))


def _trial(unit: Unit, trained: Trained) -> TrialSpec:
    """Return the trial as it would be planned here. Raises GenbenchError or Lacking where that is another one."""
    record = unit.record
    dataset = trained.plugin("dataset", unit.stored.dataset)
    select = str(record.identity.get("select", LAST))
    return TrialSpec(trained.resolved, dataset, record.dataset["digest"], record.seed, _budget(record), select)


def _budget(record: TrialRecord) -> Budget:
    return Budget(steps=_whole(record.budget.get("steps")), seconds=record.budget.get("seconds"))


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _undrawn(record: TrialRecord, trial: TrialSpec) -> str:
    """Return why samples cannot be drawn again from what is stored, or ""."""
    if "fit" not in record.stages:
        return f"it has no trained model: {record.status}"
    if record.lacks("fit"):
        return "its weights were not kept"
    try:
        sources.check(trial.model)
    except GenbenchError as error:
        return f"the images given are not there as they were: {printable(error)}"
    return ""


# What the record says ------------------------------------------------------------------------------------------------


def _untrue(unit: Unit) -> Iterator[str]:
    """Yield what is wrong with a trial's files, every byte read, and what of its record does not fit together."""
    record, folder = unit.record, unit.stored.folder
    yield from (printable(problem) for problem in folder.damage(record, every_byte=True).values())
    known, model = record.identity["model"], record.model
    told = {"options": model.get("options"), "version": model["version"], "plugin": model["distribution"]}
    yield from (
        f"its model's {name} are not those of its identity: the record was changed"
        for name, value in told.items()
        if known.get(name, value) != value
    )
    yield from _unfit(record, unit)


def _unfit(record: TrialRecord, unit: Unit) -> Iterator[str]:
    """Yield the scores that were computed from another model or other samples than are stored."""
    fit = record.stages.get("fit")
    samples = record.stages.get("samples")
    model = fit.files[MODEL]["sha256"] if fit else ""
    if samples and samples.inputs.get("model", model) != model:
        yield "its samples were drawn of another model than is stored"
    for stage in unit.scores:
        inputs = record.stages[stage].inputs if stage in record.stages else {}
        if inputs.get("model", model) != model:
            yield f"{stage} was scored of another model than is stored"
        if not (samples.digest if samples else "").startswith(inputs.get("samples", "")):
            yield f"{stage} was scored of other samples than are stored"


def _mislabelled(record: TrialRecord, trained: Trained) -> Iterator[str]:
    """Yield which options a model's label stands for that are not those it was trained with.

    A plugin that has other options, or another version, than it had then is not meant.
    """
    if RecordedModel.read(record.model).is_given:
        return
    now, then = trained.plugin("model", record.model["label"]), record.identity["model"]
    options = then.get("options", {})
    if (now.name, now.version, now.distribution) == (then.get("name"), then.get("version"), then.get("plugin")):
        for name in sorted(now.options.keys() & options) if now.options.keys() == options.keys() else ():
            if now.options[name] != options[name]:
                yield printable(f"its label stands for {name} {now.options[name]}, its identity for {options[name]}")


def _said_otherwise(then: Mapping[str, Any], now: Mapping[str, Any], names: Collection[str], of: str) -> Iterator[str]:
    """Yield what a record says of a plugin that the plugin itself does not."""
    for name in names:
        if name in then and then[name] != now.get(name):
            yield printable(f"its record says of its {of}, {name}: {then[name]}; here it is {now.get(name)}")


# Protocols -----------------------------------------------------------------------------------------------------------


def _protocols(
    unit: Unit, trained: Trained, resolver: Resolver
) -> tuple[dict[str, Protocol], dict[str, str], list[str]]:
    """Return the protocols that are the same here, why others are not, and what the record says of metrics wrongly."""
    found: dict[str, Protocol] = {}
    lacking: dict[str, str] = {}
    lies: list[str] = []
    for stage, request in unit.scores.items():
        try:
            protocol = _protocol(unit, _metric(request["metric"]["label"], trained, resolver))
        except (GenbenchError, Lacking) as error:
            lacking[stage] = printable(error)
            continue
        if protocol.stage == stage and protocol.id == request["id"]:
            found[stage] = protocol
            lies += _said_otherwise(request["metric"]["traits"], protocol.metric.traits, SAID_OF_METRICS, stage)
        else:
            lacking[stage] = f"its metric is of another version: protocol {protocol.id} here"
    return found, lacking, lies


def _protocol(unit: Unit, metric: Resolved) -> Protocol:
    target: Target = "valid" if unit.target == "valid" else "test"
    return Protocol(metric, unit.record.dataset["digest"], target, _budget(unit.record), unit.resized)


def _metric(label: str, trained: Trained, resolver: Resolver) -> Resolved:
    """Return a metric as planning resolves it, with what its extractor loads from elsewhere at hand."""
    data = trained.data
    metric = extractors.with_extractor(resolver, trained.plugin("metric", label), data.space, data.digest)
    with originals() as folder:
        extractors.fetch([metric], data.space, data.digest, folder)
    return metric


# The code behind it --------------------------------------------------------------------------------------------------


def older_code(ready: Ready, stage: str = "") -> str:
    """Return in words which code of a trial, or of one of its scores, is older than what is here, or ""."""
    if not stage:
        return f"{ready.model.name} is other code here than it was trained by" if ready.model.is_older else ""
    metric = RecordedMetric.read(ready.unit.stored.record.wanted[stage]["metric"])
    parts = [each for each in (metric, metric.extractor) if each is not None and each.is_older]
    return f"{' and '.join(each.name for each in parts)} is other code here than it was scored by" if parts else ""


def shard_stamps(record: TrialRecord) -> dict[str, str]:
    """Return the SHA-256 of each file of a trial's samples."""
    stage = record.stages.get("samples")
    kept = stage.files if stage else {}
    return {name: stamp["sha256"] for name, stamp in kept.items() if name.endswith(SHARD)}
