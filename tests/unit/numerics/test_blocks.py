"""How much is computed at a time."""

import pytest
import torch

from genbench.numerics.blocks import ON_GPU, rows_at_once, values_at_once

GPU = torch.device("meta")  # whatever is no CPU


@pytest.mark.parametrize("shape", [(5, 1), (10_000, 784), (3, 1, 299, 299), (7, 0)])
def test_a_cpu_computes_as_much_at_a_time_as_is_asked_for(shape: tuple[int, ...]) -> None:
    assert rows_at_once(torch.empty(shape)) == 1024
    assert rows_at_once(torch.empty(shape), 7) == 7
    assert values_at_once(torch.device("cpu"), 2**16) == 2**16


def test_a_gpu_computes_more_at_a_time_and_never_less() -> None:
    assert values_at_once(GPU, 2**16) == ON_GPU
    assert values_at_once(GPU, 2 * ON_GPU) == 2 * ON_GPU
    assert rows_at_once(torch.empty(5, 784, device=GPU)) == ON_GPU // 784
    assert rows_at_once(torch.empty(5, 3, 299, 299, device=GPU)) == 1024
    assert rows_at_once(torch.empty(5, 0, device=GPU)) == ON_GPU
