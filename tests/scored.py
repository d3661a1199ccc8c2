"""Scores of trials that were never trained, for tests of what is made of scores."""

from collections.abc import Sequence
from typing import Any

from genbench.ranking.recorded import RecordedMetric
from genbench.ranking.scores import ScoreRow
from genbench.store.records import Stage, TrialRecord

METRIC = RecordedMetric("parzen", "parzen", title="Parzen", unit="nats", caption_extras=["sigma"])


def scores(
    model: str, values: Sequence[float | str], role: str = "model", version: int = 1, device: str = "cpu", **row: Any
) -> list[ScoreRow]:
    """Return a row per seed; a text in place of a value is a status."""
    made = []
    for seed, value in enumerate(values):
        resolved = {
            "label": model, "name": model, "version": version, "distribution": "genbench", "distribution_version": "1",
            "target": "genbench:Model", "source": "", "traits": {"role": role, "samples_are": row.get("samples_are", "draws")},
        }  # fmt: skip
        record = TrialRecord(
            f"{model}{seed}v{version}", {"model": [model, version]}, resolved, {"label": "digits", "digest": "d1g"}, seed, {},
            "done", stages={"fit": Stage({}, 2.0, details={"parameters": 10, "peak_memory_mib": 5.0})},
            environment={"device": device, "threads": 1, "genbench": "1", "torch": "2", "git": None},
        )  # fmt: skip
        head = (record, row.get("protocol_id", "p1"), "in words", METRIC)
        if isinstance(value, str):
            made.append(ScoreRow(*head, status=value, reason=f"it {value}"))
        else:
            made.append(ScoreRow(*head, "done", "", value, 0.5, {"sigma": 0.2}, samples=100))
    return made
