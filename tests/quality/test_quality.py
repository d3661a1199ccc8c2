"""Do the built-in models learn? Scored on validation images, seed by seed."""

from pathlib import Path

import pytest

import genbench


@pytest.mark.slow
def test_defaults_reach_their_bars_on_every_seed(tmp_path: Path) -> None:
    report = genbench.run(
        models="gan,vae", metrics="parzen", reference="train-data,gaussian", target="valid", seeds=3, results=tmp_path
    )
    scores = {row.model: [score.value for score in row.scores] for row in report.boards[0].rows}
    bars = {
        "vae": [value - 1.5 for value in scores["train-data"]],
        "gan": [value + 4.0 for value in scores["gaussian"]],
    }
    for model, needed in bars.items():
        assert all(value >= bar for value, bar in zip(scores[model], needed, strict=True)), (
            model,
            scores[model],
            needed,
        )
