"""genbench doctor: is everything there that a run needs? Imports no plugin but the engine that it is asked about."""

from __future__ import annotations

import os
import platform
import tempfile
from collections import Counter
from importlib import metadata
from pathlib import Path

import click

from genbench import files
from genbench.api import Engine, Place
from genbench.cli.paths import path
from genbench.data.folders import cache_folder, data_folder
from genbench.errors import GenbenchError, printable
from genbench.output.console import stdout_console
from genbench.output.listing import listing
from genbench.registry import entry_points
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.runs import stored
from genbench.store import locks
from genbench.store.records import TrialRecord
from genbench.store.store import Store
from genbench.store.trial_folder import TrialFolder

PACKAGES = (
    "genbench",
    "torch",
    "torchvision",
    "torch-fidelity",
    "numpy",
    "scipy",
    "pandas",
    "matplotlib",
    "safetensors",
    "pluggy",
)
VARIABLES = (
    "GENBENCH_DATA",
    "GENBENCH_CACHE",
    "GENBENCH_PLUGINS",
    "GENBENCH_ENGINE",
    "OMP_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
)


@click.command("doctor")
@click.option("--results", type=path, metavar="FOLDER", default="results", show_default=True)
@click.option("--verify", is_flag=True, help="Read every byte of the stored results against its checksum.")
@click.option("--engine", metavar="NAME", help="Look at the machines too that it places trials on: ray.")
def command(results: Path, verify: bool, engine: str | None) -> int:
    """Check versions, devices and folders, and who is at work in RESULTS.

    Exit code 1 where something stands in the way of a run, or a stored file is damaged.
    """
    places = _places(engine) if engine else []
    folders = {"data folder": data_folder(), "cache folder": cache_folder(), "results folder": results}
    problems = {name: _problem(path) for name, path in folders.items()}
    shipped = all(any(files.shipped(kind).glob("*.toml")) for kind in ("suites", "claims"))
    points = [point.name for point in entry_points.points()]
    rows = [
        ("Python", f"{platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"),
        *((package, _version(package)) for package in PACKAGES),
        ("devices", _devices()),
        *((name, f"{path}: {problems[name] or 'ok'}") for name, path in folders.items()),
        ("suites and claims", f"{files.shipped('suites').parent}: {'ok' if shipped else 'MISSING'}"),
        ("plugins installed", ", ".join(points) or "none beside the built-in"),
        *((name, os.environ.get(name, "not set")) for name in VARIABLES),
        ("at work", "; ".join(_at_work(results)) or "nobody"),
    ]
    rows += [(printable(f"node {place.name}"), f"{place.about}: {place.problem or 'ok'}") for place in places]
    damage = [*_damage(results), *_stale(results)] if verify else []
    if verify:
        rows.append(("stored results", "; ".join(damage) or "every byte as it was stored"))
        rows += [("not kept", line) for line in _not_kept(results)]
    stdout_console().print(listing("doctor", rows))
    missing = any(_version(package) == "MISSING" for package in PACKAGES)
    return 1 if missing or not shipped or damage or any([*problems.values(), *(p.problem for p in places)]) else 0


def _places(engine: str) -> list[Place]:
    """Return the machines that an engine places trials on."""
    asked: Engine = Resolver(load_registry(), cache_folder()).resolve("engine", engine).instantiate()
    try:
        return asked.places()
    finally:
        asked.close()


def _at_work(results: Path) -> list[str]:
    """Return the trials that a live process holds, each with the process. No link is followed."""
    folders = sorted(path for path in (results / "trials").glob("*") if not path.is_symlink())
    return [
        f"{printable(path.name)} by {locks.holder(path) or 'another process'}"
        for path in folders
        if locks.is_held(path)
    ]


def _damage(results: Path) -> list[str]:
    """Return what is wrong with stored files, each byte read. The next run that needs them does them again."""
    contents = Store(results).read()
    found = [printable(problem.error) for problem in contents.problems]
    for folder, record in (copy for copies in contents.trials.values() for copy in copies):
        found += _problems(folder, record)
    return found


def _not_kept(results: Path) -> list[str]:
    """Return what was let go of stored trials, and of how many."""
    contents = Store(results).read()
    counts = Counter(copies[0][1].lacking for copies in contents.trials.values())
    return [
        f"{count} {'trial' if count == 1 else 'trials'} {lack.partition(',')[0]}: genbench slim or --keep let them go"
        for lack, count in counts.items()
        if lack
    ]


def _stale(results: Path) -> list[str]:
    """Return which tables in the folder are not what its trials come to; none while someone is at work on these."""
    if _at_work(results):
        return []
    return [
        f"{printable(results / name)} is not what the stored trials give: it was edited, trials came or went since, or "
        "another genbench wrote it; any genbench run on the folder writes it again"
        for name, text in stored.tables(Store(results)).items()
        if (results / name).is_file() and _text(results / name) != text
    ]


def _text(path: Path) -> str:
    try:
        return files.read_text(path)
    except (OSError, ValueError):
        return ""


def _problems(folder: TrialFolder, record: TrialRecord) -> list[str]:
    try:
        return list(folder.damage(record, every_byte=True).values())
    except GenbenchError as error:
        return [printable(error)]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "MISSING"


def _devices() -> str:
    try:
        import torch
    except ImportError as error:
        return f"torch cannot be imported: {printable(error)}"
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"cpu, {len(names)} CUDA" + "".join(f"; cuda:{i} {name}" for i, name in enumerate(names))


def _problem(path: Path) -> str:
    """Return why nothing can be written under a path, or ""; tried in the nearest folder that exists."""
    existing = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            return ""
    except OSError as error:
        return f"CANNOT BE WRITTEN: {error.strerror or error}"
