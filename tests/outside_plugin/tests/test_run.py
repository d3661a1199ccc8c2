"""Both through genbench itself: registered, trained, scored and ranked."""

from pathlib import Path

import genbench


def test_the_mixture_ranks_above_one_gaussian_and_below_real_images(tmp_path: Path) -> None:
    report = genbench.run(
        models="mixture,mixture[components=1]",
        metrics="nearest-real",
        reference="gaussian,train-data",
        seeds=3,
        target="valid",
        results=tmp_path,
    )
    frame = report.leaderboard.set_index("model")
    assert frame.loc["mixture", ["rank_low", "rank_high"]].tolist() == [1, 1]
    assert set(frame.loc[["mixture", "mixture[components=1]"], "plugin"]) == {"genbench-mixture 1.0.0"}
    real, gaussian = frame.loc["train-data", "mean"], frame.loc["gaussian", "mean"]
    assert real < frame.loc["mixture", "mean"] < gaussian < frame.loc["mixture[components=1]", "mean"]
