"""A file of random weights in the form of the official Inception network."""

from pathlib import Path

import pytest
import torch
from torch import nn


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of random weights of Inception's shapes, whose activations neither vanish nor explode."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Unloaded(FeatureExtractorInceptionV3):
        def load_state_dict(self, state: object) -> None:
            """Stay as torch makes it."""

    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save({}, path)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Unloaded("inception-v3-compat", ["2048"], str(path))
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.bias, std=0.1)
                nn.init.uniform_(module.running_var, 0.5, 2)
    torch.save(network.state_dict(), path)
    return path
