"""What a worker elsewhere is given of the process that started the run: variables, folder and import path."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CarriedEnvironment:
    """What a worker finds as it is where the run was started: variables, and with shared files folder and path too."""

    variables: dict[str, str]
    folder: str | None = None
    path: list[str] = field(default_factory=list)

    def take_on(self) -> None:
        """Make them those of this process, and so of its worker."""
        os.environ.update(self.variables)
        sys.path += [entry for entry in self.path if entry not in sys.path]
        if self.folder is not None:
            with contextlib.suppress(OSError):  # what is named by its whole path is found from anywhere
                os.chdir(self.folder)


OF_FILES = ("GENBENCH_DATA", "GENBENCH_CACHE", "PYTHONPATH")
"""Variables that name folders."""

OF_NUMBERS = ("OMP_WAIT_POLICY", "CUBLAS_WORKSPACE_CONFIG")


def carried_environment(shares_files: bool) -> CarriedEnvironment:
    """Return those of this process, without its folders where these are no other machine's."""
    names = {name for name in os.environ if name.startswith("GENBENCH_")} | {*OF_FILES, *OF_NUMBERS}
    taken = sorted((names if shares_files else names - {*OF_FILES}) & {*os.environ})
    variables = {name: os.environ[name] for name in taken}
    if not shares_files:
        return CarriedEnvironment(variables)
    return CarriedEnvironment(variables, os.getcwd(), [entry for entry in sys.path if entry])
