"""Images that are held in memory, kept as files that every process can read."""

from __future__ import annotations

import io
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from genbench import files
from genbench.data.folders import cache_folder
from genbench.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path


@runtime_checkable
class Array(Protocol):
    """What numpy can make an array of: its own arrays, tensors of torch and of others."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the values as an array of numpy's."""


def stored(images: Array, who: str) -> Path:
    """Return the file in the cache folder that holds images, (n, C, H, W) or (n, H, W, C), named by its content.

    Raises RequestError where they are no numbers.
    """
    import numpy as np

    tensor: Any = images
    if hasattr(tensor, "detach"):  # torch makes no array of what has a gradient or lies on a GPU, nor of bfloat16
        tensor = tensor.detach().cpu()
        tensor = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
    values = np.ascontiguousarray(tensor)
    if values.dtype.kind not in "buif":
        raise RequestError(f"{who}: an array of {values.dtype}; expected images, uint8 or floats")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(values))
    digest = sha256(header.getbuffer())
    digest.update(values.data.cast("B") if values.size else b"")
    path = cache_folder() / "given" / f"{digest.hexdigest()}.npy"
    if not (path.is_file() and files.sha256(path) == digest.hexdigest()):
        files.make_folder(path.parent)
        with files.replacing(path) as beside, beside.open("wb") as file:
            file.write(header.getbuffer())
            file.write(values.data.cast("B") if values.size else b"")
    return path
