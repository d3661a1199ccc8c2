"""Measure training steps per second beside the loop that tutorials show: python benchmarks/speed/training.py.

Both train the same networks with the same optimiser and batch, on the same images of MNIST's size, in turn in one
process. The tutorial's loop takes shuffled batches from a DataLoader on torchvision's MNIST, one after another, and
does what a reader would write from the paper: for the GAN torch's own dropout, a step of D on a real and a generated
batch, then a step of G through the new D. Ours is the model as it comes, run by the harness: all images on the device.
The VAE has the sizes of torch's own example.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from genbench.api import Model, Space, Split, TrainingData
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.trial import seeding
from genbench.trial.torch_state import known_state
from genbench.trial.training import TrainingRun
from genbench_plugins.networks import Dropout

SPACE = Space((1, 28, 28))
MODELS = {"gan": "gan@paper[epochs=1]", "vae": "vae[hidden=[400],latent=20,epochs=1]"}


def images(n: int, device: torch.device) -> TrainingData:
    """Return images of MNIST's size, with values at random."""
    x = torch.rand(n, *SPACE.shape, generator=torch.Generator().manual_seed(0)).to(device)
    return TrainingData(Split(x), Split(x[:100]), SPACE)


def built(text: str, device: torch.device) -> Any:
    """Return a model with its first weights."""
    model = Resolver(load_registry(), None).resolve("model", text).instantiate()
    with seeding.seeded(0, "init"):
        model.build(SPACE, device)
    return model


def ours(model: Model, data: TrainingData, device: torch.device) -> None:
    """Train for an epoch, as a trial does."""
    with known_state(True, torch.get_num_threads()), seeding.seeded(0, "fit"):
        model.fit(data, TrainingRun(0, device))


class Digits(MNIST):
    """Torchvision's MNIST, item by item as it is, of images already in memory."""

    def __init__(self, images: Tensor) -> None:
        self.data = (images * 255).round().byte().squeeze(1).cpu()  # (n, 28, 28)
        self.targets = torch.zeros(len(images), dtype=torch.int64)
        self.transform, self.target_transform = ToTensor(), None


def loader(data: TrainingData, batch: int, device: torch.device) -> Iterator[Tensor]:
    """Yield shuffled batches by torch's loader, moved to the device."""
    for x, _ in DataLoader(Digits(data.train.images), batch, shuffle=True):
        yield x.to(device)


def with_own_dropout(network: nn.Module) -> nn.Module:
    """Return the network with torch's dropout in place of ours."""
    for name, child in network.named_children():
        setattr(network, name, nn.Dropout(child.p) if isinstance(child, Dropout) else with_own_dropout(child))
    return network


def tutorial_gan(model: Any, data: TrainingData, device: torch.device) -> None:
    """Train adversarial nets for an epoch as tutorials do."""
    G, D, bce = model.G_.train(), with_own_dropout(model.D_).train(), binary_cross_entropy_with_logits
    optimise_D, optimise_G = (torch.optim.SGD(net.parameters(), model.lr, model.momentum) for net in (D, G))
    for x in loader(data, model.batch, device):
        real, fake = torch.ones(len(x), device=device), torch.zeros(len(x), device=device)
        z = math.sqrt(3) * (2 * torch.rand(len(x), model.latent, device=device) - 1)
        generated = G(z)
        optimise_D.zero_grad()
        d = (bce(D(x), real) + bce(D(generated.detach()), fake)) / 2
        d.backward()
        optimise_D.step()
        optimise_G.zero_grad()
        g = bce(D(generated), real)
        g.backward()
        optimise_G.step()
        d.item(), g.item()  # tutorials print them


def tutorial_vae(model: Any, data: TrainingData, device: torch.device) -> None:
    """Train a variational autoencoder for an epoch as tutorials do."""
    encoder, decoder = model.encoder_.train(), model.decoder_.train()
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], model.lr)
    for x in loader(data, model.batch, device):
        x = x.flatten(1)
        mu, log_var = encoder(x).chunk(2, 1)
        z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        reconstruction = ((torch.sigmoid(decoder(z)) - x) ** 2).sum() / (2 * model.sigma**2)
        kl = -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp())
        optimiser.zero_grad()
        loss = (reconstruction + kl) / len(x)
        loss.backward()
        optimiser.step()
        loss.item()


TUTORIALS: dict[str, Callable[..., None]] = {"gan": tutorial_gan, "vae": tutorial_vae}


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return how long one call takes, until the device is done."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Time all in turn and print steps per second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, default=100, help="steps of one measurement")
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    data = images(100 * given.steps, device)
    print(f"torch {torch.__version__}, {device}, {given.threads} thread(s); {given.steps} steps of 100 images of 784")
    for name, text in MODELS.items():
        pairs = []
        for _ in range(given.repeats + 1):
            mine, theirs = built(text, device), built(text, device)
            pairs.append(
                (
                    seconds(lambda m=mine: ours(m, data, device), device),  # type: ignore[misc]
                    seconds(lambda m=theirs, n=name: TUTORIALS[n](m, data, device), device),  # type: ignore[misc]
                )
            )
        report(name, pairs[1:], given.steps)


def report(name: str, pairs: list[tuple[float, float]], steps: int) -> None:
    """Print the medians; the first pair, which warms up, is not among them."""
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = [b / a for a, b in pairs]
    print(
        f"{name}: genbench {steps / mine:.1f} steps/s, tutorial {steps / theirs:.1f}; {statistics.median(ratios):.2f} "
        f"times as fast ({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
