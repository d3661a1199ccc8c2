"""Mistakes that CUDA refuses, each with its sound twin; what the stand-in alone cannot do, too."""

import contextlib
import copy
import os
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

MISTAKES: dict[str, tuple[Callable[[bool], Any], str]] = {}


def mistake(saying: str):
    """Note a function that makes a mistake when told so, and how CUDA refuses it."""

    def note(function: Callable[[bool], Any]) -> Callable[[bool], Any]:
        MISTAKES[function.__name__] = (function, saying)
        return function

    return note


def on_gpu(*shape: int, **more: Any) -> torch.Tensor:
    return torch.rand(*shape, device="cuda", **more)


TWO_DEVICES = "RuntimeError: Expected all tensors to be on the same device, but found at least two devices"
NOT_DETERMINISTIC = "RuntimeError: .* does not have a deterministic implementation"
ASSERTED = "(AcceleratorError|RuntimeError): CUDA error: device-side assert triggered"


# Devices


@mistake(TWO_DEVICES)
def device_forgotten(wrong: bool) -> None:
    noise = torch.randn(4) if wrong else torch.randn(4, device="cuda")
    on_gpu(4) + noise


@mistake(TWO_DEVICES)
def number_with_a_dimension(wrong: bool) -> None:
    on_gpu(4) * (torch.tensor([2.0]) if wrong else torch.tensor(2.0))


@mistake(TWO_DEVICES)
def network_left_on_the_cpu(wrong: bool) -> None:
    network = nn.Sequential(nn.Linear(4, 2), nn.ReLU())
    (network if wrong else network.cuda())(on_gpu(3, 4))  # .cuda() is no mistake where a GPU is


@mistake(TWO_DEVICES)
def concatenated(wrong: bool) -> None:
    torch.cat([on_gpu(2), torch.rand(2) if wrong else torch.rand(2).to("cuda")])


@mistake(TWO_DEVICES)
def embedding_of_the_cpus_labels(wrong: bool) -> None:
    labels = torch.tensor([0, 1])
    nn.Embedding(3, 2, device="cuda")(labels if wrong else labels.cuda())


@mistake(TWO_DEVICES)
def added_into_the_cpu(wrong: bool) -> None:
    total = torch.zeros(3)
    total.add_(on_gpu(3)) if wrong else total.copy_(on_gpu(3))
    assert total.copy_(on_gpu(3)).numpy().any()


@mistake(TWO_DEVICES)
def number_added_into_the_cpu(wrong: bool) -> None:
    total = torch.tensor(0.0)
    total += on_gpu(3).sum() if wrong else on_gpu(3).sum().cpu()


@mistake(TWO_DEVICES)
def written_out_to_the_cpu(wrong: bool) -> None:
    torch.mul(on_gpu(3), 2, out=torch.empty(3) if wrong else torch.empty(3, device="cuda"))


@mistake(TWO_DEVICES)
def searched_in_the_cpus_edges(wrong: bool) -> None:
    edges = torch.linspace(0, 1, 5)
    torch.bucketize(on_gpu(4), edges if wrong else edges.to("cuda:0"))


@mistake("RuntimeError: indices should be either on cpu or on the same device as the indexed tensor")
def index_of_the_other_device(wrong: bool) -> None:
    rows = torch.tensor([1, 0])
    torch.rand(3)[rows.cuda()] if wrong else on_gpu(3)[rows]


@mistake("RuntimeError: indices should be either on cpu or on the same device as the indexed tensor")
def values_of_the_other_device_put(wrong: bool) -> None:
    x = on_gpu(3)
    x[torch.tensor([0, 1], device="cuda")] = torch.zeros(2) if wrong else torch.tensor(0.0)


@mistake("RuntimeError: .*grad")
def gradient_of_the_other_device(wrong: bool) -> None:
    x = on_gpu(3).requires_grad_()
    x.grad = torch.zeros(3) if wrong else torch.zeros_like(x)


@mistake("RuntimeError: CUDA error: invalid device ordinal")
def second_gpu(wrong: bool) -> None:
    torch.cuda.set_device(1 if wrong else torch.cuda.current_device())


# The host's memory


@mistake("TypeError: can't convert cuda:0 device type tensor to numpy")
def numpy_of_the_gpu(wrong: bool) -> None:
    x = on_gpu(3)
    (x if wrong else x.cpu()).numpy()


@mistake("TypeError: can't convert cuda:0 device type tensor to numpy")
def array_of_the_gpu(wrong: bool) -> None:
    import numpy as np

    np.asarray(on_gpu(3) if wrong else on_gpu(3).tolist())


# Random numbers


@mistake("RuntimeError: Expected a 'cuda' device type for generator but found 'cpu'")
def generator_of_the_cpu(wrong: bool) -> None:
    generator = torch.Generator() if wrong else torch.Generator("cuda")
    torch.randn(3, generator=generator, device="cuda")


@mistake("RuntimeError: Expected a 'cpu' device type for generator but found 'cuda'")
def generator_of_the_gpu(wrong: bool) -> None:
    generator = torch.Generator("cuda")
    torch.randperm(3, generator=generator, device="cpu" if wrong else generator.device)


@mistake("RuntimeError: Expected a 'cuda' device type for generator but found 'cpu'")
def generator_of_the_cpu_in_place(wrong: bool) -> None:
    on_gpu(3).normal_(generator=torch.Generator("cpu" if wrong else "cuda"))


@mistake("RuntimeError: RNG state is wrong size")
def state_of_the_other_generator(wrong: bool) -> None:
    torch.Generator("cuda").set_state(torch.Generator("cpu" if wrong else "cuda").get_state())


@mistake("RuntimeError: RNG state is wrong size")
def global_state_of_the_cpu(wrong: bool) -> None:
    state = torch.cuda.get_rng_state()
    torch.cuda.set_rng_state(torch.get_rng_state() if wrong else state)


# Determinism


def deterministically(function: Callable[[], Any]) -> Any:
    torch.set_deterministic_debug_mode("error")
    return function()


@mistake(NOT_DETERMINISTIC)
def pooling_backward(wrong: bool) -> None:
    x = on_gpu(1, 2, 8, 8).requires_grad_()
    pooled = nn.functional.adaptive_avg_pool2d(x, 2) if wrong else nn.functional.avg_pool2d(x, 4)
    deterministically(pooled.sum().backward)


@mistake(NOT_DETERMINISTIC)
def weighted_bincount(wrong: bool) -> None:
    deterministically(lambda: on_gpu(5).long().bincount(on_gpu(5) if wrong else None))


@mistake(NOT_DETERMINISTIC)
def median_with_places(wrong: bool) -> None:
    deterministically(lambda: on_gpu(3, 5).median(1) if wrong else on_gpu(3, 5).median())


@mistake(NOT_DETERMINISTIC)
def histogram(wrong: bool) -> None:
    deterministically(lambda: on_gpu(9).histc(3) if wrong else (on_gpu(9) * 3).long().bincount(minlength=3))


@mistake(NOT_DETERMINISTIC)
def product_scattered(wrong: bool) -> None:
    rows = torch.zeros(3, dtype=torch.long, device="cuda")
    deterministically(lambda: on_gpu(2).scatter_reduce(0, rows, on_gpu(3), "prod" if wrong else "sum"))


@mistake("RuntimeError: Deterministic behavior was enabled .* CUBLAS_WORKSPACE_CONFIG")
def cublas_told_too_late(wrong: bool) -> None:
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = "" if wrong else ":4096:8"  # genbench sets it where it is not set
    on_gpu(2, 2) @ on_gpu(2, 2)  # where torch looks, once
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    deterministically(lambda: on_gpu(2, 2) @ on_gpu(2, 2))


@mistake("UserWarning: aten::histc does not have a deterministic implementation")
def warned_where_warnings_are_asked_for(wrong: bool) -> None:
    torch.set_deterministic_debug_mode("warn" if wrong else "default")
    on_gpu(9).histc(3)


# Kernels


@mistake('NotImplementedError: "mm_cuda" not implemented for .torch.int64')
def product_of_whole_numbers(wrong: bool) -> None:
    x = torch.eye(2, device="cuda", dtype=torch.long if wrong else torch.float64)
    x @ x


@mistake("RuntimeError: .* must have same dtype, device, and layout")
def fused_optimiser_over_unequal_strides(wrong: bool) -> None:
    weight = nn.Parameter(on_gpu(3, 4))
    optimiser = torch.optim.Adam([weight], fused=True)
    weight.grad = on_gpu(3, 4)
    optimiser.step()
    if wrong:
        weight.grad = on_gpu(4, 3).t()
    optimiser.step()


@mistake(TWO_DEVICES)
def fused_optimisers_steps_on_the_cpu(wrong: bool) -> None:
    weight = nn.Parameter(on_gpu(3, 4))
    optimiser = torch.optim.Adam([weight], fused=True)
    weight.grad = on_gpu(3, 4)
    optimiser.step()
    if wrong:
        optimiser.state[weight]["step"] = optimiser.state[weight]["step"].cpu()
    optimiser.step()


@mistake(ASSERTED)
def index_out_of_range(wrong: bool) -> None:
    on_gpu(3)[torch.tensor([0, 3 if wrong else 2], device="cuda")]


@mistake(ASSERTED)
def label_out_of_range(wrong: bool) -> None:
    labels = torch.tensor([0, 5 if wrong else 2], device="cuda")
    nn.functional.cross_entropy(on_gpu(2, 3), labels)


@mistake(ASSERTED)
def embedding_out_of_range(wrong: bool) -> None:
    nn.Embedding(3, 2, device="cuda")(torch.tensor([3 if wrong else 2], device="cuda"))


@mistake(ASSERTED)
def gathered_out_of_range(wrong: bool) -> None:
    on_gpu(3).gather(0, torch.tensor([3 if wrong else 2], device="cuda"))


@mistake(ASSERTED)
def selected_out_of_range(wrong: bool) -> None:
    on_gpu(3).index_select(0, torch.tensor([3 if wrong else 2], device="cuda"))


@mistake(ASSERTED)
def added_out_of_range(wrong: bool) -> None:
    on_gpu(3).index_add(0, torch.tensor([3 if wrong else 2], device="cuda"), on_gpu(1))


@mistake(ASSERTED)
def drawn_of_no_distribution(wrong: bool) -> None:
    torch.tensor([0.5, -1.0 if wrong else 1.0], device="cuda").multinomial(1)


@mistake(ASSERTED)
def cross_entropy_of_no_probability(wrong: bool) -> None:
    nn.functional.binary_cross_entropy(on_gpu(3) + (2 if wrong else 0), on_gpu(3))


@mistake(ASSERTED)
def used_after_an_assertion(wrong: bool) -> None:
    x = on_gpu(3)
    with contextlib.suppress(IndexError, RuntimeError):
        x[torch.tensor([3], device="cuda") if wrong else 3]  # the host looks at a number: the context stays alive
    x.cpu()


@mistake(ASSERTED)
def synchronised_after_an_assertion(wrong: bool) -> None:
    try:
        on_gpu(3)[torch.tensor([3 if wrong else 2], device="cuda")]
    except RuntimeError:
        torch.ones(2) + 1  # the CPU goes on
    torch.cuda.synchronize()


@mistake("OutOfMemoryError: CUDA out of memory. Tried to allocate 1.00 MiB")
def more_than_there_is(wrong: bool) -> None:
    from genbench.testing.cuda_standin import memory

    memory.limit = 2**20 + 4096
    kept = on_gpu(2**10)
    first = on_gpu(2**18 if wrong else 2**10)
    if wrong:
        del first
        kept = kept[:4].clone()
        kept = on_gpu(2**18), kept  # there is room again
    on_gpu(2**18 if wrong else 2**10)


@mistake("OutOfMemoryError: CUDA out of memory")
def more_than_ones_share(wrong: bool) -> None:
    torch.cuda.set_per_process_memory_fraction(1e-6)
    on_gpu(2**20 if wrong else 2**10)


@mistake("RuntimeError: No CUDA GPUs are available")
def gpu_hidden(wrong: bool) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = "" if wrong else "0"
    assert torch.cuda.is_available() != wrong
    torch.cuda.init()


# What the stand-in itself cannot do


@mistake("StandInLimit: the stand-in for CUDA has no torch.cuda.Stream")
def limit_streams(wrong: bool) -> None:
    torch.cuda.Stream() if wrong else torch.cuda.synchronize()


@mistake("StandInLimit: the stand-in for CUDA has no torch.sparse_coo tensors")
def limit_sparse_tensors(wrong: bool) -> None:
    on_gpu(2, 2).to_sparse() if wrong else torch.rand(2, 2).to_sparse()


@mistake("StandInLimit: the stand-in for CUDA has no aten::_cudnn_rnn_flatten_weight")
def limit_operators_of_cuda_alone(wrong: bool) -> None:
    if wrong:
        torch._cudnn_rnn_flatten_weight([on_gpu(8, 3), on_gpu(8, 2)], 2, 3, 2, 2, 0, 1, False, False)


@mistake("StandInLimit: the stand-in for CUDA cannot pickle a tensor on the GPU")
def limit_pickling(wrong: bool) -> None:
    copy.copy(on_gpu(2) if wrong else torch.rand(2))


@mistake("StandInLimit: the stand-in for CUDA cannot turn a tensor on the CPU into one on the GPU by .data")
def limit_data_of_the_other_device(wrong: bool) -> None:
    x = torch.rand(3)
    x.data = on_gpu(3) if wrong else torch.rand(4)


@mistake("StandInLimit: the stand-in for CUDA cannot resize a tensor in place")
def limit_resizing(wrong: bool) -> None:
    on_gpu(3).resize_(5 if wrong else 3)
