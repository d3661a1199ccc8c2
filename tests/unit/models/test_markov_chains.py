"""Samples of parallel chains against chains that only count."""

import pytest
import torch

from genbench_plugins.models.markov_chains import from_chains


@pytest.mark.parametrize("n", [1, 3, 4, 8])
@pytest.mark.parametrize(("burn_in", "thin"), [(0, 1), (5, 1), (2, 3)])
def test_samples_are_ordered_step_by_step(n: int, burn_in: int, thin: int) -> None:
    """Chain c starts at 100 c and adds 1 in each step; sample i belongs to chain i % 3."""
    start = torch.tensor([0, 100, 200])
    x = from_chains(start, lambda state: state + 1, lambda state: -state, n, burn_in, thin)
    assert x.tolist() == [-(100 * (i % 3) + burn_in + thin * (i // 3 + 1)) for i in range(n)]


def test_only_kept_states_become_samples() -> None:
    emitted = []

    def emit(state: torch.Tensor) -> torch.Tensor:
        emitted.append(int(state[0]))
        return state

    from_chains(torch.zeros(2), lambda state: state + 1, emit, 5, burn_in=10, thin=4)
    assert emitted == [14, 18, 22]
