"""How each trial of a results folder stands: planned, running, done, failed, damaged; read while others write."""

from __future__ import annotations

from dataclasses import dataclass

from genbench.errors import GenbenchError, printable
from genbench.ranking.readable import readable
from genbench.store import locks, plans, progress_file
from genbench.store.records import TrialRecord
from genbench.store.store import Store
from genbench.store.trial_folder import TrialFolder

ORDER = ("running", "planned", "interrupted", "timeout", "failed", "diverged", "out-of-memory", "damaged", "done")


@dataclass(frozen=True)
class Standing:
    """How a trial stands, in a word of ORDER, and what more there is to say: how far it is, or what went wrong."""

    state: str
    trial: str
    name: str
    words: str = ""


def standings(store: Store) -> list[Standing]:
    """Return how every trial stands that lies in a store or that a live run has announced, in the order ORDER."""
    contents, announced = store.read(), plans.planned(store.root)
    found = [
        Standing("damaged", problem.trial, problem.folder.path.name, printable(problem.error))
        for problem in contents.problems
    ]
    for trial, copies in contents.trials.items():
        folder, record = copies[0][0], readable(copies[0][1])
        state, words = _stands(folder, record, trial in announced)
        name = f"{record.model['label']} on {record.dataset['label']}, seed {record.seed}"
        found.append(Standing(state, trial, name, words))
    stored = {standing.trial for standing in found}
    found += [Standing("planned", trial, printable(name)) for trial, name in announced.items() if trial not in stored]
    return sorted(found, key=lambda standing: (_place(standing.state), standing.name, standing.trial))


def _place(state: str) -> int:
    return ORDER.index(state) if state in ORDER else len(ORDER)


def _stands(folder: TrialFolder, record: TrialRecord, is_ahead: bool) -> tuple[str, str]:
    if locks.is_held(folder.path):
        return "running", progress_file.in_words(folder.path)
    if is_ahead:
        return "planned", ""
    try:
        damage = folder.damage(record)
    except GenbenchError as error:
        return "damaged", str(error)
    if damage:
        return "damaged", "; ".join(damage.values())
    lacking = {stage: request for stage, request in record.wanted.items() if stage not in record.stages}
    if problems := [request["problem"] for request in lacking.values() if request["problem"]]:
        return "failed", "; ".join(problems)
    if record.status == "done" and not all(request["skipped"] for request in lacking.values()):
        return "interrupted", "a score was not computed"
    return record.status, record.reason or record.lacking
