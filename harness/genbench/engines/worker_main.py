"""A worker process: tasks come as lines of JSON on one pipe, what became of them goes out on another.

Run as `python -m genbench.engines.worker_main IN OUT`, two inherited descriptors. Plain data alone crosses the pipes;
nothing that a plugin prints, raises or leaves behind can break them.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import queue
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from genbench.engines.messages import GPU_LOST, GRACE, Line, decode, encode

Message = Mapping[str, Any]


class Mailbox:
    """What the driver sends. Its thread notes a request to stop at once, also while a trial is under way.

    When the driver is gone, however it ended, what is under way is saved, and the process ends.
    """

    def __init__(self, descriptor: int) -> None:
        self._lines = os.fdopen(descriptor, "rb")
        self._tasks: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._alone = threading.Event()
        self._under_way: tuple[str, int] | None = None
        self._unwanted: tuple[str, int] | None = None

    def open(self) -> Message:
        """Return the first message, which says how to work, and begin to listen for the others."""
        first = decode(self._lines.readline())
        threading.Thread(target=self._listen, daemon=True).start()
        return first

    def next(self) -> Message | None:
        """Wait for the next task; None when there will be none."""
        message = self._tasks.get()
        self._under_way = _attempt(message) if message else None
        return message

    def stopping(self) -> bool:
        """Return whether what is under way is to be saved and left."""
        return self._alone.is_set() or (self._unwanted is not None and self._unwanted == self._under_way)

    def stop(self) -> None:
        """Ask for what is under way to be saved and left."""
        self._unwanted = self._under_way

    def _listen(self) -> None:
        for line in self._lines:
            message = decode(line)
            if message["kind"] == "stop":
                self._unwanted = _attempt(message)
            else:
                self._tasks.put(message)
        self._alone.set()
        self._tasks.put(None)
        time.sleep(GRACE)  # the driver is gone: who does not save within the grace has hung
        os._exit(1)


def _attempt(message: Message) -> tuple[str, int]:
    return message["task"], message["attempt"]


def main(arguments: list[str]) -> int:
    """Perform tasks until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the driver decides what follows
    faulthandler.enable()
    inbox, outbox = (int(number) for number in arguments)
    for descriptor in (inbox, outbox):
        os.set_inheritable(descriptor, False)
    mailbox = Mailbox(inbox)
    signal.signal(signal.SIGTERM, lambda *_: mailbox.stop())
    hello = mailbox.open()
    sys.path[:] = hello["path"]
    _limit_memory(hello["memory"])
    send = _sender(outbox)
    _preload()
    while (message := mailbox.next()) is not None:
        result = _perform(message, mailbox, send)
        if message["device"] and (result["status"] != "done" or result.get("gpu_lost")):
            return GPU_LOST if is_begun_again(result) else 0  # an error of CUDA may last as long as the process
    return 0


def is_begun_again(result: Message) -> bool:
    """Return whether another process is to go on with what this one cannot: its GPU was lost with work left to do."""
    return bool(result.get("begin_again"))


def _perform(message: Message, mailbox: Mailbox, send: Callable[[Line], None]) -> Message:
    """Perform a task and return its result; send the result unless another process is to go on with the task."""
    from genbench.api import Task
    from genbench.trial.task import perform

    head = {"task": message["task"], "attempt": message["attempt"]}
    send({**head, "kind": "started", "data": {}})
    result = perform(
        Task(message["task"], message["spec"], gpus=message["gpus"]),
        lambda progress: send({**head, "kind": "beat", "data": dict(progress)}),
        mailbox.stopping,
        device=message["device"],
        is_alone=True,
    )
    if not is_begun_again(result):
        send({**head, "kind": "done", "data": result})
    return result


def _sender(descriptor: int) -> Callable[[Line], None]:
    def send(line: Line) -> None:
        content = encode(line)
        with contextlib.suppress(BrokenPipeError):  # nobody is left to hear of it; the mailbox ends the process
            while content:
                content = content[os.write(descriptor, content) :]

    return send


def _preload() -> None:
    """Import what every trial needs, and what torch puts off until the first optimiser, while nobody waits yet."""
    import torch

    import genbench.trial.worker

    assert genbench.trial.worker
    torch.optim.Adam([torch.zeros(1, requires_grad=True)]).zero_grad()


def _limit_memory(mib: int | None) -> None:
    """Let allocations beyond a bound fail in this process, and let the kernel, if it must, choose it before others."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("900")
    if mib is not None:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (mib << 20, resource.getrlimit(resource.RLIMIT_DATA)[1]))


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # at once: what plugins left to run at exit cannot hold it up
