"""The recipe of the domain extractor: a small convolutional classifier, and how it is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import genbench
from genbench_plugins.scaling import to_unit

RECIPE = 1
"""Raised when anything here changes the weights that training comes to."""

WIDTH = 64
"""Features of an image: what the last hidden layer says."""

SEED, BATCH, RATE, DECAY = 2014, 100, 3e-3, 1e-4
WARM_UP = 0.1
"""The part of training in which the learning rate rises; then it falls along a cosine."""
EPOCHS, STEPS = 6, 600
"""Training is at least so long by both: 6 epochs of 50,000 images, 60 of 1,000."""


class Classifier(nn.Module):
    """Convolutions that halve the image until it is at most 4 pixels high and wide, a layer of 64, and the classes.

    Strides, not pooling: pooling has no deterministic gradient on every device.
    """

    def __init__(self, space: genbench.Space) -> None:
        super().__init__()
        self.space = space
        channels, *size = space.shape
        fine = max(size) > 16
        layers = [*block(channels, 32, kernel=5 if fine else 3, stride=2 if fine else 1)]
        size, channels = halved(size) if fine else size, 32
        while channels < 64 or max(size) > 4:
            stride = 2 if max(size) > 4 else 1
            layers += block(channels, 64, kernel=3, stride=stride)
            size, channels = halved(size) if stride == 2 else size, 64
        hidden = [nn.Linear(channels * math.prod(size), WIDTH, bias=False), nn.BatchNorm1d(WIDTH), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Flatten(), *hidden)
        self.head = nn.Linear(WIDTH, space.classes or 0)

    def features(self, images: Tensor) -> Tensor:
        """Return what the last hidden layer says, (n, 64)."""
        x: Tensor = self.body(2 * to_unit(images, self.space).view_as(images) - 1)
        return x

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, (n, classes)."""
        x: Tensor = self.head(self.features(images))
        return x


def block(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    """Return a convolution with what follows it."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def halved(size: list[int]) -> list[int]:
    """Return the size of an image after a convolution of stride 2."""
    return [math.ceil(side / 2) for side in size]


def trained(data: genbench.TrainingData) -> Classifier:
    """Return a classifier trained on the training images, on their device: seeded, so the same each time there."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        classifier = Classifier(data.space).to(data.train.images.device)
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=RATE, weight_decay=DECAY)
    with torch.enable_grad():
        for progress, x, labels in batches(data.train, data.space):
            optimiser.param_groups[0]["lr"] = RATE * rate(progress)
            loss = F.cross_entropy(classifier(x), labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return classifier.eval().requires_grad_(False)


def rate(progress: float) -> float:
    """Return the learning rate, as a part of the greatest, at a part of training."""
    return min(progress / WARM_UP, 1.0) * 0.5 * (1 + math.cos(math.pi * progress))


def batches(split: genbench.Split[Tensor], space: genbench.Space) -> Iterator[tuple[float, Tensor, Tensor]]:
    """Yield (part of training that is over, images, labels): in a new order each epoch, a shift of each batch drawn."""
    assert split.labels is not None
    generator = torch.Generator().manual_seed(SEED)
    per_epoch = math.ceil(len(split) / BATCH)
    epochs = max(EPOCHS, math.ceil(STEPS / per_epoch))
    for epoch in range(epochs):
        order = torch.randperm(len(split), generator=generator).to(split.images.device)
        for i, chosen in enumerate(order.tensor_split(per_epoch)):
            progress = (epoch * per_epoch + i + 1) / (epochs * per_epoch)
            yield progress, shifted(split.images[chosen], space, generator), split.labels[chosen]


def shifted(images: Tensor, space: genbench.Space, generator: torch.Generator) -> Tensor:
    """Return images shifted by up to a pixel each way, the least value where they were: (n, C, H, W)."""
    height, width = images.shape[2:]
    top, left = torch.randint(0, 3, (2,), generator=generator).tolist()
    padded = F.pad(images, (1, 1, 1, 1), value=space.bounds[0])
    return padded[:, :, top : top + height, left : left + width]


@torch.no_grad()
def accuracy(classifier: Classifier, split: genbench.Split[Tensor]) -> float:
    """Return the part of a split whose class is found."""
    assert split.labels is not None
    pairs = zip(torch.split(split.images, 1000), torch.split(split.labels, 1000), strict=True)
    right = sum(int((classifier(x).argmax(1) == labels).sum()) for x, labels in pairs)
    return right / len(split)
