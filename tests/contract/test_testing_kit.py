"""The conformance kit itself: what is sound passes, and every check catches a plugin that breaks it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import broken_plugins
import pytest
import torch
from places import TESTS

import genbench
from genbench import testing
from genbench.cli import main
from genbench.testing import likelihood_checks
from genbench.testing.kit import Session, all_checks, judged
from genbench.testing.outcomes import Result
from genbench.testing.subject import find

ELSEWHERE = {"registering-is-light"}
"""Checks that are broken by an installed plugin, in a test of their own."""


def performed(session: Session, name: str) -> Result:
    """Return the result of one check; of the closing one, after all others."""
    if name != "not-everything-skipped":
        return session.perform(next(check for check in session.checks if check.name == name))
    for check in session.checks:
        session.perform(check)
    return session.closing()


SOUND = [
    broken_plugins.Steady,
    broken_plugins.Nearest,
    broken_plugins.Stripes,
    broken_plugins.Ramp,
    broken_plugins.Plain,
    broken_plugins.SteadyEngine,
]

LONG = (broken_plugins.Steady, broken_plugins.Plain, broken_plugins.LeavesWorkers)
"""Plugins that take over ten seconds."""


def slow_if_long(case: Any, cls: type) -> Any:
    """Return a case of a test, marked slow where its plugin takes long."""
    several = case if isinstance(case, tuple) else (case,)
    return pytest.param(*several, marks=pytest.mark.slow) if cls in LONG else case


@pytest.mark.parametrize("cls", [slow_if_long(cls, cls) for cls in SOUND])
def test_a_sound_plugin_passes_every_check(cls: type) -> None:
    verdict = testing.check(cls)
    assert verdict.ok, [f"{result.check}: {result.reason}" for result in verdict.failures]
    assert {result.check for result in verdict if result.status == "skipped"} <= {
        "registering-is-light",
        "works-on-cuda",
        *(["works-on-a-stand-in-for-cuda"] if issubclass(cls, genbench.Dataset | genbench.Engine) else []),
        *(["a-cancelled-task-ends", "close-ends-what-is-under-way"] if issubclass(cls, genbench.Engine) else []),
    }


def test_a_sound_density_passes_every_check_of_densities() -> None:
    session = Session(find(broken_plugins.Steady))
    of_densities = {each for ability in likelihood_checks.CHECKS.values() for each in ability}
    results = {check.name: session.perform(check) for check in session.checks if check.function in of_densities}
    assert len(results) == len(of_densities)
    assert {name: result.reason for name, result in results.items() if result.status != "passed"} == {}


@pytest.mark.parametrize(
    ("name", "cls", "saying"),
    [slow_if_long(case, case[1]) for case in broken_plugins.BROKEN],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_plugin_is_caught_by_the_check_named_for_it(name: str, cls: type, saying: str) -> None:
    if name == "works-on-cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device is here")
    result = performed(Session(find(cls)), name)
    for process in broken_plugins.LEFT:
        process.kill()
        process.wait()
    assert result.status == "failed"
    assert re.search(saying, result.reason), result.reason


@pytest.mark.parametrize(
    ("name", "saying"),
    [("Streams", r"has no torch\.cuda\.Stream"), ("Threads", "the stand-in for CUDA was passed by: ")],
)
def test_what_the_stand_in_cannot_carry_is_skipped(name: str, saying: str) -> None:
    file = TESTS / "standin" / "planted.py"
    result = performed(Session(find(f"{file}:{name}")), "works-on-a-stand-in-for-cuda")
    if not torch.cuda.is_available():
        assert (result.status, bool(re.search(saying, result.reason))) == ("skipped", True), result.reason


def test_one_cause_is_told_once() -> None:
    verdict = testing.check(broken_plugins.LogsPictures)
    saying = r"run\.log\(sample=\.\.\.\) is given something of [\d,]+ values; .* genbench figures"
    failures = {result.check: result.reason for result in verdict.failures if re.search(saying, result.reason)}
    assert list(failures) == ["works-without-cuda"]
    repeated = [result for result in verdict if result.reason == "it raised what it did in works-without-cuda"]
    assert {"works-on-a-stand-in-for-cuda", "shapes", "budget"} <= {result.check for result in repeated}
    assert len(repeated) > 20
    assert {result.status for result in repeated} == {"skipped"}
    assert verdict.results[-1].status == "passed"  # what failed was looked at


def test_a_check_that_is_performed_again_fails_again() -> None:
    session = Session(find(broken_plugins.LogsPictures))
    assert [performed(session, "samples").status for _ in range(2)] == ["failed", "failed"]


@pytest.mark.slow
def test_an_expected_failure_excuses_no_other() -> None:
    verdict = testing.check(broken_plugins.LogsPictures, {"works-without-cuda": "it is known"})
    failed = [result.check for result in verdict.failures]
    assert "samples" in failed or "shapes" in failed
    assert verdict.results[-1].status == "passed"


def test_the_error_of_a_metric_of_few_images_is_not_judged_by_all_of_them() -> None:
    result = performed(Session(find("ais[images=100]")), "stderr-shrinks")
    saying = "too few test images are scored against to tell: 25 in a quarter"
    assert (result.status, result.reason) == ("skipped", saying)
    assert performed(Session(find("ais[images=250]")), "stderr-shrinks").status == "passed"


def test_every_check_has_a_plugin_that_breaks_it() -> None:
    names = {check.name for checks in all_checks().values() for check in checks} | {"not-everything-skipped"}
    assert {name for name, *_ in broken_plugins.BROKEN} | ELSEWHERE == names


def test_every_check_says_what_it_asks_for() -> None:
    for checks in all_checks().values():
        for check in checks:
            assert re.fullmatch(r"[A-Zx][^\n]+\.", check.summary) or check.summary[0].islower(), check.name


def test_registering_must_be_light(toy: str) -> None:
    result = performed(Session(find("toy")), "registering-is-light")
    assert result.status == "failed"
    assert result.reason.startswith("registering toy imports torch, numpy; expected nothing heavy")
    assert 'register it by text: "genbench_toy:Toy"' in result.reason


# The first door: check()


@pytest.mark.parametrize(
    ("target", "saying"),
    [
        ("nothing-of-the-kind", "unknown model 'nothing-of-the-kind'"),
        ("vaee", r"unknown model 'vaee'. Did you mean vae\?"),
        ("parzn", r"unknown metric 'parzn'. Did you mean parzen\?"),
        ("vae[latent=0]", "option latent is 0; expected int > 0"),
        ("nowhere.at:All", "nowhere.at:All cannot be imported: ModuleNotFoundError"),
        ("broken_plugins:Missing", "broken_plugins:Missing cannot be imported: AttributeError"),
        ("broken_plugins:options", "broken_plugins:options is function; expected a class"),
        ("broken_plugins:Split", "broken_plugins:Split is no plugin; expected a subclass of one of genbench.Model"),
        (dict, "dict is no plugin"),
        (None, "None is no plugin; expected a name, a path or a class"),
        (3, "3 is no plugin"),
    ],
)  # fmt: skip
def test_what_is_no_plugin_is_a_failure_and_raises_nothing(target: str | type, saying: str) -> None:
    verdict = testing.check(target)
    assert not verdict.ok
    (result,) = verdict
    assert (result.check, result.status) == ("loads", "failed")
    assert re.search(saying, result.reason), result.reason


def test_a_plugin_that_ends_everything_ends_its_check_alone() -> None:
    class Leaves(broken_plugins.Plain):
        """Leaves the interpreter."""

        def features(self, images: torch.Tensor) -> torch.Tensor:
            sys.exit(3)

    results = {result.check: result for result in testing.check(broken_plugins.options(Leaves))}
    assert results["works-without-cuda"].status == "failed"
    assert "SystemExit: 3 (at test_testing_kit.py:" in results["works-without-cuda"].reason
    assert results["features"].reason == "it raised what it did in works-without-cuda"
    assert results["digest"].status == "skipped"  # no other process could import it


@pytest.mark.slow
def test_options_are_checked_as_given() -> None:
    verdict = testing.check("broken_plugins:Nearest")
    assert verdict.ok
    assert verdict.target == "broken_plugins:Nearest"
    assert [result.check for result in testing.check("parzen[grid=paper,samples=100]").failures] == []


def test_failures_can_be_expected_strictly() -> None:
    as_told = testing.check(broken_plugins.Maps, {"features": "maps are meant", "batch-is-irrelevant": "no"})
    told = {result.check: (result.status, result.ok) for result in as_told}
    assert told["features"] == ("expected failure", True)
    assert told["batch-is-irrelevant"] == ("unexpected pass", False)
    reason = next(result.reason for result in as_told if result.check == "features")
    assert reason.startswith("maps are meant (features of 64 images are (64, 1, 8, 8)")


@pytest.mark.slow
def test_a_failure_expected_of_no_check_is_wrong() -> None:
    (failure,) = testing.check(broken_plugins.Plain, {"featurs": "typing"}).failures
    assert "a failure of 'featurs' is expected, and Plain has no such check." in failure.reason
    assert "Did you mean features?" in failure.reason


def test_what_is_skipped_is_no_expected_failure() -> None:
    assert judged(Result("x", "skipped", "why"), {"x": "because"}).status == "skipped"


# The second door: pytest


PROJECT = """
import broken_plugins
from genbench.testing import parametrize_with_checks

@parametrize_with_checks(
    [broken_plugins.Plain, broken_plugins.Maps, broken_plugins.BatchNormalised, "no-such-name"],
    expected_failures={{broken_plugins.BatchNormalised: {expected}}},
)
def test_conformance(check):
    check()
"""


def run_pytest(folder: Path, expected: str) -> str:
    (folder / "test_it.py").write_text(PROJECT.format(expected=expected))
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {TESTS}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.mark.slow
def test_checks_are_tests_with_strict_expected_failures(tmp_path: Path) -> None:
    told = run_pytest(tmp_path, '{"batch-is-irrelevant": "the batch is the point", "features": "no reason"}')
    for line in (
        "PASSED test_it.py::test_conformance[Plain-features]",
        "PASSED test_it.py::test_conformance[Plain-not-everything-skipped]",
        "FAILED test_it.py::test_conformance[Maps-features]",
        "XFAIL test_it.py::test_conformance[BatchNormalised-batch-is-irrelevant]",
        "FAILED test_it.py::test_conformance[BatchNormalised-features]",
        "FAILED test_it.py::test_conformance[no-such-name-loads]",
        "[XPASS(strict)] no reason",
    ):
        assert line in told, told
    assert "unknown model 'no-such-name'" in told


@pytest.mark.slow
def test_an_expected_failure_of_no_check_stops_the_collection(tmp_path: Path) -> None:
    told = run_pytest(tmp_path, '{"featurs": "typing"}')
    assert "a failure of 'featurs' is expected, and BatchNormalised has no such check. Did you mean features?" in told


# The third door: the command line


def test_the_command_prints_each_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "pixels"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "pixels:"
    assert lines[-1].endswith(" passed, 1 skipped")
    assert [line.split()[:2] for line in lines[-3:-1]] == [["ok", "digest"], ["ok", "not-everything-skipped"]]


@pytest.mark.slow
def test_the_command_fails_where_a_check_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "broken_plugins:Maps", "broken_plugins:Plain"]) == 1
    printed = capsys.readouterr().out
    assert "FAILED    features " in printed
    assert "features of 64 images are (64, 1, 8, 8)" in printed


def test_the_command_takes_expected_failures(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["check", "broken_plugins:BatchNormalised", "--expect", "batch-is-irrelevant=the batch is the point"]) == 0
    )
    assert "expected  batch-is-irrelevant" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no plugin given; expected a name, MODULE:CLASS or FILE.py:CLASS. See: genbench list"),
        (["pixels", "--expect", "features"], "--expect 'features': expected CHECK=REASON"),
        (["pixels", "--device", "abacus"], "--device 'abacus': expected auto, cpu, cuda or cuda:N"),
    ],
)
def test_wrong_use_of_the_command(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_command_lists_the_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--list"]) == 0
    printed = capsys.readouterr().out
    for checks in all_checks().values():
        for check in checks:
            assert check.name in printed


def test_importing_the_kit_is_light() -> None:
    code = "import sys, genbench.testing; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_failures_expected_of_a_stranger_stop_the_collection() -> None:
    with pytest.raises(ValueError, match="failures are expected of pixls, which is not among the targets"):
        testing.parametrize_with_checks(["pixels"], expected_failures={"pixls": {"features": "typing"}})


def test_what_is_no_exception_ends_its_check_alone() -> None:
    class Panic(BaseException):
        """As compiled code raises it."""

    class Panics(broken_plugins.Plain):
        """Panics."""

        def features(self, images: torch.Tensor) -> torch.Tensor:
            raise Panic("out of luck")

    results = {result.check: result for result in testing.check(broken_plugins.options(Panics))}
    assert results["works-without-cuda"].status == "failed"
    assert "Panic: out of luck" in results["works-without-cuda"].reason
    assert results["features"].reason == "it raised what it did in works-without-cuda"


def test_the_closing_check_performs_what_was_not() -> None:
    assert Session(find(broken_plugins.Plain)).closing().status == "passed"
    assert Session(find(broken_plugins.Absent)).closing().status == "failed"
    assert Session(find("inline")).closing().status == "passed"


@broken_plugins.options
class Likelihood(broken_plugins.Nearest):
    """Mean log-likelihood of target images by the model itself."""

    higher_is_better = True

    def evaluate(self, evaluation: Any) -> Any:
        if not evaluation.samples(self.samples).isfinite().all():
            raise ValueError("samples are not finite")
        values = evaluation.model.log_prob(evaluation.target.images).double()
        return genbench.Score(values.mean().item(), values.std(correction=0).item() / len(values) ** 0.5)


@broken_plugins.options
class Subsets(broken_plugins.Nearest):
    """Nearest, on a few subsets of samples that the generator draws."""

    def score_subsets(self, evaluation: Any) -> float:
        x = evaluation.samples(1000)  # whatever the option says
        if not x.isfinite().all():
            raise ValueError("samples are not finite")
        rows = [torch.randint(len(x), (100,), generator=evaluation.generator) for _ in range(5)]
        return sum(self.score(x[r], evaluation.target.images).value for r in rows) / 5

    def evaluate(self, evaluation: Any) -> Any:
        return genbench.Score(self.score_subsets(evaluation))


@broken_plugins.options
class Many(broken_plugins.Nearest):
    """Nearest, for no fewer than 800 samples."""

    def score(self, samples: torch.Tensor, target: torch.Tensor) -> Any:
        if len(samples) < 800:
            raise ValueError(f"{len(samples)} samples; expected at least 800")
        return super().score(samples, target)


@pytest.mark.parametrize("cls", [Likelihood, Subsets, Many])
def test_metrics_of_other_kinds_pass_too(cls: type) -> None:
    verdict = testing.check(cls)
    assert verdict.ok, [f"{result.check}: {result.reason}" for result in verdict.failures]


def test_a_slow_running_mean_learns_too() -> None:
    class Slow(broken_plugins.Steady):
        """Moves a hundredth of the way in each step."""

    slow = broken_plugins.options(Slow)
    assert performed(Session(find(slow)), "learns").status == "passed"


def test_grey_that_learns_nothing_is_caught() -> None:
    class Grey(broken_plugins.Steady):
        """Is grey, whatever it is shown; and not before fit."""

        def fit(self, data: Any, run: Any) -> None:
            self.shown_ = torch.ones(1)

        def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
            return (0.2 * self.shown_ + 0.1 * torch.rand(n, *self.space.shape, generator=generator)).clamp(0, 1)

    assert performed(Session(find(broken_plugins.options(Grey))), "learns").status == "failed"


def test_a_file_beside_the_plugin_stands_in_for_no_module(tmp_path: Path) -> None:
    """A random.py, token.py or select.py in the working folder is none of Python's own."""
    (tmp_path / "random.py").write_text("raise RuntimeError('my own random.py')")
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\nfrom typing import ClassVar\nimport genbench\n\n"
        '@dataclass(eq=False)\nclass Ink(genbench.Metric):\n    """The mean value (made up)."""\n'
        "    version: ClassVar[int] = 1\n    title: ClassVar[str] = 'ink'\n    unit: ClassVar[str] = ''\n"
        "    higher_is_better: ClassVar[bool] = True\n    samples: int = 100\n\n"
        "    def evaluate(self, evaluation):\n"
        "        return genbench.Score(evaluation.samples(self.samples).mean().item())\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-m", "genbench", "check", "./mine.py:Ink"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "my own random.py" not in done.stdout + done.stderr
    assert re.search("ok +works-on-a-stand-in-for-cuda", done.stdout), done.stdout  # a process of its own has answered
