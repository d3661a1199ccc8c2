"""What every metric must hold: finite, true to its direction, blind to order, and to the test split in selection."""

from __future__ import annotations

import itertools
import math
import re
import statistics

import torch

from genbench.api import Score
from genbench.errors import GenbenchError, printable
from genbench.registry.plugins import describe
from genbench.testing.fingerprint import changed, of_tensors
from genbench.testing.fixtures import Fixtures
from genbench.testing.outcomes import CheckSkipped, fail
from genbench.testing.scoring import Scoring

NOISE = (0.0, 0.3, 0.6, 1.0)
"""Shares of noise in the samples that a metric must find worse and worse."""

ROUNDING = 1e-6
"""How far beyond its bounds a score may lie."""

CHANCE = 0.1
"""Share of the way from real images to noise that a step may go back: samples are few."""


def check_finite(fixtures: Fixtures) -> None:
    """Real images get a genbench.Score of finite numbers, within the metric's bounds if it has any."""
    scoring = Scoring(fixtures)
    score = scoring.score(scoring.real)
    if not isinstance(score, Score):
        fail(f"evaluate returned {type(score).__name__}", "a genbench.Score", "Return genbench.Score(value, ...).")
    numbers = {"value": score.value, "stderr": score.stderr, **score.extras}
    for name, number in numbers.items():
        plain = number is None if name == "stderr" else False
        if not plain and not (isinstance(number, int | float) and math.isfinite(number)):
            fail(
                f"{name} of real images is {printable(repr(number), 60)}",
                "a finite Python number",
                "End with .item(), and look for 0/0, log(0) and square roots of rounding errors.",
            )
    bounds = type(scoring.metric).bounds
    if bounds and not bounds[0] - ROUNDING <= score.value <= bounds[1] + ROUNDING:
        fail(
            f"value of real images is {score.value:g}",
            f"{bounds[0]:g} to {bounds[1]:g}, its bounds",
            "Declare bounds that hold for every score, or none.",
        )
    if score.stderr is not None and score.stderr < 0:
        fail(f"stderr is {score.stderr:g}", "0 or more", "Return a standard error, not a signed difference.")


def check_words(fixtures: Fixtures) -> None:
    """title, unit, direction and the protocol in words are there for the tables."""
    metric = Scoring(fixtures).metric
    for name in ("title", "unit"):
        if not isinstance(getattr(metric, name, None), str) or not getattr(metric, name).strip():
            fail(f"{name} is missing", "a text for the table's head", f'Declare {name}: ClassVar[str] = "...".')
    if not isinstance(getattr(metric, "higher_is_better", None), bool):
        fail("higher_is_better is missing", "True or False", "Declare higher_is_better: ClassVar[bool].")
    if not isinstance(metric.describe(), str):
        fail("describe() returns no text", "the protocol in words", "Return it, or leave describe to the base class.")


def check_direction(fixtures: Fixtures) -> None:
    """Real images beat noise, and the more noise is mixed into them, the worse they score."""
    scoring = Scoring(fixtures)
    values = [scoring.score(scoring.noisy(share)).value for share in NOISE]
    sign = 1 if scoring.metric.higher_is_better else -1
    listed = ", ".join(f"{value:.4g}" for value in values)
    better = "higher" if sign > 0 else "lower"
    if not sign * values[0] > sign * values[-1]:
        fail(
            f"{better} is better, and real images score {values[0]:.4g}, noise {values[-1]:.4g}",
            "real images to beat noise",
            "Turn higher_is_better, or the sign of the value; where noise is good by the metric's nature, expect this "
            "failure and say why: expected_failures.",
        )
    chance = CHANCE * abs(values[0] - values[-1])
    for cleaner, noisier in itertools.pairwise(values):
        if sign * noisier > sign * cleaner + chance:
            fail(
                f"with noise of {', '.join(f'{share:.0%}' for share in NOISE)} real images score {listed}",
                "worse with each step",
                "Where that is in a metric's nature, expect this failure and say why: expected_failures.",
            )


def check_order_is_irrelevant(fixtures: Fixtures) -> None:
    """The order of samples does not matter: it changes a value by no more than another seed does."""
    scoring = Scoring(fixtures)
    x = scoring.noisy(0.3)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1)).to(x.device)
    value, other = scoring.score(x).value, scoring.score(x[order]).value
    seeds = [scoring.score(x, seed=seed).value for seed in range(1, 5)]
    noise = statistics.stdev([value, *seeds])  # of a metric that draws parts of the samples
    if not math.isclose(value, other, rel_tol=1e-4, abs_tol=max(1e-6, 5 * noise)):
        fail(
            f"the same samples in another order score {other:.6g} in place of {value:.6g}, and other seeds differ by "
            f"{noise:.2g}",
            "the same to four digits, or within what other seeds give",
            "Treat samples as a set: where parts are formed, draw them from evaluation.generator and average.",
        )


def check_seed_decides_value(fixtures: Fixtures) -> None:
    """The same seed gives the same value to the bit."""
    scoring = Scoring(fixtures)
    x = scoring.noisy(0.3)
    value, again = scoring.score(x).value, scoring.score(x).value
    if value != again:
        fail(
            f"the same samples and seed score {value!r}, then {again!r}",
            "the same bits",
            "Take all randomness from evaluation.generator, and keep nothing from call to call.",
        )


def check_inputs_untouched(fixtures: Fixtures) -> None:
    """Scoring changes neither samples nor images."""
    scoring = Scoring(fixtures)
    x, images = scoring.noisy(0.3), scoring.images()
    before = of_tensors(samples=x, **images.splits)
    scoring.score(x, images)
    if names := changed(before, of_tensors(samples=x, **images.splits)):
        fail(
            f"evaluate changed {', '.join(names)}",
            "inputs as they were: other metrics share them",
            "Work on copies: x = x - mean, never x -= mean.",
        )


def check_refuses_nan(fixtures: Fixtures) -> None:
    """Samples that hold NaN are refused in words."""
    scoring = Scoring(fixtures)
    x = scoring.real.clone()
    x[len(x) // 2] = math.nan
    try:
        value = scoring.score(x).value
    except (GenbenchError, ValueError) as error:
        if not re.search(r"finite|\bnan\b.*\w{3}", str(error), re.IGNORECASE) or "convert float NaN" in str(error):
            fail(
                f"NaN is refused with {printable(repr(str(error)), 100)}",
                "words that name it",
                "Look at samples first: raise ValueError that says they are not finite.",
            )
    else:
        fail(
            f"samples that hold NaN score {value:g}",
            "a refusal",
            "Raise ValueError where samples are not finite: one NaN must not pass for a number, or for another image.",
        )


def check_refuses_too_few(fixtures: Fixtures) -> None:
    """So few samples that nothing can be said are refused in words; else the value is finite."""
    subject = fixtures.subject
    if "samples" not in subject.options:
        raise CheckSkipped("it has no option samples")
    try:
        scoring = Scoring(fixtures, count=1)
        value = scoring.score(scoring.real).value
    except (GenbenchError, ValueError) as error:
        if not re.search(r"sample|image|few|at least", str(error), re.IGNORECASE):
            fail(
                f"one sample is refused with {printable(repr(str(error)), 100)}",
                "words that name the number",
                "Raise ValueError that says how many samples there are, and how many it needs.",
            )
    except CheckSkipped:
        raise
    except Exception as error:
        fail(
            f"one sample ends in {describe(error)}",
            "ValueError that says how many samples are needed",
            "Look at the number of samples first, or bound the option: samples: Annotated[int, Ge(2)].",
        )
    else:
        if not math.isfinite(value):
            fail(
                f"one sample scores {value}", "a number, or a refusal", "Raise ValueError that says how many it needs."
            )


def check_stderr_shrinks(fixtures: Fixtures) -> None:
    """The error bar shrinks as 1/√n, where there is one: four times the images, or samples, or both, halve it."""
    large = Scoring(fixtures)
    score = large.score(large.noisy(0.3))
    error, targets = score.stderr, len(large.images().splits["test"])
    used = targets if score.against is None else min(score.against, targets)
    if used < 4 * LEAST:
        raise CheckSkipped(f"too few test images are scored against to tell: {used // 4} in a quarter")
    if error is None:
        raise CheckSkipped("it gives no standard error")
    share = used / targets / 4
    quarters = ((large.count, share), (large.count // 4, 1.0), (large.count // 4, share))  # of images, samples, both
    smaller = [Scoring(fixtures, count, share) for count, share in quarters]
    errors = [_stderr(scoring) for scoring in smaller if scoring.can_score()]
    if not any(each is not None and 1.3 < each / max(error, 1e-300) < 3.1 for each in errors):
        listed = ", ".join("none" if each is None else f"{each:.4g}" for each in errors)
        fail(
            f"stderr is {error:.4g}, and {listed} with a quarter of the target images, of the samples, or of both",
            "about twice as much in one of these",
            "A standard error is a deviation divided by √n, not the deviation itself; else return None.",
        )


def _stderr(scoring: Scoring) -> float | None:
    return scoring.score(scoring.noisy(0.3)).stderr


LEAST = 40
"""Target images below which the spread of a standard error itself hides how it shrinks."""


def check_selection_never_reads_test(fixtures: Fixtures) -> None:
    """Scored against validation images, as in selection and tuning, it does not look at the test split."""
    scoring = Scoring(fixtures)
    plain, other = scoring.images(), scoring.images()
    other.splits["test"] = type(other.splits["test"])(other.splits["test"].images.flip(0) / 2)
    x = scoring.noisy(0.3)
    value, changed_value = (scoring.score(x, images, "valid").value for images in (plain, other))
    if plain.reads["test"] or value != changed_value:
        fail(
            "scored against the validation split, it reads the test split",
            "evaluation.target alone, which is test or valid as the run demands",
            "Use evaluation.target for what is scored against, and evaluation.valid or train for what is chosen.",
        )


FORM = (check_words,)

CHECKS = (
    check_finite,
    check_direction,
    check_order_is_irrelevant,
    check_seed_decides_value,
    check_inputs_untouched,
    check_refuses_nan,
    check_refuses_too_few,
    check_stderr_shrinks,
    check_selection_never_reads_test,
)
