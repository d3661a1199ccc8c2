"""Small results that reports are made of."""

from pathlib import Path

import drawable
import pytest
from trials import shared_by_tests

import genbench


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the results of small trials on digits, and on single values, not to be changed."""
    folder = tmp_path_factory.mktemp("trials")
    with shared_by_tests(tmp_path_factory):
        given = {"samples": 50, "results": folder, "seeds": 2}
        metrics = ["parzen", "precision[pixels]"]
        genbench.run(models=["vae[epochs=1]", "gan[epochs=1]"], metrics=metrics, reference="gaussian", **given)
        genbench.run(
            models=["pca"], datasets=[f"{drawable.__file__}:Bell"], metrics="parzen", reference="none", **given
        )
    return folder
