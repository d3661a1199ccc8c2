"""genbench check: does a plugin hold what the harness relies on?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import click
from rich.console import Console

from genbench.defaults import DATASET
from genbench.errors import RequestError, printable
from genbench.output import numbers
from genbench.output.console import stdout_console
from genbench.output.listing import listing
from genbench.registry.plugins import KINDS

MARKS = {
    "passed": "ok",
    "failed": "FAILED",
    "expected failure": "expected",
    "unexpected pass": "FAILED",
    "skipped": "skip",
}


@click.command("check")
@click.argument("targets", nargs=-1, metavar="NAME|MODULE:CLASS|FILE.py:CLASS...")
@click.option("--list", "only_list", is_flag=True, help="List the checks there are, and what each asks for.")
@click.option("--kind", type=click.Choice(list(KINDS)), help="Which is meant, where a name has several kinds.")
@click.option("--dataset", "-d", default=DATASET, show_default=True, help="Real images to learn from and to score.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N.")
@click.option(
    "--expect", multiple=True, metavar="CHECK=REASON", help="A check that is known to fail, and why; it has to."
)
def command(
    targets: tuple[str, ...], only_list: bool, kind: str | None, dataset: str, device: str, expect: tuple[str, ...]
) -> int:
    """Check plugins against what the harness relies on, and print what became of each check.

    Models are trained briefly on images of several shapes, and once on DATASET; metrics score real images and noise.
    Exit code 1 where a check failed, or nothing could be looked at.
    """
    console = stdout_console()
    if only_list:
        return _print_checks(console)
    if not targets:
        raise RequestError("no plugin given; expected a name, MODULE:CLASS or FILE.py:CLASS. See: genbench list")
    expected = dict(_expected(text) for text in expect)
    if expected and len(targets) > 1:
        raise RequestError(f"--expect is given with {len(targets)} plugins; expected one, whose check it is")
    return max(_check(console, target, expected, dataset, device, kind) for target in targets)


def _expected(text: str) -> tuple[str, str]:
    name, equals, reason = text.partition("=")
    if not (equals and reason.strip()):
        raise RequestError(f"--expect {printable(text)!r}: expected CHECK=REASON, as in direction='rewards noise'")
    return name.strip(), reason.strip()


def _print_checks(console: Console) -> int:
    from genbench.testing.kit import all_checks

    for group, checks in all_checks().items():
        console.print(listing(group, [(check.name, check.summary) for check in checks]))
    return 0


def _check(console: Console, target: str, expected: dict[str, str], dataset: str, device: str, kind: str | None) -> int:
    """Check one target, telling of each check when it is done; return the exit code."""
    from genbench.testing.kit import perform_all
    from genbench.testing.outcomes import Result
    from genbench.trial.environment import resolve_device

    console.print(printable(f"{target}:"), soft_wrap=True)
    results: list[Result] = []
    for result in perform_all(target, expected, dataset, str(resolve_device(device)), kind):
        results.append(result)
        reason = f"  {result.reason}" if result.reason else ""
        line = f"  {MARKS[result.status]:8}  {result.check:32} {numbers.seconds(result.seconds):>6}{reason}"
        console.print(line, soft_wrap=True)
    console.print(_summary(result.status for result in results), soft_wrap=True)
    return 0 if all(result.ok for result in results) else 1


def _summary(statuses: Iterable[str]) -> str:
    counts = Counter(statuses)
    return "  " + ", ".join(f"{counts[status]} {status}" for status in MARKS if counts[status])
