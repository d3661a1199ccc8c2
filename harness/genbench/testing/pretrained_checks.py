"""What a model must hold that says it does not train: that its fit learns nothing, from whatever images."""

from __future__ import annotations

from genbench.testing.fingerprint import changed, of_state
from genbench.testing.fixtures import Fixtures
from genbench.testing.made_images import training_data
from genbench.testing.outcomes import fail


def check_learns_nothing(fixtures: Fixtures) -> None:
    """A model of trains = False is after fit what it was when it was built, and takes no batches."""
    model, run = fixtures.built(fixtures.home), fixtures.run()
    before = of_state(model)
    fixtures.fit(model, fixtures.on_device(training_data(fixtures.home, 0)), run)
    seen = [f"fit changed {', '.join(names)}"] if (names := changed(before, of_state(model))) else []
    seen += [f"fit took {run.step} batches"] if run.step else []
    if seen:
        fail(
            f"trains is False, and {' and '.join(seen)}",
            "a fit that does nothing",
            "Take trains = False out: tables leave out the time of training by it. Or load the weights in build.",
        )


CHECKS = (check_learns_nothing,)
