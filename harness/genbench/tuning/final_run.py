"""The command of the final run: the best configuration of each model, scored once against test images."""

from __future__ import annotations

import shlex

from genbench import defaults
from genbench.runs.planning import texts
from genbench.tuning.tried import Tuning
from genbench.tuning.tuning_settings import as_typed

SEEDS = 3


def command(tuned: Tuning) -> str:
    """Return the command, quoted for a shell; "" where no configuration has a score.

    Its seeds are those after the ones that configurations were chosen by: what was lucky once counts no second time.
    """
    best = [model.best[0].configuration.label for model in tuned.models if model.best]
    if not best:
        return ""
    run, first = tuned.settings.run, max(tuned.settings.seeds) + 1
    options: dict[str, object] = {
        "models": ",".join(best),
        "dataset": texts("datasets", run.datasets, [defaults.DATASET])[0],
        "metric": texts("metrics", run.metrics, [defaults.METRIC])[0],
        "target": "test",
        "seeds": f"{first}-{first + SEEDS - 1}",
        "budget": as_typed(tuned.settings.budget),
        **{name: getattr(run, name) for name in ("select", "samples", "size", "weights", "engine")},
        "device": None if run.device == "auto" else run.device,
        "threads": None if run.threads == 1 else run.threads,
        "results": run.results,
    }
    words = [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
    return shlex.join(["genbench", "run", *words])
