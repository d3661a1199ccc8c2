"""How a trial or a row was made: commands that make it again, protocols, code, machine, data; as its records say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from genbench.errors import printable
from genbench.ranking.commands import Asked, NoCommand, commands
from genbench.ranking.readable import readable
from genbench.ranking.recorded import RecordedModel
from genbench.ranking.scores import ScoreRow
from genbench.store.layout import MODEL
from genbench.store.records import TrialRecord


@dataclass(frozen=True)
class Provenance:
    """How a trial was made, or the trials of a row. Its texts are safe to show; where trials differ, all that they say.

    trials are ids with their seeds; commands make them again in another folder of results, and where none can be told,
    no_command says why. options are the model's, complete; protocols say in words what scores are, by metric and id.
    versions are by name: genbench, the plugin's distribution, torch, python. commit is that of the repository in whose
    folder it was run, genbench_commit that of genbench's own source, as `genbench.trial.git_commit` marks them, ""
    where there was none. device, digests (of the dataset; of one trial, of model and samples too) and seconds (by
    stage, means over trials) are what was recorded.
    """

    model: RecordedModel
    dataset: str
    trials: Mapping[str, int]
    commands: Sequence[str]
    no_command: str
    options: Mapping[str, Any]
    protocols: Mapping[str, str]
    versions: Mapping[str, str]
    commit: str
    genbench_commit: str
    device: str
    digests: Mapping[str, str]
    seconds: Mapping[str, float]


def of_trial(record: TrialRecord, among: Iterable[TrialRecord] = ()) -> Provenance:
    """Return how a trial was made. among are the others of its results folder: see `commands`."""
    record = readable(record)
    return _of([Asked(record, request) for _, request in sorted(record.wanted.items())], [record], among)


def of_scores(scores: Sequence[ScoreRow], among: Iterable[TrialRecord] = ()) -> Provenance:
    """Return how the scores of a row were made, as `BoardRow.scores` has them: one or more."""
    asked = [
        Asked(score.trial, next(r for r in score.trial.wanted.values() if r["id"] == score.protocol_id))
        for score in scores
    ]
    return _of(asked, list({score.trial.id: score.trial for score in scores}.values()), among)


def _of(asked: Sequence[Asked], records: Sequence[TrialRecord], among: Iterable[TrialRecord]) -> Provenance:
    made, no_command = _commands(asked, among)
    model = RecordedModel.read(records[0].model)
    return Provenance(
        model=model,
        dataset=_all(records, lambda record: record.dataset["label"]),
        trials={record.id: record.seed for record in records},
        commands=made,
        no_command=no_command,
        options=_options(records[0].model),
        protocols={f"{each.request['metric']['label']} {each.request['id']}": each.request["words"] for each in asked},
        versions=_versions(records),
        commit=_recorded(records, "commit"),
        genbench_commit=_recorded(records, "git"),
        device=_all(records, _device),
        digests=_digests(records),
        seconds=_seconds(records, [f"{each.request['metric']['name']}-{each.request['id']}" for each in asked]),
    )


def _commands(asked: Sequence[Asked], among: Iterable[TrialRecord]) -> tuple[Sequence[str], str]:
    if not asked:
        return (), "no score was asked for"
    try:
        return commands(asked, map(readable, among)), ""
    except NoCommand as reason:
        return (), str(reason)


def _all(records: Sequence[TrialRecord], read: Callable[[TrialRecord], Any]) -> str:
    """Return what records say of something, each answer once, by commas; "" where none does."""
    return ", ".join(dict.fromkeys(str(value) for value in map(read, records) if value is not None))


def _recorded(records: Sequence[TrialRecord], name: str) -> str:
    return _all(records, lambda record: record.environment.get(name))


def _options(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's options; of a file its path, and its content behind it; of images made elsewhere no stamps."""
    counting, others = model.get("options", {}), dict(model.get("settings", {}))
    if RecordedModel.read(model).is_given:
        others.pop("state", None)
    files = {name: f"{others[name]} ({content})" for name, content in counting.items() if name in others}
    return {**counting, **others, **files}


def _versions(records: Sequence[TrialRecord]) -> dict[str, str]:
    plugin = _all(records, lambda record: record.model["distribution"])
    named = {
        "genbench": _recorded(records, "genbench"),
        plugin: _all(records, lambda record: record.model["distribution_version"]),
        "torch": _recorded(records, "torch"),
        "python": _recorded(records, "python"),
    }
    return {name: version for name, version in named.items() if name and version}


def _device(record: TrialRecord) -> str | None:
    """Return the machine in words: cpu (AMD EPYC), 1 thread, Linux x86_64."""
    found = record.environment
    name, threads = found.get("device_name"), found.get("threads")
    parts = [
        f"{found.get('device')}{f' ({name})' if name else ''}" if found.get("device") else "",
        f"{threads} {'thread' if threads == 1 else 'threads'}" if threads else "",
        str(found.get("platform") or ""),
    ]
    return ", ".join(filter(None, parts)) or None


def _digests(records: Sequence[TrialRecord]) -> dict[str, str]:
    found = {"dataset": _all(records, lambda record: record.dataset["digest"])}
    stages = records[0].stages if len(records) == 1 else {}
    if "fit" in stages:
        found["model"] = stages["fit"].files[MODEL]["sha256"]
    if "samples" in stages:
        found["samples"] = stages["samples"].digest
    return {name: printable(digest, 1000) for name, digest in found.items()}


def _seconds(records: Sequence[TrialRecord], scores: Sequence[str]) -> dict[str, float]:
    """Return what stages took, in the order in which they are done: those of scores asked for, and no others."""
    stages = {
        name: [r.stages[name].seconds for r in records if name in r.stages] for name in ("fit", "samples", *scores)
    }
    return {name: fmean(took) for name, took in stages.items() if took}
