"""What fit is handed: orders, draws, logs and budgets."""

import json
import math

import numpy as np
import pytest
import torch

from genbench.api import Split
from genbench.errors import Diverged
from genbench.trial.identity import Budget
from genbench.trial.training import TrainingRun

CPU = torch.device("cpu")
ROWS = torch.arange(10)


def run_of(seed: int = 0, budget: Budget | None = None) -> TrainingRun:
    return TrainingRun(seed, CPU, budget)


def epochs_of(run: TrainingRun, epochs: int, size: int = 4) -> list[list[int]]:
    return [batch.tolist() for batch in run.batches(ROWS, size=size, epochs=epochs)]


def test_every_epoch_hands_out_every_row_once_in_a_new_order() -> None:
    batches = epochs_of(run_of(), epochs=2)
    assert [len(batch) for batch in batches] == [4, 4, 2, 4, 4, 2]
    first, second = sum(batches[:3], []), sum(batches[3:], [])
    assert sorted(first) == sorted(second) == ROWS.tolist()
    assert first != second


def test_orders_depend_on_seed_loop_and_epoch_alone() -> None:
    run = run_of()
    first = epochs_of(run, epochs=2)
    torch.rand(3)
    run.draw(ROWS, 5)
    second = epochs_of(run, epochs=2)
    other = run_of()
    assert epochs_of(other, epochs=1) == first[:3]
    assert epochs_of(other, epochs=2) == second
    assert epochs_of(run_of(seed=1), epochs=2) != first


def test_a_split_yields_images_with_their_labels() -> None:
    split = Split(torch.arange(6).view(6, 1), torch.arange(6) * 10)
    for images, labels in run_of().batches(split, size=4, epochs=1):
        assert torch.equal(images[:, 0] * 10, labels)
    images, labels = run_of().draw(split, 7)
    assert torch.equal(images[:, 0] * 10, labels)
    assert next(run_of().batches(Split(ROWS), size=2, epochs=1))[1] is None


def test_draws_are_a_stream_of_their_own() -> None:
    one, other = run_of(), run_of()
    epochs_of(one, 1)
    torch.rand(4, generator=one.generator)
    assert torch.equal(one.draw(ROWS, 100), other.draw(ROWS, 100))


def test_nested_loops_are_refused() -> None:
    run = run_of()
    with pytest.raises(RuntimeError, match="must not be nested"):
        for _ in run.batches(ROWS, size=5, epochs=1):
            next(run.batches(ROWS, size=5, epochs=1))


def test_loops_may_follow_one_another_also_after_a_break() -> None:
    run = run_of()
    for _ in run.batches(ROWS, size=5, epochs=3):
        break
    assert len(epochs_of(run, 1)) == 3


def test_the_log_keeps_means_over_epochs() -> None:
    run = run_of()
    for batch in run.batches(ROWS, size=5, epochs=2):
        run.log(loss=torch.tensor(float(run.step), requires_grad=True), size=len(batch))
    lines = [json.loads(line) for line in run.lines]
    assert lines == [
        {"loop": 0, "epoch": 1, "step": 2, "loss": 1.5, "size": 5.0},
        {"loop": 0, "epoch": 2, "step": 4, "loss": 3.5, "size": 5.0},
    ]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), torch.tensor(float("-inf"))])
def test_a_mean_that_is_not_finite_ends_the_training(bad: float) -> None:
    run = run_of()
    with pytest.raises(Diverged, match=r"loss is (nan|-?inf) in epoch 1 of loop 1"):
        for _ in run.batches(ROWS, size=5, epochs=5):
            run.log(loss=bad)
    assert run.step == 2


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (torch.zeros(3, 1, 8, 8), "of 192 values"),
        (torch.zeros(0), "of 0 values"),
        (np.zeros((8, 8)), "of type ndarray"),
        ("low", "of type str"),
        (None, "of type NoneType"),
    ],
)
def test_what_is_logged_is_a_number(value: object, what: str) -> None:
    run = run_of()
    with pytest.raises(ValueError, match=rf"run.log\(sample=...\) is given something {what}; .* genbench figures"):
        run.log(sample=value)  # type: ignore[arg-type]
    for one in (torch.ones(1, 1), np.float32(1), np.ones(()), True):
        run.log(sample=one)  # type: ignore[arg-type]


def test_a_budget_of_steps_holds_over_all_loops() -> None:
    run = run_of(budget=Budget(steps=4))
    assert len(epochs_of(run, epochs=1)) == 3
    assert len(epochs_of(run, epochs=9)) == 1
    assert len(epochs_of(run, epochs=9)) == 0
    assert run.step == 4


def test_a_budget_of_seconds_ends_the_loop() -> None:
    assert epochs_of(run_of(budget=Budget(seconds=0.0)), epochs=1) == []


def test_progress_tells_the_epoch() -> None:
    reports = []
    run = TrainingRun(0, CPU, report_progress=reports.append)
    for _ in run.batches(ROWS, size=5, epochs=3):
        run.log(d=0.5)
    told = [report.pop("lines") for report in reports]
    assert reports[-1] == {"stage": "fit", "loop": 0, "epoch": 3, "epochs": 3, "log": {"d": 0.5}}
    assert sum(told, []) == run.lines
    assert len(run.lines) == 3


def test_what_diverges_is_told_before_it_ends() -> None:
    reports = []
    run = TrainingRun(0, CPU, report_progress=reports.append)
    with pytest.raises(Diverged, match="d is nan in epoch 2 of loop 1"):
        for _ in run.batches(ROWS, size=10, epochs=3):
            run.log(d=0.5 if run.epoch == 1 else math.nan)
    assert reports[-1]["lines"] == run.lines[1:]
