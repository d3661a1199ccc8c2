"""True float32 for products and convolutions, whatever was set before: TF32 keeps three digits, bfloat16 two."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

_OPERATIONS: list[Any] = [
    operation
    for backend, names in (
        (torch.backends.cuda, ("matmul",)),
        (torch.backends.cudnn, ("conv", "rnn")),
        (torch.backends.mkldnn, ("matmul", "conv", "rnn")),
    )
    for operation in (getattr(backend, name, None) for name in names)
    if hasattr(operation, "fp32_precision")
]
"""What has a precision of its own: since torch 2.9; before, there are the two settings of `_older` alone."""


@contextmanager
def kept_precision() -> Iterator[None]:
    """Put back what the settings were at, where they were changed inside.

    Torch refuses to read its older settings where a program has made them disagree with the newer ones, which decide.
    They then disagree afterwards too. A changed precision that an operation had from its backend is its own afterwards.
    """
    older = [(read, write, _readable(read)) for read, write in _OLDER]
    newer = [operation.fp32_precision for operation in _OPERATIONS]
    try:
        yield
    finally:
        for read, write, before in older:
            if _readable(read) != before:
                write(before or "highest")
        for operation, precision in zip(_OPERATIONS, newer, strict=True):
            if operation.fp32_precision != precision:
                operation.fp32_precision = precision


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep products and convolutions in true float32, whatever is set, and put back what was (`kept_precision`)."""
    with kept_precision():
        set_full_precision()
        yield


def set_full_precision() -> None:
    """Set true float32 from now on; the older settings first, since they set the newer ones too."""
    for _, write in _OLDER:
        write("highest")
    for operation in _OPERATIONS:
        operation.fp32_precision = "ieee"


def _read_cudnn() -> str:
    return "high" if torch.backends.cudnn.allow_tf32 else "highest"


def _write_cudnn(precision: str) -> None:
    torch.backends.cudnn.allow_tf32 = precision != "highest"


_OLDER: list[tuple[Callable[[], str], Callable[[str], None]]] = [
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (_read_cudnn, _write_cudnn),
]
"""How the older settings are read and written, of products and of what cuDNN does."""


def _readable(read: Callable[[], str]) -> str | None:
    """Return a setting, or None where torch does not give it."""
    try:
        return read()
    except RuntimeError:
        return None
