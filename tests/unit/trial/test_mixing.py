"""Chains tell what they are worth, with every score and under the table."""

import json
from pathlib import Path

import pytest
import torch

import genbench
from genbench.output.captions import caption
from genbench.trial.mixing import mixing

WALK = '''
from dataclasses import dataclass
from typing import ClassVar

import genbench
import torch


@dataclass(eq=False)
class Walk(genbench.Model):
    """Chains that keep a share of where they were."""

    version: ClassVar[int] = 1
    family: ClassVar = "chain"
    sample_batch: ClassVar[int] = 1000
    chains: int = 20
    share: float = 0.5

    def build(self, space, device):
        self.space = space
        self.mean_ = torch.zeros(space.shape)

    def fit(self, data, run):
        self.mean_ = data.train.images.mean(0)

    def sample(self, n, generator):
        steps = -(-n // self.chains)
        x = torch.randn(self.chains, 1, generator=generator)
        kept = []
        for _ in range(steps):
            e = torch.randn(self.chains, 1, generator=generator)
            x = self.share * x + (1 - self.share**2) ** 0.5 * e
            kept.append(x)
        shift = torch.cat(kept)[:n].view(n, 1, 1, 1)
        return (self.mean_ + 0.05 * shift).clamp(*self.space.bounds)
'''


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "walk.py").write_text(WALK)
    monkeypatch.chdir(tmp_path)
    return "./walk.py:Walk"


def test_each_score_tells_what_its_samples_are_worth(walk: str) -> None:
    models = f"{walk}[share=0.0],{walk},{walk}[share=0.9]"
    report = genbench.run(models=models, metrics="parzen[samples=2000]", reference="gaussian", seeds=2)
    (board,) = report.boards
    rows = {row.model: row for row in board.rows}
    assert "effective_samples" not in rows["gaussian"].extras
    for share, time in ((0.0, 1), (0.5, 3), (0.9, 19)):
        extras = rows[f"{walk}[share={share}]" if share != 0.5 else walk].extras
        assert extras["autocorrelation_time"] == pytest.approx(time, rel=0.35)
        assert extras["effective_samples"] == pytest.approx(2000 / extras["autocorrelation_time"], rel=0.1)
    words = " ".join(caption(board))
    assert f"{walk} autocorrelation " in words
    assert f"! {walk}[share=0.9]: its chains have not mixed (R-hat " in words
    assert "[share=0.0]: its chains" not in words


def test_the_log_of_samples_tells_of_each_batch(walk: str, tmp_path: Path) -> None:
    genbench.run(models=f"{walk},vae[epochs=1]", metrics="parzen[samples=2000]", reference="none", seeds=1)
    genbench.run(models=walk, metrics="parzen[samples=3000]", reference="none", seeds=1)
    (trial,) = tmp_path.glob("results/trials/walk-*")
    lines = [
        json.loads(line) for path in sorted(trial.glob("samples/*.log.jsonl")) for line in path.read_text().splitlines()
    ]
    assert [line["batch"] for line in lines] == [0, 1, 2]
    for line in lines:
        assert line["effective_samples"] == pytest.approx(1000 / line["autocorrelation_time"])
        assert line["r_hat"] > 0.9
    assert not list(tmp_path.glob("results/trials/vae-*/samples/*.jsonl"))


def test_stored_samples_tell_the_same_again(walk: str, tmp_path: Path) -> None:
    first = genbench.run(models=walk, metrics="parzen[samples=1000]", reference="none", seeds=1)
    again = genbench.run(models=walk, metrics="parzen[samples=1000,valid=100]", reference="none", seeds=1)
    told = [report.boards[0].rows[0].extras["effective_samples"] for report in (first, again)]
    assert told[0] == told[1]


@pytest.mark.parametrize("chains", [200, 1000, 5000])
def test_too_few_steps_tell_nothing(chains: int) -> None:
    assert mixing(torch.rand(1000, 1, 2, 2), chains, 1000) == {}


def test_a_step_that_is_cut_is_left_out() -> None:
    x = torch.rand(1000, 1, 2, 2)
    assert mixing(x[:995], 10, 1000)["r_hat"] == mixing(x[:990], 10, 1000)["r_hat"]


def test_infinite_disagreement_can_be_stored() -> None:
    stuck = torch.arange(10.0).repeat(20).view(200, 1, 1, 1)
    assert mixing(stuck, 10, 200)["r_hat"] == 1e6


def test_each_batch_has_chains_of_its_own() -> None:
    parts = [torch.rand(100, 1, 2, 2), torch.rand(100, 1, 2, 2)]
    both = mixing(torch.cat(parts), 5, 100)
    times = [mixing(part, 5, 100)["autocorrelation_time"] for part in parts]
    assert both["autocorrelation_time"] == pytest.approx(sum(times) / 2)
