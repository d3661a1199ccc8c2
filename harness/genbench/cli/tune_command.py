"""genbench tune: search for the best configuration of models on validation images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genbench.cli import exports, running
from genbench.cli.paths import path
from genbench.engines.schedule import Watcher
from genbench.errors import RequestError, printable
from genbench.files import digest
from genbench.output import numbers
from genbench.output.console import stderr_console, stdout_console
from genbench.registry import spec
from genbench.runs import suites
from genbench.runs.settings import RunSettings
from genbench.tuning import searching
from genbench.tuning.configurations import Candidates
from genbench.tuning.searching import Step
from genbench.tuning.tuning_settings import MOST_TRIALS, TuningSettings

if TYPE_CHECKING:
    from genbench.tuning.tuned import Tuned


@click.command("tune")
@click.argument("words", nargs=-1, metavar="[MODEL...]")
@click.option("--models", "--model", "-m", multiple=True, metavar="NAMES", help="Models, as MODEL: gan,vae[latent=50].")
@running.scored
@click.option(
    "--trials",
    type=click.IntRange(1, MOST_TRIALS),
    default=30,
    show_default=True,
    help="Configurations of each model: its own options, then draws.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of the draws.")
@click.option("--seeds", metavar="SEEDS", default="1", show_default=True, help="Training seeds of each configuration.")
@click.option("--budget", metavar="5000steps|60s", help="Bound on the training of every configuration.")
@click.option(
    "--halving", is_flag=True, help="Train all with a part of the budget, the best third with three times as much."
)
@click.option("--select", metavar="last|best-valid[:EPOCHS]", help="State that is kept, as in genbench run.")
@click.option("--samples", type=click.IntRange(min=1), help="Samples that the metric scores.")
@running.images
@running.performed
@click.option("--dry-run", is_flag=True, help="Print the configurations; train nothing, write no results.")
@click.option("--quiet", is_flag=True, help="No progress, only the tables.")
@click.option("--picture", type=path, metavar="FILE", help="PNG file of the curves.  [default: one in RESULTS/tuning]")
@exports.options
def command(
    words: tuple[str, ...],
    models: tuple[str, ...],
    trials: int,
    seed: int,
    seeds: str,
    halving: bool,
    dry_run: bool,
    quiet: bool,
    picture: Path | None,
    form: str | None,
    output: Path | None,
    metrics: tuple[str, ...],
    datasets: tuple[str, ...],
    **given: Any,
) -> int:
    """Try configurations of MODEL drawn from the search space that it declares, and print the best of them.

    Each is an ordinary trial in RESULTS, scored against validation images, never test ones: what is there is not done
    again, and more --trials go on from fewer. Options that are typed stay as they are: gan[latent=20]. Several models
    get equal budgets, and their curves one picture. --format and --output put out all configurations.
    """
    form = exports.chosen(form, output)
    if picture is not None and picture.suffix.lower() != ".png":
        raise RequestError(f"--picture {printable(picture)}: expected a file that ends in .png")
    asked = RunSettings(
        models=[*words, *models],
        metrics=list(metrics) or None,
        datasets=list(datasets) or None,
        seeds=suites.parse_seeds(seeds),
        target="valid",
        **given,
    )
    settings = TuningSettings(asked, trials, seed, halving)
    found = searching.search(settings)
    if dry_run:
        return _print_plan(settings, found)
    tuned = searching.tuned(settings, found, lambda step: _watching(step, quiet))
    _put(tuned, form, output, picture)
    return 0 if any(model.best for model in tuned.models) else 1


@contextmanager
def _watching(step: Step, quiet: bool) -> Iterator[Watcher]:
    """Say what is about to be done, and show how it goes on."""
    from genbench.output.progress import watching

    console = stderr_console()
    parts = [f"{len(several)} of {model}" for model, several in step.entries]
    budget = f", at most {step.budget} each" if step.budget.bounds else ""
    trials, stored = len(step.plan.grid.trials()), len(step.plan.grid.trials()) - len(step.plan.todo)
    counted = f"{trials} {'trial' if trials == 1 else 'trials'}, {stored} in the store"
    line = f"configurations: {', '.join(parts)}{budget}; {counted}"
    console.print(printable(line, 600), soft_wrap=True)
    for note in step.plan.notes:
        console.print(printable(note), soft_wrap=True)
    with watching(console, step.names, quiet) as watcher:
        yield watcher


def _print_plan(settings: TuningSettings, found: Sequence[Candidates]) -> int:
    """Print the configurations, and what of them is stored."""
    rungs = settings.rungs()
    step = searching.planned(settings, [(each.model, each.usable) for each in found], rungs[0].budget)
    todo = {digest(trial.model.identity) for trial in step.plan.todo}
    for configuration in (c for each in found for c in each.configurations):
        stands = "refused" if configuration.problem else "to do  " if configuration.identity in todo else "stored "
        click.echo(printable(f"{stands}  {configuration.number:>4}  {configuration.label}", 1000))
    for rung in rungs[1:]:
        click.echo(f"then the best {rung.count} of each model, at most {rung.budget} each")
    return 0


def _put(tuned: Tuned, form: str, output: Path | None, picture: Path | None) -> None:
    """Put out tables and picture, and say where it lies and what to do next."""
    from genbench.tuning.tuning_tables import documents, tables

    shown = exports.Shown(lambda: tables(tuned), lambda: documents(tuned), lambda: tuned.configurations)
    exports.put(shown, form, output)
    console = stdout_console() if form == "table" and output is None else stderr_console()
    if any(model.curve for model in tuned.models):
        from genbench.figures import canvas
        from genbench.tuning.tuning_picture import draw

        place = picture or tuned.settings.results / "tuning" / f"{_slug(tuned)}.png"
        with canvas.defaults():
            figure = draw(tuned)
        canvas.save(figure, place)
        line = f"{place}: the expected best score against the number of configurations"
        console.print(printable(line, 1000), soft_wrap=True)
    console.print(f"Tuned in {numbers.seconds(tuned.seconds)}. The final run, with seeds that tuning did not use:")
    console.print(printable(tuned.command or "none: no configuration has a score", 10_000), soft_wrap=True)


def _slug(tuned: Tuned) -> str:
    """Return the name of a search's picture: gan-vae-digits-parzen."""
    names = [spec.short(text) for text in (*(m.model for m in tuned.models), tuned.dataset, tuned.metric.label)]
    return "-".join("".join(c if c.isalnum() else "-" for c in name.lower()).strip("-") for name in names)[:100]
