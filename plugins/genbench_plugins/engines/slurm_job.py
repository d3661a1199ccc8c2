"""What runs in a Slurm job: one trial, in a worker process of its own; a signal has it saved and queued again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genbench import Event, ProcessEngine, Task
from genbench.io import printable
from genbench_plugins.engines.carried_environment import CarriedEnvironment
from genbench_plugins.engines.slurm_folder import Mailbox

LOOK = 0.5
"""Seconds after which a job looks whether it is asked to stop."""

EVERY = 2.0
"""Seconds between two lines about one stage."""

SHOWN = ("stage", "loop", "epoch", "epochs", "log")
"""What is said of progress: the lines of a trial's log are in its folder."""

BUSY = 2.0
"""Seconds until a trial that another process is at work on is tried again."""

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""By which Slurm, or an operator, tells a job that its time is over. After SIGTERM Slurm itself queues again what it
preempts, and nothing what was cancelled; after the others the job asks for it."""


@dataclass(frozen=True)
class Element:
    """One trial of an array, as it travels to its job."""

    mailbox: str
    task: Task
    attempt: int
    environment: CarriedEnvironment
    memory: int | None

    def __call__(self) -> None:
        """Perform the trial. How it ended is said in its mailbox."""
        job = _Job(self)
        for number in SIGNALS:
            signal.signal(number, job.heed)
        self.environment.take_on()
        if not self.task.gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        while job.perform_is_busy():
            time.sleep(BUSY)


class _Job:
    """A trial in this job."""

    def __init__(self, element: Element) -> None:
        self._element = element
        self._mailbox = Mailbox(Path(element.mailbox))
        self._signal: int | None = None
        self._stage: object = None
        self._said = 0.0
        self._beats = 0
        self._why = ""

    def heed(self, number: int, frame: object) -> None:
        """Note a signal: the trial is saved, as soon as its worker is between two steps."""
        self._signal = number

    def perform_is_busy(self) -> bool:
        """Perform the trial, and say how it ended; return whether another process is at work on it."""
        device = "cuda" if self._element.task.gpus else "cpu"
        engine = ProcessEngine(jobs=1, device=device, threads=self._element.task.cpus, memory=self._element.memory)
        engine.listen(self._beat)
        try:
            end = self._end(engine)
        finally:
            engine.close()
        if end.data.get("status") == "busy" and not self._is_to_stop():
            self._beat(Event(end.task, end.attempt, "beat", {"stage": f"waits: {end.data['reason']}"}))
            return True
        self._tell(end)
        return False

    def _end(self, engine: ProcessEngine) -> Event:
        engine.submit(self._element.task, self._element.attempt)
        while True:
            for event in engine.events(LOOK):
                if event.kind in ("done", "lost"):
                    return event
                self._mailbox.say(event.kind, event.data)
            if self._is_to_stop():
                engine.cancel(self._element.task.id)
                self._tell_why()

    def _is_to_stop(self) -> bool:
        return self._signal is not None or self._mailbox.is_to_stop()

    def _tell_why(self) -> None:
        why = f"its job got {signal.Signals(self._signal).name}" if self._signal else "it was asked to stop"
        if self._why != why:
            self._why = why
            self._mailbox.say("beat", {"stage": f"is saved: {why}"})

    def _beat(self, event: Event) -> None:
        """Pass a new stage on at once, and other progress every few seconds."""
        self._beats += 1
        now, stage = time.monotonic(), event.data.get("stage")
        if stage != self._stage or now - self._said >= EVERY:
            self._stage, self._said = stage, now
            self._mailbox.say("beat", {name: event.data[name] for name in SHOWN if name in event.data})

    def _tell(self, end: Event) -> None:
        """Say how the trial ended; where a signal interrupted it, ask for it to be queued again."""
        is_left = end.kind == "lost" or end.data.get("status") in ("interrupted", "busy")
        if self._signal is None or not is_left or self._mailbox.is_to_stop():
            self._mailbox.say(end.kind, end.data)
        elif self._signal == signal.SIGTERM:
            self._mailbox.say("saved", {})
        elif not self._beats:
            self._mailbox.say("lost", _loss("its time was over before it had begun; expected a longer time", False))
        else:
            self._mailbox.say("saved", {})
            self._requeue()

    def _requeue(self) -> None:
        job = os.environ.get("SLURM_JOB_ID", "")
        try:
            command = ["scontrol", "requeue", job]
            subprocess.run(command, check=True, capture_output=True, timeout=60, text=True, errors="replace")
        except (OSError, subprocess.SubprocessError) as error:
            said = printable(getattr(error, "stderr", "") or error)
            self._mailbox.say("lost", _loss(f"its time was over, and it could not be queued again: {said}", True))


def _loss(reason: str, again: bool) -> Mapping[str, Any]:
    return {"status": "interrupted", "reason": reason, "again": again}
