"""A trial performed stage by stage: fit, samples, one score per metric; what is already stored is not done again."""

from __future__ import annotations

import contextlib
import dataclasses
import traceback
from collections.abc import Iterator

from genbench.errors import ChangedError, Interrupted, NotKept, StoreError, printable
from genbench.registry.plugins import BUILTIN, describe
from genbench.trial import environment, gpu
from genbench.trial.fitting import fit
from genbench.trial.protocol import Protocol
from genbench.trial.scorer import Scorer
from genbench.trial.torch_state import known_state
from genbench.trial.work import TrialWork

TRACEBACK = "traceback.txt"


class TrialRunner:
    """Does the stages of a trial that are missing, and keeps in its folder how it stands.

    share is the part of a GPU that it has. is_crowded says whether it ran out of memory where that was not the whole;
    is_begun_again whether another process is to go on, since a metric cost this one its GPU with others left to score.
    """

    def __init__(self, work: TrialWork, share: float = 1.0) -> None:
        self.work = work
        self.is_crowded = False
        self.is_begun_again = False
        self._share = share
        self._scorer = Scorer(work)

    def begin(self) -> None:
        """Keep in the folder what is wanted, before anything is done, so that what never finished is known too.

        A trial that is to be trained anew keeps its old record until the new fit is there.
        """
        for protocol in self.work.protocols():
            if protocol.stage not in self.work.record.wanted:
                self.work.note(protocol)
        self.end("interrupted", "")

    def end(self, status: str, reason: str) -> None:
        """Keep in the record how the trial stands."""
        work = self.work
        work.record = dataclasses.replace(work.record, status=status, reason=reason)
        if "fit" in work.record.stages or not work.folder.has_fit():
            work.folder.write(work.record)
        if status not in ("done", "interrupted"):
            work.checkpoints.clear()  # it would come to the same again

    @contextlib.contextmanager
    def trial_environment(self, alone: bool) -> Iterator[None]:
        """Set the environment of a trial: its own output file, and the state of torch that all trials share."""
        work = self.work
        strict = work.trial.model.distribution == BUILTIN
        with (
            environment.output_to(work.folder.path / "output.txt", alone),
            known_state(strict, work.assignment.threads, work.device),
        ):
            yield

    def run(self) -> None:
        """Do every stage that is missing. A metric that raises costs only its own score."""
        work = self.work
        (work.folder.path / TRACEBACK).unlink(missing_ok=True)
        if "fit" not in work.record.stages:
            fit(work)
        work.leave_if_stopping()
        count = max((metric.traits["samples"] for metric in work.assignment.metrics), default=0)
        if count and not work.assignment.only_scores:
            self._scorer.samples.draw(count)
        work.checkpoints.clear()
        for protocol in sorted(work.protocols(), key=lambda protocol: bool(work.problem(protocol))):
            work.leave_if_stopping()
            if work.assignment.fresh_scores or not work.is_scored(protocol):
                work.record = work.record.without(protocol.stage)
                self._try_to_score(protocol)

    def _try_to_score(self, protocol: Protocol) -> None:
        """Score under a protocol, or note what came in the way. Raises Interrupted where that cost the GPU."""
        work = self.work
        try:
            self._scorer.score(protocol)
        except NotKept as lack:
            if not work.assignment.only_scores:
                raise
            work.note(protocol, problem=printable(lack))
        except (StoreError, ChangedError):
            raise
        except (Exception, SystemExit) as error:
            self.keep_traceback()
            work.note(protocol, problem=describe(error))
            self.is_crowded |= self._share < 1 and gpu.is_out_of_gpu_memory(error)
            if not gpu.is_usable(work.device) and work.untried():
                self.is_begun_again = True
                raise Interrupted(f"{protocol.metric.label} left the GPU unusable: {printable(error)}") from error

    @property
    def is_complete(self) -> bool:
        """Return whether the trial ended well and has every score that was asked for."""
        work = self.work
        return work.record.status == "done" and all(map(work.is_scored, work.protocols()))

    def keep_traceback(self) -> None:
        """Add the traceback of the error being handled to the folder."""
        with environment.opened(self.work.folder.path / TRACEBACK) as file:
            file.write(traceback.format_exc() + "\n")
