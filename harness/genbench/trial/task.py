"""What the worker of an engine calls: one task, performed in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from genbench.api import Task


def perform(
    task: Task,
    progress: Callable[[Mapping[str, Any]], None] = lambda data: None,
    stop: Callable[[], bool] = lambda: False,
    *,
    device: str | None = None,
    gpu_share: float | None = None,
    is_alone: bool = False,
) -> dict[str, Any]:
    """Perform a task in its trial's folder of the results; return plain data for the task's `done` event.

    Nothing is raised but what stops the process: a model that fails costs only its own trial. What is returned has

    - status: done, failed, diverged, out-of-memory, interrupted, busy (another process is at work on the trial) or
      error (no trial can be performed at all);
    - reason: why, where it is not done, or what came in the way of a metric where it is;
    - notes: what was repaired on the way, unless it is busy or an error;
    - on a GPU, crowded: it ran out of memory with a part of it; gpu_lost: this process can use the GPU no more, and is
      to end; begin_again: work is left that another process can do: report lost, with again=True, in place of done.

    progress is handed what a trial under way reports: stage, epoch and what was logged. stop is asked between two steps
    whether to save and stop. device stands in place of the task's own where this process was pinned to one; gpu_share
    is the part of that GPU's memory that it may take, by default the task's. is_alone says that this process does
    nothing else: what compiled code prints is then kept in the trial's folder.
    """
    from genbench.trial.worker import Place, answer

    share = (task.gpus or 1.0) if gpu_share is None else gpu_share
    return answer(task.spec, progress, stop, Place(device=device, alone=is_alone, share=share))
