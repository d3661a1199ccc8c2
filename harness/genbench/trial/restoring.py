"""A trained model brought back: a fresh build with the stored state, which is what samples are always drawn from."""

from __future__ import annotations

import torch

from genbench.api import Model, Space
from genbench.registry.resolve import Resolved
from genbench.store.folder import TrialFolder
from genbench.store.records import TrialRecord
from genbench.trial import seeding, state
from genbench.trial.checkpoints import modules
from genbench.trial.protocol import MODEL


def built(resolved: Resolved, space: Space, seed: int, device: torch.device) -> Model:
    """Return a model built as for training, with the seed's own stream."""
    model: Model = resolved.instantiate()
    with seeding.seeded(seed, "init"):
        model.build(space, device)
    return model


def restored(resolved: Resolved, space: Space, folder: TrialFolder, record: TrialRecord, device: torch.device) -> Model:
    """Return a trial's model in eval mode. Raises DamagedError where what is stored is not what was committed."""
    model = built(resolved, space, record.seed, device)
    state.restore(model, folder.checked(record, "fit", MODEL), device)
    for module in modules(model):
        module.eval()
    return model


def model_digest(record: TrialRecord) -> str:
    """Return the digest of a trial's stored model, which its samples and scores name."""
    digest: str = record.stages["fit"].files[MODEL]["sha256"]
    return digest
