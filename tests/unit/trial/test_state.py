"""A model's learned state to one file and back."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from genbench.trial import state

CPU = torch.device("cpu")


def round_trip(model: Any, built: Any, path: Path, optimisers: bool = True) -> Any:
    state.save(model, path, optimisers)
    state.restore(built, path, CPU)
    return built


def trained(steps: int) -> SimpleNamespace:
    torch.manual_seed(steps)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    optimiser = torch.optim.Adam(net.parameters(), lr=0.1)
    model = SimpleNamespace(net_=net, optimiser_=optimiser, schedule_=torch.optim.lr_scheduler.StepLR(optimiser, 2))
    for _ in range(steps):
        optimiser.zero_grad()
        net(torch.randn(5, 3)).square().mean().backward()
        optimiser.step()
        model.schedule_.step()
    return model


def test_modules_optimisers_and_schedulers_go_on_exactly_where_they_were(tmp_path: Path) -> None:
    one, other = trained(5), trained(0)
    module = other.net_
    round_trip(one, other, tmp_path / "state")
    assert other.net_ is module
    x = torch.randn(6, 3)
    for model in (one, other):
        model.optimiser_.zero_grad()
        model.net_(x).square().mean().backward()
        model.optimiser_.step()
        model.schedule_.step()
    assert other.optimiser_.param_groups[0]["lr"] == one.optimiser_.param_groups[0]["lr"]
    for a, b in zip(one.net_.state_dict().values(), other.net_.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 0.1, float("inf"), "text", [1, [2.5, "x"]], (1, (2,)), {"a": 1, 2: [None]},
        torch.arange(6).view(2, 3), torch.tensor(2.5, dtype=torch.float64), torch.zeros(0, 3),
        np.arange(4.0), [torch.ones(2), {"b": torch.zeros(1)}],
    ],
    ids=str,
)  # fmt: skip
def test_values(value: Any, tmp_path: Path) -> None:
    found = round_trip(SimpleNamespace(value_=value), SimpleNamespace(value_=None), tmp_path / "state").value_
    assert type(found) is type(value)
    assert str(found) == str(value)


def test_only_attributes_ending_in_an_underscore_are_state(tmp_path: Path) -> None:
    model = SimpleNamespace(kept_=1, option=2, _private_=3, __dunder__=4)
    assert state.learned(model) == ["kept_"]


def test_shared_storage_is_stored_once_and_strided_views_whole(tmp_path: Path) -> None:
    base = torch.arange(12.0).view(3, 4)
    model = SimpleNamespace(base_=base, same_=base, column_=base[:, 1], turned_=base.T)
    found = round_trip(model, SimpleNamespace(), tmp_path / "state")
    with safe_open(tmp_path / "state", "pt") as file:
        assert sorted(file.keys()) == ["base_", "column_", "turned_"]
    assert torch.equal(found.same_, base)
    assert torch.equal(found.column_, base[:, 1])
    assert torch.equal(found.turned_, base.T)


def test_generators_go_on_where_they_were(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    torch.rand(5, generator=generator)
    found = round_trip(SimpleNamespace(g_=generator), SimpleNamespace(g_=torch.Generator()), tmp_path / "state")
    assert torch.equal(torch.rand(5, generator=found.g_), torch.rand(5, generator=generator))


def test_optimisers_can_be_left_out(tmp_path: Path) -> None:
    one, other = trained(5), trained(0)
    before = other.optimiser_.state_dict()
    round_trip(one, other, tmp_path / "state", optimisers=False)
    assert other.optimiser_.state_dict()["state"] == before["state"] == {}
    assert torch.equal(one.net_[0].weight, other.net_[0].weight)


def test_equal_state_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        state.save(trained(3), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Path("x"), r"value_ is a \w*Path, which cannot be stored"),
        ([1, {"a": {1}}], r"value_\[1\]\['a'\] is a set"),
        ({(1, 2): 3}, "value_ is a dict"),
        (np.array(["a"]), "value_ is a ndarray"),
        (lambda: None, "value_ is a function"),
    ],
)
def test_anything_else_is_refused_with_its_path(value: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=message):
        state.save(SimpleNamespace(value_=value), tmp_path / "state")


def test_a_module_that_build_did_not_make_is_named(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="net_ does not exist after build"):
        round_trip(SimpleNamespace(net_=nn.Linear(1, 1)), SimpleNamespace(), tmp_path / "state")


def test_values_of_one_shape_keep_their_own(tmp_path: Path) -> None:
    """What is packed may be a copy whose memory is free again when the next is made."""
    model = SimpleNamespace(
        arrays_=[np.full(1000, float(n)) for n in range(50)],
        generators_=[torch.Generator().manual_seed(n) for n in range(20)],
    )
    states = [generator.get_state() for generator in model.generators_]
    found = round_trip(model, SimpleNamespace(), tmp_path / "state")
    assert [array[0] for array in found.arrays_] == list(range(50))
    assert all(torch.equal(g.get_state(), kept) for g, kept in zip(found.generators_, states, strict=True))


def test_a_tensor_that_an_optimiser_holds_is_filled_in_place(tmp_path: Path) -> None:
    one, other = (SimpleNamespace(shift_=torch.full((3,), value, requires_grad=True)) for value in (1.0, 0.0))
    held = other.shift_
    round_trip(one, other, tmp_path / "state")
    assert other.shift_ is held
    assert held.tolist() == [1, 1, 1]
    assert held.requires_grad


def test_a_full_disk_is_told_as_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file or directory"):
        state.save(trained(0), tmp_path / "nowhere" / "state")


def test_what_lies_beside_the_models_device_comes_back(tmp_path: Path) -> None:
    """Optimisers on a GPU may count their steps on the CPU: their tensors are marked with where they lay."""
    state.write({"steps_": torch.arange(3.0)}, tmp_path / "state", device=torch.device("cuda"))
    (restored,) = state.read(tmp_path / "state", CPU).values()
    assert restored.tolist() == [0.0, 1.0, 2.0]
    generator = torch.Generator().manual_seed(4)
    state.write({"g_": generator}, tmp_path / "generator", device=torch.device("cuda"))
    (resumed,) = state.read(tmp_path / "generator", CPU).values()
    assert torch.equal(resumed.get_state(), generator.get_state())
