"""The one state of torch that every trial runs in, whatever its caller or the trial before it has switched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from genbench.errors import DeviceError, printable
from genbench.numerics.precision import kept_precision, set_full_precision
from genbench.trial.gpu import is_out_of_memory

CPU = torch.device("cpu")
DEVICES = ("cpu", "cuda")
CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


class Switch(NamedTuple):
    """A switch of torch's for the whole process: how it is read and set, and its value in a trial."""

    read: Callable[[], Any]
    set: Callable[[Any], object]
    value: Any


def _attribute(owner: Any, name: str, value: Any) -> Switch:
    return Switch(lambda: getattr(owner, name), lambda new: setattr(owner, name, new), value)


def _switches() -> list[Switch]:
    products, filling = torch.backends.cuda.matmul, torch.utils.deterministic
    return [
        Switch(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        Switch(_default_device, _set_default_device, None),
        Switch(_anomalies, lambda pair: torch.autograd.set_detect_anomaly(*pair), (False, True)),
        _attribute(torch.backends.cudnn, "enabled", True),
        _attribute(torch.backends.cudnn, "benchmark", False),
        _attribute(products, "allow_fp16_reduced_precision_reduction", True),
        _attribute(products, "allow_bf16_reduced_precision_reduction", True),
        *([_attribute(products, name, False)] if hasattr(products, name := "allow_fp16_accumulation") else []),
        *(_kernels_of_attention()),
        Switch(torch._C._get_mkldnn_enabled, torch._C._set_mkldnn_enabled, True),
        *(
            Switch(partial(torch.is_autocast_enabled, d), partial(torch.set_autocast_enabled, d), False)
            for d in DEVICES
        ),
        # Filling costs 2 s of imports, and hides nothing here.
        _attribute(filling, "fill_uninitialized_memory", False),
    ]


def _kernels_of_attention() -> list[Switch]:
    """Return which kernels scaled_dot_product_attention may take: all of them."""
    backend: Any = torch.backends.cuda
    kinds = ("flash", "mem_efficient", "math", "cudnn")
    known = [kind for kind in kinds if hasattr(backend, f"{kind}_sdp_enabled")]
    return [Switch(getattr(backend, f"{k}_sdp_enabled"), getattr(backend, f"enable_{k}_sdp"), True) for k in known]


def _anomalies() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _default_device() -> torch.device | None:
    """Return what `torch.set_default_device` was called with last in this thread; `with torch.device(...)` is apart."""
    context = getattr(getattr(torch, "_GLOBAL_DEVICE_CONTEXT", None), "device_context", None)
    return None if context is None else context.device


def _set_default_device(device: torch.device | None) -> None:
    if device != _default_device():  # torch refuses to inside `with torch.device(...)`
        torch.set_default_device(device)


_settle: list[Callable[[], None]] = []
"""What puts the switches where they belong, of each `known_state` that was entered and not left; the last counts."""


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """Import or build a plugin inside: what that switches in torch and numpy does not last.

    What a module switches when it is imported would otherwise hold for the first trial of a process, and not for the
    next. Outside `known_state` torch's switches are the caller's own.
    """
    gradients, errors = torch.is_grad_enabled(), np.geterr()
    try:
        yield
    finally:
        torch.set_grad_enabled(gradients)
        np.seterr(**errors)
        if _settle:
            _settle[-1]()


@contextlib.contextmanager
def known_state(strict: bool, threads: int, device: torch.device = CPU) -> Iterator[None]:
    """Run in the state that is the same for every trial; put back what was there, also after an error.

    One thing is not put back, since torch does not give it: denormal numbers are kept afterwards.

    Set are: true float32, deterministic algorithms, the number of threads, the default dtype and device, gradients on,
    no autocast, no inference mode, numpy's handling of floating-point errors; of CUDA the present device. Put back too
    are the working folder and the environment variables. strict refuses an operation that has no deterministic form;
    otherwise it warns. The number of threads is fixed since one and two threads give different bits.

    Raises DeviceError where a GPU does not answer, or cuBLAS can no longer be made to repeat its bits in this process.
    """
    from threadpoolctl import threadpool_limits

    mode = "error" if strict else "warn"
    switches = [
        *_switches(),
        Switch(torch.get_num_threads, torch.set_num_threads, threads),
        Switch(torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, mode),
    ]

    def settle_all() -> None:
        set_full_precision()
        for switch in switches:
            switch.set(switch.value)
        torch.set_flush_denormal(False)

    with (
        kept_precision(),
        _kept(switches),
        _kept_process(),
        threadpool_limits(threads),
        np.errstate(all="warn", under="ignore"),
    ):
        settle_all()
        _settle.append(settle_all)
        try:
            with _plain_thread(), _entered(device):
                yield
        finally:
            _settle.pop()
            torch.set_flush_denormal(False)  # cannot be read


@contextlib.contextmanager
def kept_state() -> Iterator[None]:
    """Put back torch's switches, gradients and numpy's errors as they were, which an imported plugin may change."""
    gradients = torch.is_grad_enabled()
    with kept_precision(), _kept(_switches()), np.errstate():
        try:
            yield
        finally:
            torch.set_grad_enabled(gradients)


@contextlib.contextmanager
def _kept(switches: list[Switch]) -> Iterator[None]:
    """Put back what the switches are at."""
    before = [switch.read() for switch in switches]
    try:
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            if switch.read() != value:
                switch.set(value)


@contextlib.contextmanager
def _kept_process() -> Iterator[None]:
    """Put back the working folder and the environment variables."""
    folder, variables = os.getcwd(), dict(os.environ)
    try:
        yield
    finally:
        os.chdir(folder)
        if os.environ != variables:
            os.environ.clear()
            os.environ.update(variables)


@contextlib.contextmanager
def _plain_thread() -> Iterator[None]:
    """Leave, in this thread, the modes of torch that its caller may be in."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        if torch.empty(0).device.type != "cpu":  # inside `with torch.device(...)`, which no switch leaves
            stack.enter_context(torch.device("cpu"))
        yield


@contextlib.contextmanager
def _entered(device: torch.device) -> Iterator[None]:
    """Make a GPU the present one, so that CUDA's own generators are its."""
    if device.type != "cuda":
        yield
        return
    with torch.cuda.device(torch.cuda.current_device() if device.index is None else device.index):
        _check_repeatable()
        yield


def _check_repeatable() -> None:
    """Raise DeviceError where the GPU does not answer, or cuBLAS was used before CUBLAS_WORKSPACE_CONFIG was set."""
    with _deterministic_errors():
        try:
            one = torch.ones(1, 1, device="cuda")
            one.mm(one)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            if CUBLAS not in str(error):
                raise DeviceError(
                    f"the GPU cannot be used in this process: {printable(error)}; use --engine process, or start again"
                ) from error
            raise DeviceError(
                f"this process multiplied on the GPU before {CUBLAS} was set, so that no trial in it repeats its bits; "
                f"use --engine process, or set {CUBLAS}=:4096:8 before Python starts"
            ) from error


@contextlib.contextmanager
def _deterministic_errors() -> Iterator[None]:
    mode = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("error")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
