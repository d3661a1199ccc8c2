"""The commands that make stored scores again, as they can be typed in a shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genbench.data import resizing
from genbench.ranking.recorded import RecordedModel
from genbench.store.records import TrialRecord
from genbench.trial.identity import LAST
from genbench.trial.sources import NOT_STATED


class NoCommand(Exception):
    """No command can be told that makes a trial again; the message says why."""


@dataclass(frozen=True)
class Asked:
    """A score that was asked for: the trial's record, and the request among its `wanted`."""

    record: TrialRecord
    request: Mapping[str, Any]

    @property
    def circumstances(self) -> tuple[str, str, str]:
        """Return what one command has one of: split scored against, device, threads."""
        environment = self.record.environment
        return str(self.request.get("target", "test")), str(environment.get("device")), str(environment.get("threads"))


def commands(asked: Sequence[Asked], among: Iterable[TrialRecord] = ()) -> list[str]:
    """Return a command for each split, device and number of threads among scores of one model; its seeds together.

    among are further trials, in which images made elsewhere are looked for that stood for other seeds. Raises
    NoCommand.
    """
    model = RecordedModel.read(asked[0].record.model)
    scored_alone = [each for each in asked if model.is_given or resizing.WORDS not in each.request["words"]]
    if not scored_alone:
        raise NoCommand("it was scored beside images made elsewhere: genbench evaluate makes it again with these")
    groups: dict[tuple[str, str, str], list[Asked]] = {}
    for each in scored_alone:
        groups.setdefault(each.circumstances, []).append(each)
    known = [*(each.record for each in asked), *among]
    head = _evaluate(asked[0].record, known) if model.is_given else ["run", "--models", model.label]
    return [shlex.join(["genbench", *head, *_rest(group, model.is_given)]) for group in groups.values()]


def _rest(asked: Sequence[Asked], is_given: bool) -> list[str]:
    """Return the options that trained models and images made elsewhere have in common, and a training's own."""
    record = asked[0].record
    target, device, threads = asked[0].circumstances
    return [
        *("--metrics", ",".join(dict.fromkeys(str(each.request["metric"]["label"]) for each in asked))),
        *("--datasets", ",".join(dict.fromkeys(str(each.record.dataset["label"]) for each in asked))),
        *([] if is_given else _training(record, sorted({each.record.seed for each in asked}))),
        *("--reference", "none"),
        *(["--target", target] if target != "test" else []),
        *(["--device", device] if device in ("cpu", "cuda") else []),
        *(["--threads", threads] if threads.isdecimal() and threads != "1" else []),
    ]


def _training(record: TrialRecord, seeds: Sequence[int]) -> list[str]:
    select = str(record.identity.get("select", LAST))
    steps, seconds = record.budget.get("steps"), record.budget.get("seconds")
    budget = f"{steps:.0f}steps" if steps is not None else f"{seconds:.0f}s" if seconds is not None else ""
    return [
        *(["--seed", str(seeds[0])] if len(seeds) == 1 else ["--seeds", _together(seeds)]),
        *(["--budget", budget] if budget else []),
        *(["--select", select] if select != LAST else []),
    ]


def _together(seeds: Sequence[int]) -> str:
    """Return several seeds in order as they are typed: 0-4, or 0,2,5."""
    is_range = seeds[-1] - seeds[0] == len(seeds) - 1
    return f"{seeds[0]}-{seeds[-1]}" if is_range else ",".join(map(str, seeds))


def _evaluate(record: TrialRecord, known: Iterable[TrialRecord]) -> list[str]:
    """Return what asks for the images of all seeds, on which each trial depends. Raises NoCommand if some are lost."""
    model = record.model
    paths = {each.seed: each.model["settings"].get("path") for each in known if _is_same_source(each, record)}
    options = model["options"]
    count = len(options.get("contents", ()))
    if not all(isinstance(paths.get(seed), str) for seed in range(count)) or not count:
        raise NoCommand(f"of {count} files of its images, it is known where {len(paths)} lay; all make a trial")
    sources = ",".join(_quoted(str(paths[seed])) for seed in range(count))
    declared, size = options.get("declared", NOT_STATED), options.get("size")
    return [
        *("evaluate", f"{model['label']}={sources}"),
        *(["--samples-are", str(declared)] if declared != NOT_STATED else []),
        *(["--size", str(size)] if size else []),
    ]


def _is_same_source(record: TrialRecord, other: TrialRecord) -> bool:
    return (record.model["label"], record.model.get("options")) == (other.model["label"], other.model.get("options"))


def _quoted(path: str) -> str:
    return f'"{path}"' if set(path) & set('[],"') else path
