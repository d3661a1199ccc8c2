"""Images made elsewhere in the place of a model: nothing is learned, and its samples are theirs, in random order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from genbench.api import Model, Run, Space, TrainingData, setting
from genbench.data import file_state, images
from genbench.errors import Unsupported

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(eq=False)
class GivenImages(Model):
    """Images made elsewhere. contents are the digests of the images of all seeds; those at `path` are this seed's.

    samples are what their maker says they are; size is what they are resized to, 0 for as they are; state is what the
    images were in when they were digested.
    """

    version: ClassVar[int] = 2  # 1 took the first of a file
    sample_batch: ClassVar[int] = images.BATCH

    contents: tuple[str, ...] = ()
    declared: str = ""
    size: int = 0
    path: str = setting("")
    state: str = setting("")

    def build(self, space: Space, device: torch.device) -> None:
        """Open nothing yet: metrics may ask for no samples."""
        self._space, self._device = space, device
        self._images: images.Images | None = None

    def fit(self, data: TrainingData, run: Run) -> None:
        """Learn nothing."""

    def given(self, start: int, stop: int) -> Tensor:
        """Return images start..stop-1 or to the last one, (n, C, H, W). Raises ChangedError, Unsupported, DataError."""
        import torch

        if self._images is None:
            self._unchanged = file_state.Unchanged(Path(self.path), self.state)
            self._images = self._opened()
        if start >= self._images.count:
            raise Unsupported(f"{self._images.count} images were given, and more are asked for; give more images")
        try:
            found = torch.from_numpy(self._images.read(start, stop))
        finally:  # also where one cannot be read for that; those alone, since a folder of many is long to look through
            self._unchanged.check(self._images.files(start, stop))
        return found.to(self._device)

    @property
    def count(self) -> int:
        """How many images there are."""
        return (self._images or self._opened()).count

    def _opened(self) -> images.Images:
        return images.opened(Path(self.path), self._space, self.size)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return the first n images."""
        return self.given(0, n)
