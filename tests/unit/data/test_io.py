"""What `genbench.io` gives to plugins, and that the built-in datasets take no other way."""

import numpy as np
import pytest

from genbench import io
from genbench_plugins.builtin import DATASETS


@pytest.mark.parametrize("n", [3, 9, 10, 25, 100])
def test_every_row_is_in_one_part_in_the_frozen_order(n: int) -> None:
    parts = io.in_three(n)
    assert parts["train"] + parts["valid"] + parts["test"] == np.random.RandomState(0).permutation(n).tolist()
    assert len(parts["valid"]) == len(parts["test"]) == max(1, n // 10)


@pytest.mark.parametrize(("n", "count", "expected"), [(2, 0, 1), (9, 0, 1), (30, 0, 3), (30, 7, 7)])
def test_held_out_are_the_last_of_the_frozen_order(n: int, count: int, expected: int) -> None:
    kept, held = io.held_out(n, count)
    assert kept + held == np.random.RandomState(0).permutation(n).tolist()
    assert len(held) == expected


def test_a_home_folder_is_expanded_and_an_unknown_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(io.expanded("~/a.npz")) == "/home/someone/a.npz"
    assert str(io.expanded("~nobody-of-that-name/a.npz")) == "~nobody-of-that-name/a.npz"


def test_every_built_in_dataset_is_a_plugin() -> None:
    assert all(target.startswith("genbench_plugins.datasets.") for target, _ in DATASETS.values())
