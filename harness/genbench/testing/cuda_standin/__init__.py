"""A stand-in for a CUDA device, for machines without: torch believes in one GPU, whose values lie in host memory.

    from genbench.testing import cuda_standin
    cuda_standin.install()  # directly after torch is imported, in a process that ends with the test

From then on `torch.device("cuda")` works as on one GPU: autograd, optimisers, generators, `torch.cuda`'s own Python.
Operations run on the CPU, and what CUDA refuses is refused, with CUDA's words: tensors of two devices, a generator or
generator's state of the other device, `.numpy()`, operations without a deterministic form where one is asked for,
products in deterministic mode without CUBLAS_WORKSPACE_CONFIG (looked up once), products of whole numbers, fused
optimisers over unequal strides, more memory than `memory.limit`. An index out of range is an assertion on the device:
that call and all later ones of the process fail. `counts` counts kernels and waits of the host, by operation and line.

It cannot show other rounding, other random numbers, speed, whether kernels truly repeat, real memory (workspaces and
the allocator's share), cuDNN, streams and graphs, `torch.compile`, several GPUs, or threads other than the one that
installs it. The device "meta" is taken for the GPU, unless that is hidden. What it cannot carry raises StandInLimit:
that says nothing of a real GPU. It leans on torch's insides: it is made for torch 2.11 and later, tried with 2.14.

It needs torch and the standard library alone. How it works: `tensors` is a subclass that C++ sees on "meta", where
autograd runs and no kernel can run by mistake; `operations` sees every call of an operator, those of backward too.
"""

from genbench.testing.cuda_standin.counting import counts
from genbench.testing.cuda_standin.installing import install
from genbench.testing.cuda_standin.memory import memory
from genbench.testing.cuda_standin.standin_limits import StandInLimit, limit_behind

__all__ = ["OLDEST", "StandInLimit", "counts", "install", "limit_behind", "memory"]

OLDEST = (2, 11)
"""The oldest torch that it is made for."""
