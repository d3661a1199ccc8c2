"""Make the weights that are shipped: python benchmarks/extractors/train_domain.py --test digits mnist.

Runs the recipe of `genbench_plugins.extractors.classifier` and prints the accuracy on the validation images, to tune it
by. With --test it is that on the test images, and the weights and their manifest are written beside the plugin.
Original files are found where datasets look for them: GENBENCH_DATA.
"""

from __future__ import annotations

import argparse
import json
import time

import torch
from safetensors.torch import save_file

from genbench import TrainingData
from genbench.data.cache import Prepared, prepare
from genbench.data.folders import cache_folder
from genbench.io import sha256
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.trial.torch_state import known_state
from genbench_plugins.extractors import shipped
from genbench_plugins.extractors.classifier import RECIPE, accuracy, trained
from genbench_plugins.extractors.whole_files import replacing


def prepared(name: str) -> Prepared:
    """Return a dataset by name."""
    resolved = Resolver(load_registry(), cache_folder()).resolve("dataset", name)
    return prepare(resolved.instantiate(), resolved.identity)


def make(name: str, test: bool) -> shipped.Shipped:
    """Train on a dataset; return what is shipped of it, its weights written where the accuracy is that on test."""
    data, started = prepared(name), time.perf_counter()
    with known_state(strict=True, threads=1):
        classifier = trained(TrainingData(data.split("train"), data.split("valid"), data.space))
    split, path = "test" if test else "valid", shipped.FOLDER / f"{name}.safetensors"
    right = accuracy(classifier, data.split("test" if test else "valid"))
    print(f"{name}: {right:.2%} of {split} images right, trained in {time.perf_counter() - started:.0f} s, one thread")
    if not test:
        return shipped.Shipped(name, data.digest, RECIPE, "", right)
    with replacing(path) as aside:
        save_file({key: tensor.contiguous() for key, tensor in classifier.state_dict().items()}, aside)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")
    return shipped.Shipped(name, data.digest, RECIPE, sha256(path), right)


def write_manifest(made: list[shipped.Shipped]) -> None:
    """Write the manifest anew, with what was made in place of what it had of those datasets."""
    all_weights = {**shipped.manifest(), **{weights.name: weights for weights in made}}
    lines = ["# Written by benchmarks/extractors/train_domain.py: accuracy is that on the test images."]
    for name, weights in sorted(all_weights.items()):
        told = {field: getattr(weights, field) for field in ("dataset", "recipe", "sha256", "accuracy")}
        lines += ["", f"[{name}]", *(f"{field} = {json.dumps(value)}" for field, value in told.items())]
    (shipped.FOLDER / "manifest.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Make the weights of the datasets that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", help="names of datasets with labels")
    parser.add_argument("--test", action="store_true", help="look at the test images, and write the weights")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    made = [make(name, asked.test) for name in asked.datasets]
    if asked.test:
        write_manifest(made)


if __name__ == "__main__":
    main()
