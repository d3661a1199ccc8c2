"""What a search is asked for: the run that each configuration is given, how many are drawn, and by which seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from genbench.data.folders import cache_folder
from genbench.errors import RequestError, printable
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.runs import planning, suites
from genbench.runs.settings import RunSettings
from genbench.trial.identity import NO_BUDGET, Budget
from genbench.tuning.rungs import Rung, rungs

MOST_TRIALS = 10_000


@dataclass(frozen=True)
class TuningSettings:
    """run is what every configuration is given, always against validation images and without reference rows.

    trials is how many configurations of each model are tried, seed what they are drawn by; with halving, most of them
    are stopped early.
    """

    run: RunSettings
    trials: int = 30
    seed: int = 0
    halving: bool = False

    @property
    def models(self) -> list[str]:
        """Return the models asked for, each once."""
        return list(dict.fromkeys(planning.texts("models", self.run.models, ())))

    @property
    def seeds(self) -> list[int]:
        """Return the training seeds of each configuration: one, unless others are asked for."""
        given = self.run.seeds
        return suites.check_seeds(1 if given is None else given if isinstance(given, int) else list(given), "seeds")

    @property
    def budget(self) -> Budget:
        """Return the greatest budget of a configuration."""
        return NO_BUDGET if self.run.budget is None else Budget.parse(self.run.budget)

    @property
    def results(self) -> Path:
        """Return the folder of results."""
        return Path(self.run.results)

    def rungs(self) -> list[Rung]:
        """Return how many configurations of a model are trained with which budget, in order."""
        if not self.halving:
            return [Rung(self.trials, self.budget)]
        if not self.budget.bounds:
            raise RequestError("--halving without --budget; expected the budget of the last rung, as in --budget 60s")
        return rungs(self.trials, self.budget)

    def of_rung(self, models: Sequence[str], budget: Budget) -> RunSettings:
        """Return the run of configurations with a budget: never against test images."""
        asked = replace(self.run, models=list(models), reference="none", target="valid")
        return replace(asked, budget=as_typed(budget), seeds=self.seeds)

    def check(self) -> None:
        """Raise RequestError for what cannot be tuned: before anything is drawn."""
        if not 1 <= self.trials <= MOST_TRIALS:
            raise RequestError(f"--trials {self.trials}: expected 1 to {MOST_TRIALS:,}")
        if not 0 <= self.seed < 2**32:
            raise RequestError(f"--seed {printable(self.seed)}: expected 0 to {2**32 - 1:,}")
        if not self.models:
            raise RequestError("no model given; expected one, as in: genbench tune gan. See: genbench list models")
        resolver = Resolver(load_registry(), cache_folder())
        self._check_one("dataset", planning.texts("datasets", self.run.datasets, ["one"]))
        metrics = planning.metric_texts(self.run.metrics, resolver)
        self._check_one("metric", metrics)
        if not resolver.resolve("metric", metrics[0]).traits["uses_target"]:
            raise RequestError(
                f"{printable(metrics[0])} scores against the same images whatever the target, so nothing can be tuned "
                "by it on validation images alone; expected a metric of the split scored against, as parzen"
            )
        self.rungs()

    @staticmethod
    def _check_one(what: str, names: Sequence[str]) -> None:
        if len(names) != 1:
            raise RequestError(f"{len(names)} {what}s are given; expected one: what is best is best by one {what}")


def as_typed(budget: Budget) -> str | None:
    """Return a budget as it is typed: 5000steps, 60s, or None."""
    if budget.steps is not None:
        return f"{budget.steps}steps"
    return None if budget.seconds is None else f"{budget.seconds:.0f}s"
