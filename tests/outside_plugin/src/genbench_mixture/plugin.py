"""The plugin's names, with where each class lives. Imports nothing heavy."""

import genbench

GENBENCH_API = 1


@genbench.hookimpl
def register_models(register: genbench.Register) -> None:
    """Register the mixture."""
    register("mixture", "genbench_mixture.model:Mixture", summary="Gaussian mixture with diagonal covariances, by EM")


@genbench.hookimpl
def register_metrics(register: genbench.Register) -> None:
    """Register the distance to the nearest sample."""
    register(
        "nearest-real",
        "genbench_mixture.metric:NearestReal",
        summary="Distance of each target image to the sample nearest to it",
    )
