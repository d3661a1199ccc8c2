"""Performs every mistake, its sound twin and every use on the stand-in; prints as JSON what each raised.

Each has a forked process of its own, since some end what CUDA can do in theirs.
"""

import importlib
import json
import os
import warnings
from collections.abc import Callable
from typing import Any

from mistakes import MISTAKES
from uses import USES


def became(function: Callable[..., Any], *arguments: Any) -> str:
    """Perform in a forked process; return what it raised, or "" ."""
    reading, writing = os.pipe()
    if not os.fork():
        said = ""
        try:
            warnings.simplefilter("error")
            function(*arguments)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as said:
        text = said.read()
    os.wait()
    return text


if __name__ == "__main__":
    from genbench.testing import cuda_standin

    cuda_standin.install()
    importlib.import_module("torch._dynamo")  # optimisers do: once, and not in each of the processes
    found = {name: [became(function, wrong) for wrong in (True, False)] for name, (function, _) in MISTAKES.items()}
    print(json.dumps([found, {name: became(function) for name, function in USES.items()}]))
