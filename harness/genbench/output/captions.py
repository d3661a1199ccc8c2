"""What stands under a table: what the errors are, how ranks were made, the protocol, and every reason for caution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genbench.errors import printable
from genbench.output import numbers
from genbench.ranking import statistics
from genbench.ranking.board import Board, BoardRow
from genbench.ranking.recorded import RecordedPlugin
from genbench.registry import code, spec

MIXED = 1.1
"""The R-hat above which chains are said not to have mixed (Gelman et al. 2013, section 11.5)."""


def caption(board: Board, named: bool = False) -> list[str]:
    """Return the lines under a board; `named` puts the dataset before the protocol."""
    return [
        *_errors(board),
        *_own_errors(board, named),
        *_ranks(board),
        _protocol(board, named),
        *_chosen(board),
        *_pretrained(board),
        *_chains(board),
        *_published(board),
        *(f"! {line}" for line in cautions(board)),
    ]


def _errors(board: Board) -> Iterator[str]:
    counts = sorted({row.seeds_done for row in board.rows if row.seeds_done})
    if not counts:
        return
    if board.folds > 1:
        yield f"±: standard error over {board.folds} folds of scores averaged over training seeds."
    if counts[-1] == 1:
        lacking = "no interval" if board.folds > 1 else "no error over seeds, no interval"
        more = (
            "3 files or more for each name"
            if (ours := board.of_kind("ours")) and all(row.is_given for row in ours)
            else "--seeds 3 or more"
        )
        yield f"One seed: {lacking}, no rank. Give {more}."
    else:
        freedom = ", ".join(str(n - 1) for n in counts if n > 1)
        what = (
            "Interval: over training seeds, t"
            if board.folds > 1
            else "±: standard error over training seeds; interval: t"
        )
        yield f"{what}, {freedom} df.{_on_logits(board)}"


def _on_logits(board: Board) -> str:
    """Tell of intervals that are not symmetric."""
    if board.metric.bounds is None:
        return ""
    least, greatest = map(numbers.short, board.metric.bounds)
    return f" On the logit scale, so within {least} and {greatest}."


def _own_errors(board: Board, named: bool) -> Iterator[str]:
    """Tell what the errors of one seed are, which tables of several datasets have no room for."""
    if board.shows_own_errors and not named:
        yield "se by metric: the metric's own standard error of that seed's score; it knows nothing of other seeds."


def _ranks(board: Board) -> Iterator[str]:
    ranked = board.ranked
    if len(ranked) < 2:
        return
    pairs = len(ranked) * (len(ranked) - 1) // 2
    least = min(row.seeds_done for row in ranked)
    gap = statistics.smallest_difference(least, len(ranked))
    shown = f"; {least} seeds can show gaps above {gap:.1f} sd" if gap else ""
    yield f"Ranks: Welch, Holm over {pairs} {'pair' if pairs == 1 else 'pairs'}, alpha .05{shown}."
    yield from left_out([board])
    if any(row.summary and row.summary.sd == 0 for row in ranked):
        yield "Rows without any variance over seeds are compared exactly with each other."


def left_out(boards: Sequence[Board]) -> Iterator[str]:
    """Tell among how many models ranks are, where some of these are not shown: hiding one changes no rank."""
    ranked = max(boards, key=lambda board: len(board.ranked)).ranked
    hidden = {id(row) for board in boards for row in board.left_out}
    if count := sum(id(row) in hidden for row in ranked):
        yield f"Ranks are among all {len(ranked)} models of these results, of which {count} are not shown."


def _protocol(board: Board, named: bool) -> str:
    where = f" on {board.dataset}" if named else ""
    extras = "".join(_extra(board, name) for name in board.metric.caption_extras)
    return f"Protocol {board.metric.label} {board.protocol_id}{where}: {board.protocol}{_against(board)}{extras}."


def _against(board: Board) -> str:
    """Return how many real images features were compared with; of folds, of each."""
    counts = sorted({score.against for row in board.rows for score in row.scores if score.against})
    if not counts or board.metric.extractor is None:
        return ""
    return f"; {' or '.join(f'{count:,}' for count in counts)} real images"


def _extra(board: Board, name: str) -> str:
    """Return a number that the metric wants shown for every row, such as a chosen bandwidth; once where all agree."""
    shown = {row.model: numbers.short(row.extras[name]) for row in board.rows if name in row.extras}
    words = name.replace("_", " ")
    if len(shown) > 1 and len(values := set(shown.values())) == 1:
        return f"; {words} {values.pop()}"
    return f"; {words}: {', '.join(f'{model} {value}' for model, value in shown.items())}" if shown else ""


def _chosen(board: Board) -> Iterator[str]:
    """Tell which rows are scored by some of their images, and which they are."""
    for row in board.rows:
        if row.chosen_of:
            several = " or ".join(f"{count:,}" for count in row.chosen_of)
            samples = max(score.samples for score in row.scores)
            yield f"{row.model}: {samples:,} of {several} images, chosen at random, always the same."


def _pretrained(board: Board) -> Iterator[str]:
    """Tell which rows have no time of training, for they came ready."""
    found = [row.model for row in board.rows if row.is_pretrained]
    if found:
        yield f"{', '.join(found)}: pretrained, not trained here."


def _chains(board: Board) -> Iterator[str]:
    """Say how well chains mix: to how many independent samples theirs come."""
    mixed = [_mixing(row) for row in board.rows if {"effective_samples", "autocorrelation_time"} <= row.extras.keys()]
    if mixed:
        yield f"Chains, in kept steps: {'; '.join(mixed)}."


def _mixing(row: BoardRow) -> str:
    time, effective = row.extras["autocorrelation_time"], row.extras["effective_samples"]
    return f"{row.model} autocorrelation {numbers.short(time)}, {effective:,.0f} effective samples"


def _published(board: Board) -> Iterator[str]:
    for row in (*board.rows, *board.alone):
        if row.claim is None:
            continue
        error = f" ± {row.claim.error_means}." if row.claim.error_means else ""
        same = "Same protocol" if row.claim.protocol_id == board.protocol_id else "Not our protocol"
        differs = f": {row.claim.differs}" if row.claim.differs else ""
        yield printable(f"Published {row.claim.model}: {row.claim.source}.{error} {same}{differs}.")


def cautions(board: Board) -> Iterator[str]:
    """Yield every reason for caution about a board's rows, a line each."""
    yield from _as_good_as_real(board)
    devices = {device for row in board.rows for device in row.distinct(lambda s: s.trial.environment.get("device"))}
    if len(devices) > 1:
        yield f"trained on different devices: {', '.join(sorted(devices))}; see the column device of leaderboard.csv"
    if len({score.weights for row in board.rows for score in row.scores if score.weights}) > 1:
        yield "features come from classifiers trained apart, whose weights differ: do not compare these scores closely"
    yield from _notes(board)
    yield from _scored_by_other_code(board)
    for row in board.rows:
        yield from _row_cautions(row)


def _as_good_as_real(board: Board) -> Iterator[str]:
    """Name models that score at least as well as real images, where a metric says that these should score best."""
    if not board.metric.real_is_best:
        return
    real = next((row for row in board.of_kind("reference") if row.samples_are == "real images" and row.summary), None)
    if real is None or real.summary is None:
        return
    sign = 1 if board.metric.higher_is_better else -1
    better = [
        row.model
        for row in board.rows
        if row.kind == "ours" and row.summary and sign * row.summary.mean >= sign * real.summary.mean
    ]
    if better:
        yield (
            f"{', '.join(better)} {'scores' if len(better) == 1 else 'score'} at least as well as real images: "
            f"mind what this metric rewards. See: genbench show {spec.plain(board.metric.label)}"
        )


def _notes(board: Board) -> Iterator[str]:
    """Tell what scores were noted with, each note once: of which seeds of which rows, unless of all of several rows."""
    by_note: dict[str, dict[str, list[str]]] = {}
    for row in board.rows:
        for score in row.scores:
            for note in score.notes:
                by_note.setdefault(note, {}).setdefault(row.model, []).append(f"s{score.trial.seed}")
    scored = [row for row in board.rows if row.scores]
    for note, whose in by_note.items():
        of_all = len(scored) > 1 and all(len(whose.get(row.model, ())) >= len(row.scores) for row in scored)
        names = ", ".join(f"{model} {' '.join(seeds)}" for model, seeds in whose.items())
        yield note if of_all else f"{names}: {note}"


def _scored_by_other_code(board: Board) -> Iterator[str]:
    """Name models whose scores were made by other code of the metric or its extractor than is here, or than others'."""
    used = {"metric": board.metric, "extractor": board.metric.extractor}
    for part, plugin in ((part, plugin) for part, plugin in used.items() if plugin):
        known = {row.model: {score.code[part] for score in row.scores if part in score.code} for row in board.rows}
        now = code.digest(plugin.target)
        what = f"{part} {printable(plugin.name)}"
        if older := [model for model, digests in known.items() if now and digests - {now}]:
            yield f"{', '.join(older)}: scored {_older_score(plugin, what)}"
        elif len(set().union(*known.values())) > 1:
            yield f"scored by different code of {what}, which is not here: do not compare these scores closely"


def _row_cautions(row: BoardRow) -> Iterator[str]:
    apart = {(score.model.target, score.model.code, score.model.source): score.model for score in row.scores}
    if found := next((model for model in apart.values() if model.is_older), None):
        yield f"{row.model}: {older(found)}"
    if row.extras.get("r_hat", 1.0) > MIXED:
        yield (
            f"{row.model}: its chains have not mixed (R-hat {numbers.short(row.extras['r_hat'])}; expected at most "
            f"{MIXED}): its samples depend on where chains began. Give more burn_in, thin or chains"
        )
    for reason in row.reasons:
        yield printable(f"{row.model} {reason}")


def _older_score(plugin: RecordedPlugin, what: str) -> str:
    if plugin.is_another_file:
        return f"before the file of {what} was changed; a run scores by it as it is now"
    return f"by older code of {what}; --fresh-scores scores again and trains nothing"


def older(model: RecordedPlugin) -> str:
    """Return how the code of a model is another than the one that was trained."""
    if model.is_another_file:
        return "trained before its file was changed; a run trains it as it is now"
    return "trained by older code of the same version; --fresh trains it again"
