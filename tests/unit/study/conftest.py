"""Small studies of small trials."""

from pathlib import Path

import pytest
from studies import BELL, COLOUR, FITTED, VAE
from trials import shared_by_tests

import genbench
from genbench.study import key
from genbench.study.making import Request, make


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the results of small trials, not to be changed."""
    folder = tmp_path_factory.mktemp("trials")
    with shared_by_tests(tmp_path_factory):
        given = {"metrics": "parzen", "reference": "none", "samples": 50, "results": folder}
        genbench.run(models=[VAE], seeds=2, **given)
        genbench.run(models=[FITTED], seeds=1, **given)
        genbench.run(models=[FITTED], datasets=[COLOUR, BELL], seeds=1, **given)
    return folder


@pytest.fixture
def made(results: Path, tmp_path: Path) -> key.Key:
    """Return the key of a small study, whose page lies beside it in tmp_path."""
    request = Request([VAE, FITTED], ["digits"], per_model=6, real=8, practice=5)
    return make(results, tmp_path / "study.html", request)
