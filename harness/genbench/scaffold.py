"""The project of a new plugin: one model, one metric and their tests, filled in from the templates."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from string import Template

from genbench import files
from genbench.errors import RequestError, StoreError, printable
from genbench.registry.plugins import KINDS, READ_AS_MISSING, Registry

TEMPLATES = Path(__file__).parent / "templates" / "plugin"
SUFFIX = ".template"  # so that no tool takes them for code
PREFIX = "genbench"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")  # of plugins and of distributions alike
LONGEST = 32  # the metric's name is longer, and may have 40


@dataclass(frozen=True)
class Project:
    """A plugin's project. All its names come from one.

    Distribution and package are prefixed: no name of the standard library, of Python or of a stranger's package on an
    index can be in their way.
    """

    name: str

    @property
    def distribution(self) -> str:
        """Return the name under which it is installed."""
        return f"{PREFIX}-{self.name}"

    @property
    def package(self) -> str:
        """Return the name under which it is imported."""
        return self.distribution.replace("-", "_")

    @property
    def metric(self) -> str:
        """Return the name of its metric; that of its model is its own."""
        return f"{self.name}-moments"

    def texts(self) -> dict[str, str]:
        """Return the text of each file by its path in the project."""
        words = {
            "name": self.name,
            "metric": self.metric,
            "distribution": self.distribution,
            "package": self.package,
            "prefix": "".join(part.capitalize() for part in self.name.split("-")),
            "genbench_version": metadata.version(PREFIX).partition("+")[0],
        }
        return {
            self._path(template): Template(template.read_text(encoding="utf-8")).substitute(words)
            for template in sorted(TEMPLATES.rglob(f"*{SUFFIX}"))
        }

    def _path(self, template: Path) -> str:
        path = template.relative_to(TEMPLATES).as_posix().removesuffix(SUFFIX)
        return path.replace("src/package/", f"src/{self.package}/")


def plan(name: str, registry: Registry) -> Project:
    """Return the project of a name. Raises RequestError where the name cannot be a plugin's, or is another's."""
    project = Project(name)
    if not NAME.fullmatch(name) or len(name) > LONGEST or name in READ_AS_MISSING:
        raise RequestError(
            f"plugin name {printable(name)!r}: expected small letters and digits, '-' between them, beginning with a "
            f"letter, at most {LONGEST}, and none of {', '.join(sorted(READ_AS_MISSING))}; as in deep-blur"
        )
    if name.partition("-")[0] == PREFIX:
        rest = name.partition("-")[2] or "deep-blur"
        raise RequestError(f"plugin name {name!r}: expected it without {PREFIX}, which is put before it; as in {rest}")
    for entry in (e for kind in KINDS for e in registry.entries(kind) if e.name in (name, project.metric)):
        raise RequestError(
            f"plugin name {name!r}: {entry.kind} {entry.name} is there already, of {entry.plugin.distribution}; "
            "expected a name of its own"
        )
    if importlib.util.find_spec(project.package):
        raise RequestError(
            f"plugin name {name!r}: a package {project.package} is installed already; expected a name of its own"
        )
    return project


def make(project: Project, into: Path) -> Path:
    """Write a project's folder whole or not at all; return it. Nothing that is there is overwritten."""
    folder = into / project.name
    if not into.is_dir():
        raise RequestError(f"{printable(into)} is no folder; expected one that is there, to make {project.name} in")
    if os.path.lexists(folder):
        raise RequestError(f"{printable(folder)} is there already; expected a name or a folder that is free")
    try:
        with files.aside_folder(folder) as aside:
            _write(aside, project.texts())
            aside.rename(folder)
    except OSError as error:
        raise StoreError(
            f"cannot write {printable(folder)}: {error.strerror or error}. Nothing is left of it"
        ) from error
    return folder


def _write(folder: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8", newline="")
