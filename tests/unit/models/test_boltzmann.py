"""Do models made of Boltzmann machines learn? Scored on validation images, seed by seed."""

from pathlib import Path

import pytest

import genbench


@pytest.mark.slow
@pytest.mark.parametrize("model", ["rbm", "dbn"])
def test_defaults_beat_the_gaussian_on_every_seed(model: str, tmp_path: Path) -> None:
    report = genbench.run(
        models=model, metrics="parzen", reference="gaussian", target="valid", seeds=3, results=tmp_path
    )
    scores = {row.model: [score.value for score in row.scores] for row in report.boards[0].rows}
    assert all(ours > 10 + other for ours, other in zip(scores[model], scores["gaussian"], strict=True)), scores
