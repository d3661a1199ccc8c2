"""Boards, scores, verdicts and capabilities as data frames, in the columns that are declared for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genbench.files import canonical
from genbench.ranking.board import Board, BoardRow
from genbench.ranking.capabilities import Capability
from genbench.ranking.claims import ASPECTS
from genbench.ranking.columns import CAPABILITIES, DTYPES, LEADERBOARD, MANY_DATASETS, TRIALS, VERDICTS, Column
from genbench.ranking.overview import Overview, OverviewRow
from genbench.ranking.scores import ScoreRow
from genbench.ranking.verdicts import Verdict

if TYPE_CHECKING:
    import pandas as pd

    from genbench.ranking.many_datasets import ManyDatasets


def leaderboard(boards: Iterable[Board]) -> pd.DataFrame:
    """Return a row per board and model, published ones too, in the columns LEADERBOARD."""
    return of_rows([_row(board, row) for board in boards for row in (*board.rows, *board.alone)], LEADERBOARD)


def trials(rows: Iterable[ScoreRow]) -> pd.DataFrame:
    """Return a row per trial and protocol, in the columns TRIALS, sorted so that equal stores give equal files."""
    ordered = sorted(rows, key=lambda r: (r.metric.label, r.dataset, r.label, r.trial.seed))
    return of_rows([_trial(row) for row in ordered], TRIALS)


def verdicts(found: Iterable[Verdict]) -> pd.DataFrame:
    """Return a row per verdict, in the columns VERDICTS."""
    return of_rows([_verdict(verdict) for verdict in found], VERDICTS)


def capabilities(found: Iterable[Capability]) -> pd.DataFrame:
    """Return a row per dataset and model, in the columns CAPABILITIES."""
    return of_rows([_capability(row) for row in found], CAPABILITIES)


def overview(found: Iterable[Overview]) -> pd.DataFrame:
    """Return a row per dataset and model, with mean, standard error and ranks of each metric in columns of its own."""
    import pandas as pd

    rows = [_overview(each, row) for each in found for row in each.rows]
    types = {name: _overview_type(name) for name in dict.fromkeys(name for row in rows for name in row)}
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def many_datasets(found: Iterable[ManyDatasets]) -> pd.DataFrame:
    """Return a row per metric and model that was ranked on all datasets, in the columns MANY_DATASETS."""
    return of_rows([row for each in found for row in _averages(each)], MANY_DATASETS)


def _averages(found: ManyDatasets) -> list[dict[str, Any]]:
    test = found.test
    statistics = ("chi_square", "p", "critical_difference")
    tested = {name: getattr(test, name) for name in statistics} if test else {}
    shared = {
        "metric": found.metric.label,
        "target": found.target,
        "datasets": len(found.datasets),
        "models": len(found.models),
        **tested,
        "iman_davenport_f": test.f if test else None,
        "p_by": test.by if test else None,
        "refused": found.refused or None,
    }
    return [
        {
            "model": each.model,
            "average_rank": each.average_rank,
            "groups": found.letters(each) or None,
            "ranks": canonical(dict(zip(found.datasets, each.ranks, strict=True))),
            **shared,
        }
        for each in found.shown
    ]


def _overview(found: Overview, row: OverviewRow) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "dataset": found.dataset,
        "target": found.target or None,
        "model": row.model,
        "kind": row.kind,
    }
    for head, on in zip(found.heads, row.on, strict=True):
        cells[head] = on.summary.mean if on and on.summary else None
        cells[f"{head} stderr"] = on.stderr if on else None
        cells[f"{head} rank_low"] = on.rank_low if on else None
        cells[f"{head} rank_high"] = on.rank_high if on else None
    return cells


def _overview_type(name: str) -> str:
    is_rank = name.endswith((" rank_low", " rank_high"))
    return DTYPES["text" if name in ("dataset", "target", "model", "kind") else "count" if is_rank else "number"]


def of_rows(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Column]) -> pd.DataFrame:
    """Return rows as a data frame whose types follow from the columns, not from what happens to be in them."""
    import pandas as pd

    types = {name: DTYPES[column.holds] for name, column in columns.items()}
    return pd.DataFrame(rows, columns=list(columns)).astype(types)


def _trial(row: ScoreRow) -> dict[str, Any]:
    return {
        "metric": row.metric.label,
        "dataset": row.dataset,
        "target": row.target if row.metric.uses_target else None,
        "model": row.label,
        "kind": row.kind,
        "seed": row.trial.seed,
        "value": row.value,
        "stderr_examples": row.stderr,
        "extras": _as_json(row.extras or {}),
        "status": row.status,
        "protocol_id": row.protocol_id,
        "trial": row.trial.id,
    }


def _as_json(extras: Mapping[str, float]) -> str | None:
    return canonical(extras) if extras else None


def _verdict(verdict: Verdict) -> dict[str, Any]:
    claim, row = verdict.claim, verdict.row
    return {
        "claims": claim.claims,
        "metric": claim.metric,
        "dataset": claim.dataset,
        "published_model": claim.model,
        "published": claim.value,
        "published_error": claim.error,
        "published_error_means": claim.error_means or None,
        "model": verdict.model or None,
        "verdict": verdict.outcome,
        "why": verdict.why,
        "mean": row.summary.mean if row and row.summary else None,
        "low": verdict.low,
        "high": verdict.high,
        "within": claim.within or None,
        "seeds_done": row.seeds_done if row else None,
        "seeds_planned": row.seeds_planned if row else None,
        "source": claim.source,
    }


def _capability(found: Capability) -> dict[str, Any]:
    direct = ("dataset", "model", "kind", "trials", "fit_seconds", "samples_per_second", "ess")
    family = found.family
    words = {name: getattr(family, name) for name in (*ASPECTS, "source")} if family else {}
    return {
        **{name: getattr(found, name) for name in direct},
        "has_inference": found.inference,
        "has_density": found.density,
        "is_chain": found.chain,
        "family": family.name if family else None,
        **words,
    }


def _row(board: Board, row: BoardRow) -> dict[str, Any]:
    """Return a board's row in the columns of leaderboard.csv."""
    head = {
        "metric": board.metric.label,
        "dataset": board.dataset,
        "target": None if row.claim else board.target or None,
        "model": row.model,
        "kind": row.kind,
        "unit": board.metric.unit,
        "higher_is_better": board.metric.higher_is_better,
    }
    return {**head, **(_published(row) if row.claim else {**_scores(board, row), **_what_it_took(row)})}


def _published(row: BoardRow) -> dict[str, Any]:
    """Return the columns of a published row: what its source says, and nothing of ours."""
    claim = row.claim
    assert claim is not None
    return {
        "metric": claim.metric,
        "mean": claim.value,
        "stderr_examples": claim.error if claim.error_over == "images" else None,
        "stderr": claim.error if claim.error_over == "folds" else None,
        "error_over": "folds" if claim.error_over == "folds" else None,
        "protocol_id": claim.protocol_id or None,
        "protocol": claim.differs or None,
        "dataset_digest": claim.dataset_digest or None,
        "source": claim.source,
    }


def _scores(board: Board, row: BoardRow) -> dict[str, Any]:
    summary = row.summary
    return {
        "mean": summary.mean if summary else None,
        "stderr": row.stderr,
        "sd": summary.sd if summary else None,
        "ci_low": summary.low if summary else None,
        "ci_high": summary.high if summary else None,
        "stderr_examples": row.stderr_examples,
        "stderr_metric": row.stderr_metric,
        "extras": _as_json(row.extras),
        "error_over": "folds" if board.folds > 1 else "seeds",
        "seeds_done": row.seeds_done,
        "seeds_planned": row.seeds_planned,
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "protocol_id": board.protocol_id,
        "protocol": board.protocol,
        "dataset_digest": board.dataset_digest,
        "samples": max((score.samples for score in row.scores), default=None),
        "against": max((score.against for score in row.scores), default=0) or None,
        "samples_are": row.samples_are,
    }


def _what_it_took(row: BoardRow) -> dict[str, Any]:
    """Return what a row's trials took and ran on; where they differ, all values, by blanks."""
    statuses = ("diverged", "failed", "timeout", "out-of-memory", "interrupted", "running", "damaged")
    return {
        "fit_seconds": row.mean_of("fit"),
        "sample_seconds": row.mean_of("samples"),
        "parameters": max(row.distinct(lambda s: _detail_of_fit(s, "parameters")), default=None),
        "peak_memory_mib": max(row.distinct(lambda s: _detail_of_fit(s, "peak_memory_mib")), default=None),
        **{status.replace("-", "_"): row.statuses.get(status, 0) for status in statuses},
        "device": _joined(row.distinct(lambda s: s.trial.environment.get("device"))),
        "threads": _joined(row.distinct(lambda s: s.trial.environment.get("threads"))),
        "genbench_version": _joined(row.distinct(lambda s: s.trial.environment.get("genbench"))),
        "plugin": _joined(row.distinct(lambda s: f"{s.model.distribution} {s.model.distribution_version}")),
        "torch_version": _joined(row.distinct(lambda s: s.trial.environment.get("torch"))),
        "source": _joined(row.distinct(lambda s: s.trial.environment.get("git"))),
    }


def _detail_of_fit(score: ScoreRow, detail: str) -> Any:
    stage = score.trial.stages.get("fit")
    return stage.details.get(detail) if stage else None


def _joined(values: Sequence[Any]) -> str | None:
    return " ".join(str(value) for value in values) or None
