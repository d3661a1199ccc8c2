"""What a metric of a model's density asks for, and nothing else."""

import torch
from torch import Tensor

from genbench.api import Space, Split


class Given:
    """Images to be scored, and the model that they are scored by."""

    device = torch.device("cpu")

    def __init__(self, model: object, images: Tensor, space: Space, seed: int = 0) -> None:
        self.model, self.space, self.seed = model, space, seed
        self.target = Split(images)

    @property
    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)
