"""Real images of digits, MNIST and CIFAR-10: train, test, and the labels of test."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor


def digits() -> tuple[Tensor, Tensor, Tensor]:
    found = load_digits()
    images = torch.tensor(found.images / 16, dtype=torch.float32)[:, None]
    return images[:1000], images[1000:], torch.tensor(found.target)[1000:]


def mnist(folder: Path) -> tuple[Tensor, Tensor, Tensor]:
    raw = folder / "MNIST" / "raw"
    train, test = (
        torch.from_numpy(np.fromfile(raw / f"{part}-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 1, 28, 28)) / 255
        for part in ("train", "t10k")
    )
    return train[:20_000], test, torch.from_numpy(np.fromfile(raw / "t10k-labels-idx1-ubyte", np.uint8)[8:])


def cifar10(folder: Path) -> tuple[Tensor, Tensor, Tensor]:
    train, test = (np.load(folder / "cifar10" / f"{part}.npz") for part in ("train-0", "test"))
    images = (torch.from_numpy(part["images"].transpose(0, 3, 1, 2)) / 255 for part in (train, test))
    return (*images, torch.from_numpy(test["labels"]))


def image_sets(name: str, request: pytest.FixtureRequest) -> tuple[Tensor, Tensor, Tensor]:
    if name == "digits":
        return digits()
    return {"mnist": mnist, "cifar10": cifar10}[name](request.getfixturevalue("real_data"))
