"""The scores of a study as a table, and as a data frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genbench.errors import printable, shown
from genbench.output import numbers
from genbench.output.tables import Column, Row, Table
from genbench.ranking import frames
from genbench.ranking.columns import STUDY
from genbench.study.design import METRIC
from genbench.study.outcome import SourceScore, StudyScores

if TYPE_CHECKING:
    import pandas as pd

FEW = 5
"""Of fewer raters, the interval over them held the true share of simulated ones in 53 to 90 % of studies, not 95."""

COLUMNS = (
    Column("model"),
    Column("called real", right=True, wraps=False),
    Column("95% Wilson", right=True, wraps=False),
    Column("95% over raters", right=True, gives_way=1, wraps=False),
    Column("images", right=True, gives_way=3, wraps=False),
    Column("error rate", right=True, gives_way=2, wraps=False),
)


def table(study: StudyScores) -> Table:
    """Return a row for each model, and one for real images, which is beside the point of who deceives best."""
    title = f"User study on {study.key.design.dataset}, called real, % of answers, higher is better"
    rows = [Row(_cells(score), aside=score.kind != "ours") for score in study.scores]
    return Table(printable(title), COLUMNS, rows, _caption(study), ruled=True)


def _cells(score: SourceScore) -> tuple[str, ...]:
    return (
        printable(_name(score)),
        _percent(score.share),
        _interval(score.wilson),
        _interval(score.over_raters),
        numbers.count(score.images),
        _percent(score.error_rate),
    )


def _name(score: SourceScore) -> str:
    return "real images" if score.kind == "real" else shown(score.source)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _interval(ends: tuple[float, float] | None) -> str:
    return " .. ".join(map(_percent, ends)) if ends else numbers.MISSING


def _caption(study: StudyScores) -> list[str]:
    design, raters = study.key.design, study.raters
    who = "1 rater" if raters == 1 else f"{raters:,} raters"
    lines = [
        "Error rate: of a model's images the share called real, of real images the share called generated.",
        "Wilson: answers taken as independent, as they are not where raters differ.",
    ]
    if raters > 1:
        few = f"; of fewer than {FEW} it is too narrow" if raters < FEW else ""
        lines.append(f"Over raters: raters resampled, images as they are{few}; - where all agree: read Wilson's.")
    return [
        *lines,
        f"{who}, {design.items:,} answers each; study {study.key.study}.",
        printable(f"Protocol {METRIC} {design.id}: {design.in_words()}."),
    ]


def frame(study: StudyScores) -> pd.DataFrame:
    """Return a row for each model, and one for real images, in the columns STUDY."""
    return frames.of_rows([_row(study, score) for score in study.scores], STUDY)


def _row(study: StudyScores, score: SourceScore) -> dict[str, Any]:
    design, (over_low, over_high) = study.key.design, score.over_raters or (None, None)
    return {
        "metric": METRIC,
        "dataset": shown(design.dataset),
        "model": _name(score),
        "kind": score.kind,
        "called_real": score.share,
        "wilson_low": score.wilson[0],
        "wilson_high": score.wilson[1],
        "raters_low": over_low,
        "raters_high": over_high,
        "error_rate": score.error_rate,
        "images": score.images,
        "raters": score.raters,
        "answers": score.answers,
        "protocol_id": design.id,
        "protocol": design.in_words(),
        "dataset_digest": design.dataset_digest,
        "study": study.key.study,
    }
