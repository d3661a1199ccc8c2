"""Compare and tabulate what first_run.sh made: python benchmarks/gpu/compare.py same FOLDER FOLDER, and the like.

Each command prints what it found, the gist in its last line, and ends with exit code 1 where that is not as it must be.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SHARE, ERRORS = 1e-3, 0.2
"""How far scores of two devices may differ: this share of the value, and as many of its standard errors more."""

MOST = 10 * 2**20
"""Bytes that the archive may have."""


def records(results: Path) -> dict[str, dict[str, Any]]:
    """Return the records of a folder of results, by the names of the trials' folders."""
    return {path.parent.name: json.loads(path.read_text("utf-8")) for path in results.glob("trials/*/trial.json")}


def stored(results: Path) -> dict[str, str]:
    """Return the checksums of all stored files by path, "missing" for those that are recorded and not there."""
    return {
        f"{trial}/{name}": told["sha256"] if (results / "trials" / trial / name).is_file() else "missing"
        for trial, record in records(results).items()
        for stage in record["stages"].values()
        for name, told in stage["files"].items()
    }


def differences(one: Path, other: Path) -> Iterator[str]:
    """Yield what two folders of results do not have in common, bit for bit."""
    if (one / "trials.csv").read_bytes() != (other / "trials.csv").read_bytes():
        yield "trials.csv differs"
    here, there = stored(one), stored(other)
    for name in sorted({*here, *there}):
        found = [side.get(name, "missing") for side in (here, there)]
        if "missing" in found:
            yield f"{name}: missing in {one if found[0] == 'missing' else other}"
        elif found[0] != found[1]:
            yield f"{name}: other bits"
    for folder in (one, other):
        yield from (f"{folder}: {t} is {r['status']}" for t, r in records(folder).items() if r["status"] != "done")


def same(one: Path, other: Path) -> bool:
    """Print whether two folders of results hold the same bits."""
    found = [*differences(one, other)]
    files, trials = len(stored(one)), len(records(one))
    gist = f"{len(found)} differences" if found else f"the same bits: {files} files of {trials} trials"
    print(*found, gist if files else "nothing stored", sep="\n")
    return not found and bool(files)


def resumed(results: Path) -> bool:
    """Print how often trainings were taken up again; that none was says that nothing was killed in time."""
    again = sum(int(record["attempts"]) - 1 for record in records(results).values())
    print(f"taken up again {again} times, the bits of an undisturbed run")
    return again > 0


def scores(results: Path) -> dict[str, tuple[float, float]]:
    """Return the scores with their standard errors over examples, 0 where there are none, by metric and model."""
    with (results / "trials.csv").open(encoding="utf-8", newline="") as file:
        return {
            f"{row['metric']} {row['model']} {row['seed']}": (float(row["value"]), float(row["stderr_examples"] or 0))
            for row in csv.DictReader(file)
            if row["status"] == "done"
        }


def devices(one: Path, other: Path) -> bool:
    """Print how far the scores of the same images on two devices are apart."""
    here, there = scores(one), scores(other)
    far = sorted({*here} ^ {*there})
    for name in sorted({*here} & {*there}):
        (a, error), (b, _) = here[name], there[name]
        allowed = SHARE * abs(a) + ERRORS * error
        far += [name] if not abs(a - b) <= allowed else []
        print(f"{name:50} {a:<22.17g} {b:<22.17g} apart {abs(a - b):.1e}, allowed {allowed:.1e}")
    told = f"{SHARE:g} of the value and {ERRORS:g} standard errors"
    print(f"{len(far)} apart by more than {told}: {', '.join(far)}" if far else f"{len(here)} scores within {told}")
    return bool(here) and not far


def speed(*folders: Path) -> bool:
    """Print the microseconds that a step of training takes, by the records, in each folder of results."""
    print(f"{'trials':30}{'at once':>8}{'µs a step of each':>19}{'µs a step of all':>18}")
    for folder in folders:
        fits = [record["stages"]["fit"] for record in records(folder).values() if "fit" in record["stages"]]
        if not fits:
            print(f"{folder.name}: nothing was trained")
            return False
        each = statistics.median(1e6 * fit["seconds"] / fit["details"]["steps"] for fit in fits)
        print(f"{folder.name:30}{len(fits):>8}{each:>19,.0f}{each / len(fits):>18,.0f}")
    return True


def images(path: Path) -> bool:
    """Write 1,000 noisy images of digits, (n, 1, 8, 8) in [0, 1], the same in every process."""
    import numpy as np
    from sklearn.datasets import load_digits

    clean = load_digits().images[:1000, None] / 16
    noise = np.random.default_rng(0).normal(0, 0.1, clean.shape)
    np.savez(path, images=np.clip(clean + noise, 0, 1).astype(np.float32))
    return True


def names(kind: str) -> bool:
    """Print the names of all built-in models or metrics, with commas between them."""
    from genbench.registry.plugins import load_registry

    print(",".join(entry.name for entry in load_registry().entries(kind)))
    return True


def table(steps: Path, archive: Path) -> bool:
    """Print what became of each step, as its last row says, with the last line of its log; and the archive's size."""
    rows: dict[str, list[str]] = {}
    for line in steps.read_text("utf-8").splitlines():
        rows[line.split(",")[0]] = line.split(",")[1:]
    print(f"{'step':10}{'':6}{'seconds':>8}  {'the last it said'}")
    for name, (became, seconds) in rows.items():
        log = steps.parent / f"{name}.log"
        said = log.read_text("utf-8", errors="replace").strip().splitlines() if log.is_file() else []
        print(f"{name:10}{became:6}{seconds:>8}  {said[-1].strip()[:90] if said else ''}".rstrip())
    size = archive.stat().st_size
    print(f"{archive}: {math.ceil(size / 2**10):,} KiB" + (", too large to be handed over" if size > MOST else ""))
    return size <= MOST and not any(became == "FAIL" for became, _ in rows.values())


COMMANDS: dict[str, tuple[Callable[..., bool], Callable[[str], Any]]] = {
    "same": (same, Path), "resumed": (resumed, Path), "devices": (devices, Path), "speed": (speed, Path),
    "images": (images, Path), "names": (names, str), "table": (table, Path),
}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Perform a command; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("what", nargs="+", help="folders or files, or model or metric for names")
    given = parser.parse_args(arguments)
    command, kind = COMMANDS[given.command]
    return 0 if command(*map(kind, given.what)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
