"""The state that is kept: the best by the validation images, found without leaving a trace in training."""

import json
from pathlib import Path

import pytest
import torch
from places import TESTS

import genbench
from genbench.api import Model, Space, TrainingData
from genbench.errors import Interrupted, RequestError
from genbench.numerics.parzen import PAPER_SIGMAS, choose_sigma
from genbench.registry import code
from genbench.store.sealed import SealedFolder
from genbench.testing.fingerprint import changed, of_state
from genbench.testing.made_images import training_data
from genbench.trial import seeding
from genbench.trial.checkpoints import Checkpoints
from genbench.trial.identity import parse_selection
from genbench.trial.selection import BestValid
from genbench.trial.training import TrainingRun

CPU = torch.device("cpu")
SPACE = Space((1, 4, 4), classes=3)


class Peaked(Model):
    """Is good in its third epoch alone; uses every kind of randomness, and dropout, while it trains."""

    samples_are = "clipped"
    sample_batch = 500

    def build(self, space: Space, device: torch.device) -> None:
        self.space = space
        self.net_ = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(2, 2))
        self.mean_ = torch.zeros(space.shape)
        self.trace_ = torch.zeros(())

    def fit(self, data: TrainingData, run: genbench.Run) -> None:
        for x, _ in run.batches(data.train, size=20, epochs=5, select=True):
            noise = torch.rand(1, generator=run.generator) + torch.rand(1) + self.net_(torch.ones(1, 2)).sum().detach()
            self.trace_ = self.trace_ * 0.9 + noise.squeeze()
            self.mean_ = data.train.images.mean(0) if run.epoch == 3 else x.mean(0) * 0 + self.trace_.sigmoid()
            run.log(noise=noise)
        self.last_ = self.mean_.clone()

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        self.net_(torch.ones(1, 2))  # would draw, were it training
        e = torch.randn(n, *self.space.shape, generator=generator)
        return (self.mean_ + 0.1 * e).clamp(0, 1)


def trained(folder: Path | None, every: int = 1, stop_after: int | None = None, kept: Path | None = None):
    """Return a fitted model, its run and its selector; without a folder nothing is selected."""
    data, model = training_data(SPACE), Peaked()
    with seeding.seeded(0, "init"):
        model.build(SPACE, CPU)
    selector = BestValid(SealedFolder(folder), model, data.valid.images, 0, every) if folder else None
    keeper = Checkpoints(SealedFolder(kept), model, CPU, every=0) if kept else None
    run = TrainingRun(
        0, CPU, keeper=keeper, selector=selector, stop=lambda: stop_after is not None and run.step >= stop_after
    )
    with seeding.seeded(0, "fit"):
        model.fit(data, run)
    run.end_epoch()
    return model, run, selector


def test_the_best_state_is_kept(tmp_path: Path) -> None:
    model, run, selector = trained(tmp_path)
    torch.testing.assert_close(model.mean_, training_data(SPACE).train.images.mean(0))
    assert torch.equal(model.last_, model.mean_)  # what comes after the loop works on the best state
    scores = [json.loads(line)["valid_parzen"] for line in run.lines]
    assert len(scores) == 5
    assert max(scores) == scores[2]
    assert selector.judged == 5


def test_the_score_is_the_parzen_log_likelihood_of_validation_images(tmp_path: Path) -> None:
    model, run, _ = trained(tmp_path)
    model.net_.eval()
    valid = training_data(SPACE).valid.images
    drawn = []
    for batch in range(20):
        with seeding.seeded(0, "select", 3, batch):
            drawn.append(model.sample(500, seeding.stream(0, "select", 3, batch)))
    expected = choose_sigma(torch.cat(drawn), valid, PAPER_SIGMAS).log_likelihood
    assert json.loads(run.lines[2])["valid_parzen"] == expected


@pytest.mark.parametrize(("every", "judged", "best"), [(1, 5, 3), (2, 3, None), (3, 2, 3), (10, 1, None)])
def test_epochs_are_looked_at_as_often_as_asked_and_at_the_end(
    every: int, judged: int, best: int | None, tmp_path: Path
) -> None:
    model, _, selector = trained(tmp_path, every)
    assert selector.judged == judged
    is_best = torch.allclose(model.mean_, training_data(SPACE).train.images.mean(0))
    assert is_best == (best is not None)


def test_training_does_not_know_that_it_was_looked_at(tmp_path: Path) -> None:
    _, plain, _ = trained(None)
    _, watched, _ = trained(tmp_path)
    lines = [json.loads(line) for line in watched.lines]
    assert [{**line, "valid_parzen": 0} for line in lines] == [
        {**json.loads(line), "valid_parzen": 0} for line in plain.lines
    ]


@pytest.mark.parametrize("step", [1, 7, 8, 9, 10, 14, 15])
def test_an_interrupted_training_selects_the_same(step: int, tmp_path: Path) -> None:
    whole, plain, _ = trained(tmp_path / "whole", 2)
    with pytest.raises(Interrupted, match="after saving"):
        trained(tmp_path / "cut", 2, stop_after=step, kept=tmp_path / "cut")
    resumed, run, selector = trained(tmp_path / "cut", 2, kept=tmp_path / "cut")
    assert changed(of_state(whole), of_state(resumed)) == []
    assert run.lines == plain.lines
    assert selector.judged == 3


def test_what_is_not_finite_is_never_the_best(tmp_path: Path) -> None:
    class Breaks(Peaked):
        """Ends in NaN."""

        def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
            x = super().sample(n, generator)
            return x * float("nan") if self.mean_.max() > self.mean_.min() else x

    data, model = training_data(SPACE), Breaks()
    model.build(SPACE, CPU)
    selector = BestValid(SealedFolder(tmp_path), model, data.valid.images, 0, 1)
    model.fit(data, TrainingRun(0, CPU, selector=selector))
    assert model.mean_.max() == model.mean_.min()


@pytest.mark.parametrize(
    ("text", "rule"), [("last", "last"), ("best-valid", "best-valid:10"), (" best-valid:25 ", "best-valid:25")]
)
def test_rules(text: str, rule: str) -> None:
    assert parse_selection(text) == rule


@pytest.mark.parametrize(
    "text", ["", "best", "best-valid:0", "best-valid:", "best-valid:-3", "last:3", "best-valid:1.5"]
)
def test_rules_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"--select .*: expected last, best-valid, or best-valid:25"):
        parse_selection(text)


def test_a_selected_trial_is_another_and_stands_in_a_row_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    vae = "vae[epochs=4]"
    given = {"models": vae, "metrics": "parzen[samples=1000]", "reference": "none", "seeds": 2}
    last, best = genbench.run(**given), genbench.run(**given, select="best-valid:2")
    assert [row.model for row in best.boards[0].rows] == [f"{vae} (best-valid:2)"]
    assert {score.trial.id for score in best.boards[0].rows[0].scores}.isdisjoint(
        score.trial.id for score in last.boards[0].rows[0].scores
    )
    assert list(genbench.load_results("results").leaderboard["model"]) in (
        [vae, f"{vae} (best-valid:2)"],
        [f"{vae} (best-valid:2)", vae],
    )
    assert set(genbench.load_results("results").trials["model"]) == {vae, f"{vae} (best-valid:2)"}
    assert genbench.run(**given, select="best-valid:2").outcomes == {}


def test_a_model_whose_states_cannot_be_judged_is_refused_before_training(
    toy: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = r"no state of toy can be judged .* nowhere says run.batches\(..., select=True\); use --select last"
    with pytest.raises(RequestError, match=told):
        genbench.run(models="vae,toy", metrics="brightness", select="best-valid")
    assert not (tmp_path / "results").exists()


def test_what_can_be_known_of_a_class_is_whether_its_code_says_select() -> None:
    from genbench_plugins.models.conditional_gan import ConditionalGAN
    from genbench_plugins.models.dbn import DBN

    assert [code.may_select(cls) for cls in (Peaked, ConditionalGAN, DBN)] == [True, True, False]
    assert code.may_select(type("Nowhere", (Model,), {"__module__": "no.such.module"})), "nothing is known of it"
    borrowed = {"a": b"import torch\nfrom genbench_plugins.models.gan import GAN"}
    assert [code._may_select(found) for found in (borrowed, {"a": b"import torch, os"})] == [True, False]
    base = type("Base", (DBN,), {"__module__": Peaked.__module__})
    assert code.may_select(base), "what it inherits is looked at too"


def test_references_are_no_trainings_to_select_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report = genbench.run(
        models="vae[epochs=2]", metrics="parzen[samples=500]", reference="kmeans", seeds=1, select="best-valid:1"
    )
    assert report.failed == 0
    assert [row.model for row in report.boards[0].of_kind("reference")] == ["kmeans"]


def test_a_fit_that_never_offers_a_state_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = (TESTS / "toy_plugin" / "genbench_toy.py").read_text()
    (tmp_path / "mine.py").write_text(f"# select\n{source}")
    report = genbench.run(
        models="./mine.py:Toy", metrics="parzen[samples=500]", reference="none", seeds=1, select="best-valid"
    )
    (row,) = report.boards[0].rows
    assert "no loop of its fit says run.batches(..., select=True)" in row.reasons[0]
