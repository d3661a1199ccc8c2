"""Suites, seeds and claims: read, checked, refused by name."""

from pathlib import Path

import pytest

from genbench.data.folders import cache_folder
from genbench.errors import RequestError
from genbench.ranking import claims
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.runs import suites


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", [0, 1, 2]), ("0,3", [0, 3]), ("2-4", [2, 3, 4]), ("3,", [3]), ("5-5", [5]), ("0-1,7", [0, 1, 7])],
)
def test_seeds(text: str, seeds: list[int]) -> None:
    assert suites.parse_seeds(text) == seeds


@pytest.mark.parametrize("begin", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_editors_of_windows_are_read(begin: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    lines = ('title = "tîtle"', 'models = ["gan"]', "seeds = 2", "", "[options.gan]", "lr = 1e-3", "epochs = 1_000", "")
    path.write_bytes((begin + end.join(lines)).encode())
    read = suites.load(str(path))
    assert (read.title, read.seeds) == ("tîtle", [0, 1])
    assert read.options == {"gan": {"lr": 0.001, "epochs": 1000}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "--seeds is 0; expected 1 to"),
        ("", "expected a count"),
        (",", "expected a count"),
        ("a", "'a': expected a count"),
        ("-1", "expected a count"),
        ("1.5", "expected a count"),
        ("1,1", "seed 1 is given twice"),
        ("0-2,1", "seed 1 is given twice"),
        ("3-1", "expected the lower end first, as in 1-3"),
        ("0-99999", "more than 10,000"),
        ("10001", "expected 1 to 10,000"),
        ("9" * 30, "expected a count"),
    ],
)
def test_malformed_seeds(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        suites.parse_seeds(text)


@pytest.mark.parametrize("name", suites.available())
def test_shipped_suites_resolve(name: str) -> None:
    suite = suites.load(name)
    resolver = Resolver(load_registry(), cache_folder())
    for kind, texts in (("model", suite.models), ("dataset", suite.datasets), ("metric", suite.metrics)):
        assert [resolver.resolve(kind, text).label for text in texts or []] == texts
    assert suite.title
    assert suite.seeds


def test_the_ablation_compares_equal_updates_and_equal_time() -> None:
    by_steps, by_time = suites.load("gan-ablation"), suites.load("gan-ablation-seconds")
    assert by_steps.models == by_time.models
    resolver = Resolver(load_registry(), cache_folder())
    options = [resolver.resolve("model", text).options for text in by_steps.models or []]
    assert {(each["epochs"], each["batch"]) for each in options} == {(300, 100)}  # of 1,000 images: 3,000 steps
    assert (by_steps.budget, by_time.budget) == (None, "10s")
    assert by_time.options["gan"]["epochs"] > 100_000


def test_suites_of_ones_own_leave_seeds_to_the_one_default(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('models = ["gan"]\n[options.gan]\nepochs = 3\n')
    suite = suites.load(str(path))
    assert (suite.name, suite.seeds, suite.options) == ("mine", None, {"gan": {"epochs": 3}})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('modles = ["gan"]', "unknown key in suite .* 'modles'. Did you mean models"),
        ('models = "gan"', "models is 'gan'; expected a list"),
        ("models = [3]", "expected a list of texts"),
        ("models = []", "models is empty"),
        ("seeds = 0", "seeds is 0"),
        ("seeds = true", "seeds is True; expected a whole number or a list"),
        ("seeds = [1, 1]", "seed 1 is given twice"),
        ("seeds = [true]", "expected whole numbers"),
        ("seeds = []", "expected whole numbers"),
        ("seeds = [-1]", "expected whole numbers"),
        ("samples = 1.5", "samples is 1.5; expected a whole number"),
        ("options = 3", "options is 3; expected a table"),
        ("[options]\ngan = 3", r"options.gan is no table; expected \[options.gan\]"),
        ("models = [", "is not TOML"),
        ("\xff", "is not TOML"),
    ],
)
def test_malformed_suites(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(RequestError, match=message):
        suites.load(str(path))


def test_an_unknown_suite_is_answered_with_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"unknown suite 'quik'. Did you mean quick\?"):
        suites.load("quik")
    with pytest.raises(RequestError, match=r"cannot read nowhere.toml: No such file"):
        suites.load("nowhere.toml")


def test_the_papers_table_is_shipped_whole() -> None:
    """The figures of Table 1, with the error's meaning: over test images on MNIST, over folds on TFD."""
    found = {(c.model, c.dataset): (c.value, c.error, c.error_means) for c in load_claims()}
    over_images, over_folds = "standard error over test images", "standard error over folds"
    assert found == {
        ("DBN", "mnist"): (138, 2, over_images),
        ("Stacked CAE", "mnist"): (121, 1.6, over_images),
        ("Deep GSN", "mnist"): (214, 1.1, over_images),
        ("Adversarial nets", "mnist"): (225, 2, over_images),
        ("DBN", "tfd"): (1909, 66, over_folds),
        ("Stacked CAE", "tfd"): (2110, 50, over_folds),
        ("Deep GSN", "tfd"): (1890, 29, over_folds),
        ("Adversarial nets", "tfd"): (2057, 26, f"{over_folds}, one sigma per fold"),
    }


def load_claims() -> list[claims.Claim]:
    return claims.load(["goodfellow2014"], Resolver(load_registry(), cache_folder()))


def test_only_the_papers_own_mnist_row_has_our_protocol(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genbench.data.cache import prepare
    from genbench.trial.protocol import Protocol

    monkeypatch.setenv("GENBENCH_DATA", str(real_data))
    resolver = Resolver(load_registry(), cache_folder())
    mnist = resolver.resolve("dataset", "mnist")
    digest = prepare(mnist.instantiate(), mnist.identity).digest
    ours = Protocol(resolver.resolve("metric", "parzen@paper"), digest).id
    assert [(c.model, c.dataset) for c in load_claims() if c.protocol_id == ours] == [("Adversarial nets", "mnist")]
    assert all(c.differs for c in load_claims() if c.protocol_id != ours)


def test_unknown_claims_are_named() -> None:
    with pytest.raises(RequestError, match="unknown claims 'goodfelow2014'. Did you mean goodfellow2014"):
        claims.load(["goodfelow2014"], Resolver(load_registry()))
