"""Named runs, from benchmarks/suites/*.toml or a file of one's own; and how seeds are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genbench import files, toml
from genbench.errors import RequestError, printable, unknown
from genbench.registry import spec

SUITE: toml.Shape = {
    "title": (str,),
    "models": (list,),
    "datasets": (list,),
    "metrics": (list,),
    "reference": (list,),
    "against": (list,),
    "seeds": (int, list),
    "samples": (int,),
    "budget": (str,),
    "select": (str,),
    "options": (dict,),
}
MOST_SEEDS = 10_000
GREATEST_SEED = 10**18 - 1


@dataclass(frozen=True)
class Suite:
    """What a suite asks for; None where it leaves that to the command line and the defaults."""

    name: str
    title: str = ""
    models: list[str] | None = None
    datasets: list[str] | None = None
    metrics: list[str] | None = None
    reference: list[str] | None = None
    against: list[str] | None = None
    seeds: list[int] | None = None
    samples: int | None = None
    budget: str | None = None
    select: str | None = None
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def available() -> dict[str, Path]:
    """Return the suites that come with genbench, by name."""
    return {path.stem: path for path in sorted(files.shipped("suites").glob("*.toml"))}


def is_one(name: str) -> bool:
    """Return whether a text names a suite, or a file that can be one."""
    return name.endswith(".toml") or name in available()


def load(name: str) -> Suite:
    """Return a suite by name, or by the path of a .toml file. Raises RequestError where it is malformed."""
    known = available()
    path = Path(name) if name.endswith(".toml") else known.get(name)
    if path is None:
        raise unknown("suite", name, known, see="genbench list suites; or give the path of a .toml file")
    where = f"suite {printable(name)}"
    table = toml.read(path)
    toml.check(table, SUITE, where)
    for key in ("models", "datasets", "metrics", "reference", "against"):
        if key in table:
            _check_texts(table[key], f"{where}: {key}", may_be_empty=key in ("reference", "against"))
    for plugin, options in table.get("options", {}).items():
        if not isinstance(options, dict):
            raise RequestError(f"{where}: options.{printable(plugin)} is no table; expected [options.{plugin}]")
        for option, value in options.items():
            if not spec.is_plain(value):
                raise RequestError(
                    f"{where}: options.{printable(plugin)}.{printable(option)} is {printable(value, 60)}; "
                    "expected a finite number, a text, true, false or a list of these"
                )
    if "seeds" in table:
        table["seeds"] = check_seeds(table["seeds"], f"{where}: seeds")
    return Suite(name=path.stem, **table)


def _check_texts(items: list[Any], where: str, may_be_empty: bool) -> None:
    if not all(isinstance(item, str) for item in items):
        raise RequestError(f"{where} is {printable(items, 60)}; expected a list of texts")
    if not items and not may_be_empty:
        raise RequestError(f"{where} is empty; expected at least one")
    if not all(spec.split(item) for item in items):
        raise RequestError(f"{where} is {printable(items, 60)}; expected no blank text in it")


def parse_seeds(text: str) -> list[int]:
    """Return the seeds of a text: 5 (that many), 0,3 (these), 0-4 (from to), 3, (that one)."""
    if re.fullmatch(r"\s*[0-9]{1,18}\s*", text):
        return check_seeds(int(text), "--seeds")
    seeds: list[int] = []
    for part in text.removesuffix(",").split(","):
        match = re.fullmatch(r"\s*([0-9]{1,18})(?:-([0-9]{1,18}))?\s*", part)
        if match is None:
            raise RequestError(
                f"--seeds {printable(text)!r}: expected a count (5), a list (0,3), a range (0-4) or one (3,)"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise RequestError(f"--seeds {printable(text)!r}: expected the lower end first, as in {last}-{first}")
        if last - first >= MOST_SEEDS:
            raise RequestError(
                f"--seeds {printable(text)!r}: more than {MOST_SEEDS:,} seeds; expected at most that many"
            )
        seeds += range(first, last + 1)
    return check_seeds(seeds, "--seeds")


def check_seeds(seeds: object, where: str) -> list[int]:
    """Return seeds as a list, a count as its range. Raises RequestError for none, too many, negative or equal ones."""
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        if not 1 <= seeds <= MOST_SEEDS:
            raise RequestError(f"{where} is {seeds}; expected 1 to {MOST_SEEDS:,}")
        return list(range(seeds))
    whole = isinstance(seeds, list) and all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in seeds)
    if not isinstance(seeds, list) or not seeds or not whole:
        raise RequestError(f"{where} is {printable(seeds, 60)}; expected whole numbers from 0, as in [0, 1, 2]")
    if len(set(seeds)) < len(seeds):
        repeated = next(seed for seed in seeds if seeds.count(seed) > 1)
        raise RequestError(f"{where}: seed {repeated} is given twice; expected each once")
    if max(seeds) > GREATEST_SEED:
        raise RequestError(f"{where}: seed {printable(max(seeds), 60)}; expected at most {GREATEST_SEED:,}")
    if len(seeds) > MOST_SEEDS:
        raise RequestError(f"{where}: {len(seeds):,} seeds; expected at most {MOST_SEEDS:,}")
    return list(seeds)
