"""A trained model brought back: a fresh build with the stored state, which is what samples are always drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from genbench.api import Model, Space
from genbench.errors import DamagedError
from genbench.registry.resolve import Resolved
from genbench.store.records import TrialRecord
from genbench.store.trial_folder import TrialFolder
from genbench.trial import sampling, seeding, state
from genbench.trial.checkpoints import modules
from genbench.trial.protocol import MODEL
from genbench.trial.torch_state import settled


def built(resolved: Resolved, space: Space, seed: int, device: torch.device) -> Model:
    """Return a model built as for training, with the seed's own stream."""
    with settled():
        model: Model = resolved.instantiate()
    with settled(), seeding.seeded(seed, "init"):
        model.build(space, device)
    return model


def restored(resolved: Resolved, space: Space, folder: TrialFolder, record: TrialRecord, device: torch.device) -> Model:
    """Return a trial's model in eval mode. Raises DamagedError where what is stored is not what was committed."""
    return filled(resolved, space, record.seed, folder.checked(record, "fit", MODEL), device)


def filled(resolved: Resolved, space: Space, seed: int, path: Path, device: torch.device) -> Model:
    """Return a fresh build with the state in a file, in eval mode."""
    model = built(resolved, space, seed, device)
    state.restore(model, path, device)
    for module in modules(model):
        module.eval()
    return model


def has_samples(record: TrialRecord) -> bool:
    """Return whether samples of this very model are stored, and were not let go."""
    return are_of_model(record) and not record.lacks("samples")


def are_of_model(record: TrialRecord) -> bool:
    """Return whether samples were drawn of this very model, and not of one that was trained again since."""
    stage = record.stages.get("samples")
    return stage is not None and stage.inputs.get("model") == model_digest(record)


def samples(folder: TrialFolder, record: TrialRecord, space: Space) -> Tensor:
    """Return all stored samples, (n, C, H, W). Raises DamagedError where they are not what was committed."""
    return sample_rows(shards(folder, record), space)


def shards(folder: TrialFolder, record: TrialRecord, most: int | None = None) -> list[Path]:
    """Return the files of stored samples in order, or the first few. Raises DamagedError where one is damaged."""
    names = sorted(name for name in record.stages["samples"].files if name.endswith(sampling.SHARD))
    return [folder.checked(record, "samples", name) for name in names[:most]]


def sample_rows(paths: Sequence[Path], space: Space, start: int = 0, stop: int | None = None) -> Tensor:
    """Return stored samples start..stop-1, or all, (n, C, H, W). Raises DamagedError for another shape."""
    stored = sampling.load_shards(paths, start, stop)
    if stored.shape[1:] != space.shape:
        raise DamagedError(f"its stored samples have shape {tuple(stored.shape)}; expected (n, C, H, W)", "samples")
    return stored


def model_digest(record: TrialRecord) -> str:
    """Return the digest of a trial's stored model, which its samples and scores name."""
    digest: str = record.stages["fit"].files[MODEL]["sha256"]
    return digest
