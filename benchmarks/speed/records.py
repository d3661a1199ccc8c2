"""Measure what very many trials' records cost: python benchmarks/speed/records.py 1000 10000 100000.

One trial of `gaussian` is trained; its record and score are written again for as many seeds, as that seed's own.
For each number: the processor time and the peak memory of `genbench leaderboard`, in a process of its own.
"""

import argparse
import dataclasses
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import genbench
from genbench import files
from genbench.store.layout import RECORD
from genbench.store.store import Store


def one_trial(results: Path) -> Path:
    """Train a trial, and return its folder."""
    genbench.run(models=["gaussian"], metrics=["parzen[samples=100]"], seeds=1, reference=[], results=results)
    return next((results / "trials").iterdir())


def multiply(trial: Path, results: Path, first: int, last: int) -> None:
    """Write the trial's record and score as those of the seeds first to last - 1."""
    found = Store(trial.parent.parent).read()
    record = next(iter(found.trials.values()))[0][1]
    for seed in range(first, last):
        identity = {**record.identity, "seed": seed}
        other = dataclasses.replace(record, id=files.digest(identity, 12), identity=identity, seed=seed)
        folder = results / "trials" / f"gaussian-s{seed}-{other.id}"
        (folder / "metrics").mkdir(parents=True)
        for score in (trial / "metrics").iterdir():
            shutil.copy(score, folder / "metrics" / score.name)
        files.write_record(folder / RECORD, other.to_json(), sync=False)


WATCHED = """
import pathlib, re, sys
from genbench.cli import main
try:
    main(["leaderboard", sys.argv[1], "--output", sys.argv[2]])
finally:
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())
    print(peak.group(1), file=sys.stderr)
"""
"""Prints the peak memory of the command in KiB: that told to a parent holds the parent's own, from before exec."""


def measure(results: Path) -> tuple[float, float]:
    """Return the seconds of processor time and the peak MiB of `genbench leaderboard`."""
    command = [sys.executable, "-c", WATCHED, str(results), str(results.with_suffix(".csv"))]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True).stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, int(told.split()[-1]) / 1024


def main() -> None:
    """Print a line for each number of trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", type=int, nargs="+")
    with tempfile.TemporaryDirectory() as place:
        trial = one_trial(Path(place, "one"))
        done = 0
        for trials in sorted(parser.parse_args().trials):
            multiply(trial, Path(place, "many"), done, trials)
            done = trials
            seconds, mebibytes = measure(Path(place, "many"))
            each = f"{1000 * seconds / trials:.2f} ms and {1024 * mebibytes / trials:.1f} KiB each"
            print(f"{trials:,} trials: {seconds:.1f} s of processor time, {mebibytes:.0f} MiB; {each}", flush=True)


if __name__ == "__main__":
    main()
