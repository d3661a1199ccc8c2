"""genbench verify: can this number be trusted?"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genbench.cli import exports
from genbench.cli.paths import path
from genbench.errors import RequestError, printable
from genbench.output.console import stderr_console
from genbench.registry import spec

if TYPE_CHECKING:
    from genbench.engines.schedule import Watcher
    from genbench.verification.tables_given import HeldTable
    from genbench.verification.verifying import Verified


@click.command("verify")
@click.argument("what", required=False, default="", metavar="[ROW|TRIAL|TABLE]")
@click.option("--results", type=path, metavar="FOLDER", help="Folder of results.  [default: results, or a TABLE's own]")
@click.option("--metrics", "--metric", multiple=True, metavar="NAMES", help="Scores by these metrics only.")
@click.option("--datasets", "--dataset", "-d", multiple=True, metavar="NAMES", help="Trials on these datasets only.")
@click.option("--retrain", is_flag=True, help="Train one seed of each row again, too.")
@click.option("--seed", type=click.IntRange(min=0), help="Which seed to train again.  [default: the least]")
@click.option("--device", help="auto, cpu, cuda or cuda:N.  [default: as each trial ran, where that is here, else cpu]")
@click.option("--jobs", type=click.IntRange(min=1), help="Trials at once.")
@exports.options
def command(
    what: str,
    results: Path | None,
    metrics: tuple[str, ...],
    datasets: tuple[str, ...],
    retrain: bool,
    seed: int | None,
    device: str | None,
    jobs: int | None,
    form: str | None,
    output: Path | None,
) -> int:
    """Verify stored numbers: score again from the samples, draw these again from the model, train it again.

    ROW is a model's label as in the tables, with all its seeds; TRIAL the id, or the first digits of it, or the folder
    of a trial; TABLE a leaderboard.csv or trials.csv, edited or not, whose numbers are held to the trials. Without any,
    everything in the results. What is found is marked in the trials' folders, in verification.json.

    Exit code 0 where every step of every score came out again; 1 where one differs or could not be checked.
    """
    form = exports.chosen(form, output)
    if seed is not None and not retrain:
        raise RequestError(f"--seed {seed}: it says which seed to train again; expected --retrain too")
    if what.lower().endswith(".csv"):
        if retrain or metrics or datasets:
            raise RequestError(f"{printable(what)} is a table, held to stored scores; expected no option but --results")
        return _held(Path(what), results, form, output)
    names = spec.split_all(metrics), spec.split_all(datasets)
    return _verified(what, results or Path("results"), *names, seed, retrain, device, jobs, form, output)


def _held(table: Path, results: Path | None, form: str, output: Path | None) -> int:
    from genbench.verification import given_table, tables_given

    found: HeldTable = tables_given.held(table, results)
    tables = [given_table.table(found)]
    exports.put(exports.Shown(lambda: tables, lambda: tables, lambda: given_table.frame(found)), form, output)
    return 0 if found.holds else 1


def _verified(
    what: str,
    results: Path,
    metrics: list[str],
    datasets: list[str],
    seed: int | None,
    retrain: bool,
    device: str | None,
    jobs: int | None,
    form: str,
    output: Path | None,
) -> int:
    from genbench.runs.settings import existing_device
    from genbench.verification import asked, verification_table, verifying

    device = device and existing_device(device)
    wanted = asked.find(what, results, metrics, datasets, seed, retrain)
    if (count := len(wanted.units)) > 1:
        stderr_console().print(f"{count:,} trials are scored again, in scratch folders.", soft_wrap=True)
    found: Verified = verifying.verify(wanted, {what, *metrics, *datasets}, _watching, device, jobs)
    tables = [verification_table.table(found)]
    exports.put(exports.Shown(lambda: tables, lambda: tables, lambda: verification_table.frame(found)), form, output)
    return 0 if found.holds else 1


def _watching(names: Mapping[str, str]) -> AbstractContextManager[Watcher]:
    from genbench.output.progress import watching

    return watching(stderr_console(), names, quiet=False)
