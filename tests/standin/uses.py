"""What must work on the stand-in as on a GPU."""

import copy
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

USES: dict[str, Callable[[], Any]] = {}


def use(function: Callable[[], Any]) -> Callable[[], Any]:
    """Note a function that must run through."""
    USES[function.__name__] = function
    return function


def on_gpu(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, device="cuda")


@use
def cuda_tells_of_itself() -> None:
    assert torch.cuda.is_available()
    assert torch.cuda.device_count() == 1
    torch.cuda.set_device("cuda:0")
    assert torch.cuda.get_device_name("cuda:0") == torch.cuda.get_device_properties(0).name == "stand-in for a GPU"
    free, total = torch.cuda.mem_get_info()
    assert free == total == torch.cuda.get_device_properties("cuda").total_memory
    x = on_gpu(2**18)
    assert torch.cuda.mem_get_info("cuda:0") == (total - 2**20, total)
    with torch.cuda.device(0):
        assert (x.device, x.get_device(), x.is_cuda, x.is_cpu, x.is_meta) == (
            torch.device("cuda", 0),
            0,
            True,
            False,
            False,
        )
    torch.cuda.empty_cache()


@use
def memory_is_freed() -> None:
    from genbench.testing.cuda_standin import memory

    network = nn.Linear(64, 64, device="cuda")
    held = torch.cuda.memory_allocated()
    assert held == memory.now == 4 * (64 * 64 + 64)
    torch.cuda.reset_peak_memory_stats("cuda:0")
    view = network.weight.detach().t()[1:]
    assert memory.now == held  # each storage once
    network(on_gpu(8, 64)).sum().backward()
    assert torch.cuda.max_memory_allocated() > 2 * held
    network.zero_grad()
    assert memory.now == held
    network.double()
    del view
    assert memory.now == 2 * held
    del network
    assert memory.now == 0


@use
def values_are_the_cpus() -> None:
    torch.manual_seed(1)
    x, network = torch.rand(3, 1, 8, 8), network_of_many_layers()
    twin, y = copy.deepcopy(network).to("cuda"), x.to("cuda")
    for one, its_x in ((network, x), (twin, y)):
        optimiser = torch.optim.Adam(one.parameters())
        for _ in range(3):
            optimiser.zero_grad()
            one(its_x).square().mean().backward()
            optimiser.step()
    assert all(torch.equal(a, b.cpu()) for a, b in zip(network.parameters(), twin.parameters(), strict=True))
    assert torch.equal(network.eval()(x), twin.eval()(y).cpu())
    assert all(state.device.type == "cuda" for state in twin.state_dict().values())
    network.load_state_dict(twin.state_dict())


def network_of_many_layers() -> nn.Module:
    convolutions = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.ConvTranspose2d(4, 2, 2)]
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(32, 8), nn.LayerNorm(8), nn.Dropout(0.0))


@use
def recurrence_and_attention() -> None:
    x = on_gpu(2, 5, 8)
    for network in (nn.LSTM(8, 4, batch_first=True), nn.GRU(8, 4)):
        assert network.to("cuda")(x)[0].device == x.device
    heads = nn.MultiheadAttention(8, 2, batch_first=True, device="cuda")
    assert heads(x, x, x)[0].device == x.device
    nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, device="cuda")(x).sum().backward()
    nn.functional.interpolate(on_gpu(1, 1, 4, 4).requires_grad_(), scale_factor=2, mode="bilinear").sum().backward()


@use
def views_share_what_they_view() -> None:
    x = torch.zeros(3, 4, device="cuda")
    x[1].add_(1)
    x[:, 1] = torch.arange(3.0, device="cuda")
    x[x > 1] = 7
    x[[0, 2], 0] = 5
    x.t_().mul_(2)
    assert x.tolist() == [[10, 2, 10], [0, 2, 14], [0, 2, 0], [0, 2, 0]]
    assert x.shape == (4, 3)
    assert x.data.data_ptr() == x.detach()[0].data_ptr()
    weight = nn.Parameter(on_gpu(3))
    weight.data = torch.ones(2, device="cuda")
    weight.data.mul_(3)
    assert weight.tolist() == [3, 3]


@use
def what_is_asked_of_the_gpu_lies_there() -> None:
    x = on_gpu(3)
    made = [torch.zeros(2, device="cuda"), torch.tensor([1.0], device=x.device), torch.full((2,), 1, device=x.device)]
    made += [x.new_tensor([1, 2]), x.new_zeros(2), torch.rand(3).cuda(), torch.rand(3).to(x), torch.zeros_like(x)]
    made += [torch.as_tensor([1.0], device="cuda"), x.to(x), x.double(), torch.tensor(2.0) * x, x[torch.tensor(1)]]
    with torch.device("cuda"):
        made += [torch.zeros(3), nn.Linear(2, 2).weight]
    assert {tensor.device for tensor in made} == {torch.device("cuda", 0)}
    assert {y.device.type for y in (x.to("cpu"), x.cpu(), torch.zeros_like(x, device="cpu"))} == {"cpu"}
    assert x.numpy(force=True).tolist() == x.tolist()
    assert x.to("cuda") is x
    assert bool((x >= 0).all())
    assert float(x.sum()) == x.sum().item()


@use
def random_numbers_are_the_devices_own() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = torch.rand(3, device="cuda")
    assert torch.equal(torch.get_rng_state(), before)  # drawing on the GPU leaves the CPU's alone
    torch.rand(2)
    state = torch.cuda.get_rng_state()
    with torch.random.fork_rng(devices=[0]):
        inside = torch.rand(3, device="cuda")
    assert torch.equal(inside, torch.rand(3, device="cuda"))
    torch.cuda.set_rng_state(state)
    assert torch.equal(inside, torch.rand(3, device="cuda"))
    torch.manual_seed(3)
    assert torch.equal(first, torch.rand(3, device="cuda"))
    generator = torch.Generator("cuda").manual_seed(5)
    assert isinstance(generator, torch.Generator)
    assert isinstance(torch.default_generator, torch.Generator)
    twin = generator.clone_state()
    assert torch.equal(torch.rand(3, generator=generator, device="cuda"), torch.rand(3, generator=twin, device="cuda"))


@use
def a_generators_address_is_used_again() -> None:
    for _ in range(50):
        torch.Generator("cuda")
        torch.rand(2, generator=torch.Generator())


@use
def kernels_and_waits_are_counted_by_line() -> None:
    from genbench.testing.cuda_standin import counts

    x = on_gpu(4)
    counts.on = True
    y = (x * 2).view(2, 2)
    line = sys._getframe().f_lineno - 1
    y.sum().item()
    y[y > 0]
    y.cpu()
    counts.on = False
    (x * 2).nonzero()
    assert counts.kernels == {"aten::mul": 1, "aten::sum": 1, "aten::gt": 1, "aten::index": 1}
    assert counts.where[f"{__name__}:{line}"] == 1
    waits = {"aten::_local_scalar_dense": 2, "aten::index": 3, "copy to the host": 4}
    assert counts.syncs == {f"{name} at {__name__}:{line + after}": 1 for name, after in waits.items()}
    counts.reset()
    assert not counts.kernels + counts.where + counts.syncs


@use
def optimisers_go_on_from_their_state() -> None:
    for fused in (False, True):
        weight = nn.Parameter(on_gpu(3))
        for make in (torch.optim.Adam, torch.optim.SGD, torch.optim.AdamW):
            optimiser = make([weight], lr=0.1, fused=fused)
            weight.grad = torch.ones_like(weight)
            optimiser.step()
            optimiser.load_state_dict(copy.deepcopy(optimiser.state_dict()))
            optimiser.step()
        nn.utils.clip_grad_norm_([weight], 1.0)


@use
def functional_transforms() -> None:
    jacobian = torch.func.vmap(torch.func.jacrev(lambda x: x.square()))(on_gpu(2, 3))
    assert jacobian.shape == (2, 3, 3)
    assert torch.autograd.functional.jacobian(lambda x: x * 2, on_gpu(3)).diagonal().tolist() == [2, 2, 2]
