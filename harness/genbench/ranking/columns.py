"""The columns of each table that genbench writes: their order, what each holds and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Holds = Literal["text", "count", "number", "flag"]
"""Text, a whole number, a real number in full precision, or true and false; any cell may be missing."""

DTYPES: Mapping[Holds, str] = MappingProxyType(
    {"text": "string", "count": "Int64", "number": "Float64", "flag": "boolean"}
)
"""The nullable pandas type of a column by what it holds, whatever its cells happen to be."""


@dataclass(frozen=True)
class Column:
    """What a column holds, and what that means in one line."""

    holds: Holds
    meaning: str


LEADERBOARD: Mapping[str, Column] = MappingProxyType(
    {
        "metric": Column("text", "the metric, as it is typed"),
        "dataset": Column("text", "the dataset, as it is typed"),
        "target": Column("text", "split that samples were scored against: test, or valid for tuning"),
        "model": Column("text", "the model with its options, as it is typed"),
        "kind": Column("text", "ours, reference or published; only ours is ranked"),
        "mean": Column("number", "mean score over training seeds, and folds, in the unit; a published row's value"),
        "stderr": Column("number", "standard error of the mean over what error_over names, n - 1 degrees of freedom"),
        "sd": Column("number", "standard deviation over training seeds, n - 1 degrees of freedom"),
        "ci_low": Column(
            "number", "lower end of the 95% t interval of the mean; of a metric with bounds, on the logit scale"
        ),
        "ci_high": Column("number", "upper end of that interval"),
        "stderr_examples": Column("number", "standard error of the seed-averaged score over test examples"),
        "stderr_metric": Column(
            "number", "the metric's own standard error of one seed's score, root mean square over seeds"
        ),
        "extras": Column("text", "the metric's further numbers, means over the scores that have them, as JSON"),
        "error_over": Column("text", "what stderr was taken over: seeds or folds"),
        "seeds_done": Column("count", "training seeds with a score"),
        "seeds_planned": Column("count", "training seeds asked for"),
        "rank_low": Column("count", "best possible rank: 1 + the number of models significantly better"),
        "rank_high": Column("count", "worst possible rank: ranked models less those significantly worse"),
        "unit": Column("text", "unit of mean, stderr, sd and interval"),
        "higher_is_better": Column("flag", "whether the greatest mean is the best"),
        "protocol_id": Column("text", "hash of all that a score depends on beside the model; compare only equal ones"),
        "protocol": Column("text", "the protocol in words"),
        "dataset_digest": Column("text", "hash of the dataset's images, labels and splits"),
        "samples": Column("count", "samples scored per seed"),
        "against": Column("count", "real images that they were scored against; over folds, in the greatest of them"),
        "samples_are": Column(
            "text", "what a sample is: draws, means, clipped, reconstructions, real images, or not said"
        ),
        "fit_seconds": Column("number", "mean wall time of training, in seconds"),
        "sample_seconds": Column("number", "mean wall time of sampling, in seconds"),
        "parameters": Column("count", "learned numbers in the model"),
        "peak_memory_mib": Column("number", "greatest memory held by a trial, in MiB"),
        "diverged": Column("count", "trials that ended in NaN or infinity"),
        "failed": Column("count", "trials that raised an error"),
        "timeout": Column("count", "trials stopped at their deadline"),
        "out_of_memory": Column("count", "trials that ran out of memory"),
        "interrupted": Column("count", "trials stopped from outside"),
        "running": Column("count", "trials that a process was at work on when this was written"),
        "damaged": Column("count", "trials whose score is not what was stored"),
        "device": Column("text", "where the trials ran; where they differ, every value"),
        "threads": Column("text", "CPU threads per trial; where trials differ, every value"),
        "genbench_version": Column("text", "version of genbench that ran the trials"),
        "plugin": Column(
            "text", "distribution and version that the model comes from; of images made elsewhere: evaluate, a digest"
        ),
        "torch_version": Column("text", "version of torch that ran the trials"),
        "source": Column("text", "where a published number stands; the git commit behind ours"),
    }
)

TRIALS: Mapping[str, Column] = MappingProxyType(
    {
        **{name: LEADERBOARD[name] for name in ("metric", "dataset", "target", "model", "kind")},
        "seed": Column("count", "training seed"),
        "value": Column("number", "score of this trial in full precision, in the metric's unit"),
        "stderr_examples": Column(
            "number", "the metric's own standard error of the score: over test examples where it has a value for each"
        ),
        "extras": Column("text", "the metric's further numbers of this trial, as JSON"),
        "status": Column("text", "what became of the trial"),
        "protocol_id": LEADERBOARD["protocol_id"],
        "trial": Column("text", "id of the trial: its folder in the store"),
    }
)

VERDICTS: Mapping[str, Column] = MappingProxyType(
    {
        "claims": Column("text", "the file that the published number stands in, as it is typed"),
        "metric": LEADERBOARD["metric"],
        "dataset": LEADERBOARD["dataset"],
        "published_model": Column("text", "the model as its source names it"),
        "published": Column("number", "the published number, in the unit"),
        "published_error": Column("number", "its error as printed; published_error_means says what that is"),
        "published_error_means": Column("text", "what the published error was taken over"),
        "model": Column("text", "our model that it is held against; missing where none was run"),
        "verdict": Column("text", "reproduced, better, worse, inconclusive or not run"),
        "why": Column("text", "the reason for the verdict"),
        "mean": Column("number", "mean score of our model over training seeds"),
        "low": Column("number", "lower end of the 95% prediction interval for one run of our model"),
        "high": Column("number", "upper end of that interval"),
        "within": Column("number", "how far it may reach to a side for a reproduction"),
        "seeds_done": LEADERBOARD["seeds_done"],
        "seeds_planned": LEADERBOARD["seeds_planned"],
        "source": Column("text", "where the published number stands"),
    }
)

CAPABILITIES: Mapping[str, Column] = MappingProxyType(
    {
        **{name: LEADERBOARD[name] for name in ("dataset", "model", "kind")},
        "trials": Column("count", "trials that the figures are means of"),
        "fit_seconds": LEADERBOARD["fit_seconds"],
        "samples_per_second": Column("number", "mean samples drawn per second, burn-in of chains included"),
        "ess": Column("number", "mean effective number of samples, where one is recorded"),
        "has_inference": Column("flag", "whether it has codes for images: the ability encode"),
        "has_density": Column(
            "text", "how its p(x) can be evaluated: exact, learned (its normaliser is), bound or AIS, or else Parzen"
        ),
        "is_chain": Column("flag", "whether its samples are states of Markov chains, one after another"),
        "family": Column("text", "the family that the source puts such a model in"),
        **{
            aspect: Column("text", f"what the source says of the family's {aspect}")
            for aspect in ("training", "inference", "sampling", "density", "design")
        },
        "source": Column("text", "where that is said"),
    }
)

STUDY: Mapping[str, Column] = MappingProxyType(
    {
        **{name: LEADERBOARD[name] for name in ("metric", "dataset")},
        "model": Column("text", "the model with its options, as it is typed, or: real images"),
        "kind": Column("text", "ours, reference, or real"),
        "called_real": Column("number", "share of answers that called an image real"),
        "wilson_low": Column("number", "lower end of its 95% Wilson interval, answers taken as independent"),
        "wilson_high": Column("number", "upper end of it"),
        "raters_low": Column("number", "lower end of its 95% bootstrap interval over raters, where there are several"),
        "raters_high": Column("number", "upper end of it"),
        "error_rate": Column("number", "share of answers that were wrong"),
        "images": Column("count", "images shown to each rater"),
        "raters": Column("count", "people who answered"),
        "answers": Column("count", "answers of all raters"),
        **{name: LEADERBOARD[name] for name in ("protocol_id", "protocol", "dataset_digest")},
        "study": Column("text", "hash of all that the page showed"),
    }
)

COMPARISON: Mapping[str, Column] = MappingProxyType(
    {
        **{name: LEADERBOARD[name] for name in ("metric", "dataset", "target")},
        "model_a": Column("text", "the model A, as it is typed"),
        "model_b": Column("text", "the model B"),
        "results_a": Column("text", "A's results folder, where folders were compared"),
        "results_b": Column("text", "B's results folder"),
        "mean_a": Column("number", "mean score of A over the seeds that were compared"),
        "mean_b": Column("number", "mean score of B over these"),
        "difference": Column("number", "mean of A - B, in the unit"),
        "ci_low": Column(
            "number", "lower end of its 95% interval over seeds, and over test images where images is not 0"
        ),
        "ci_high": Column("number", "upper end of it"),
        "verdict": Column("text", "which is better, A or B, or: equal, not told apart, one seed"),
        "probability_a": Column("number", "probability that A is better than B at a further seed of each"),
        "seeds_needed": Column(
            "count", "seeds of each for a power of 80%, were the difference what it seems; at most 1000"
        ),
        "paired": Column("flag", "whether scores were compared seed by seed"),
        "seeds_a": Column("count", "seeds of A that were compared"),
        "seeds_b": Column("count", "seeds of B that were compared"),
        "images": Column(
            "count", "test images that the bootstrap drew again; 0 where scores of single ones are not kept"
        ),
        **{
            name: LEADERBOARD[name]
            for name in ("unit", "higher_is_better", "protocol_id", "protocol", "dataset_digest")
        },
    }
)

MANY_DATASETS: Mapping[str, Column] = MappingProxyType(
    {
        "metric": LEADERBOARD["metric"],
        "target": LEADERBOARD["target"],
        "model": LEADERBOARD["model"],
        "average_rank": Column("number", "mean over datasets of its rank by the mean score, 1 the best, ties averaged"),
        "groups": Column("text", "letters; models that share one are not told apart; missing where there is no test"),
        "ranks": Column("text", "its rank on each dataset, as JSON"),
        "datasets": Column("count", "datasets that ranks were averaged over"),
        "models": Column("count", "models that were ranked on all of them"),
        "chi_square": Column("number", "Friedman's statistic, corrected for ties"),
        "iman_davenport_f": Column("number", "Iman and Davenport's F of it; infinite where all datasets agree"),
        "p": Column("number", "p value of no difference between models"),
        "p_by": Column("text", "how p and the critical difference were had: F and Nemenyi, exact, or Monte Carlo"),
        "critical_difference": Column(
            "number", "least difference of average ranks that tells two models apart, alpha .05"
        ),
        "refused": Column("text", "why there is no test, where there is none"),
    }
)

VERIFICATION: Mapping[str, Column] = MappingProxyType(
    {
        **{name: TRIALS[name] for name in ("metric", "dataset", "model", "seed", "trial", "protocol_id")},
        "step": Column("text", "what was looked at: record (files and what it says), fit, samples or score"),
        "outcome": Column("text", "same (to the bit), close (within rounding elsewhere), differs or unchecked"),
        "words": Column("text", "what differs, or why it was not checked"),
        "at": Column("text", "when it was looked at, UTC"),
        "device": Column("text", "on which processor or GPU"),
    }
)

HELD_TABLE: Mapping[str, Column] = MappingProxyType(
    {
        "line": Column("count", "the row's line in the file; the header's is 1"),
        **{name: LEADERBOARD[name] for name in ("metric", "dataset", "model")},
        "outcome": Column("text", "same, differs (a line for each cell), or unchecked: its trials are not here"),
        "column": Column("text", "the column that differs"),
        "stated": Column("text", "what the file says there"),
        "found": Column("text", "what the trials give"),
        "words": Column("text", "why it was not held to any trial"),
    }
)

TABLES = (LEADERBOARD, TRIALS, VERDICTS, CAPABILITIES, STUDY, COMPARISON, MANY_DATASETS, VERIFICATION, HELD_TABLE)
