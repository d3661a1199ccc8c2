"""Samples on the disk: no larger than their bits need, read back bit for bit, and refused where they do not fit."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from genbench.trial.sampling import load_shards, save_shard

RANDOM = np.random.default_rng(3)
N, SHAPE = 40, (3, 7, 5)


def uniform() -> np.ndarray:
    return RANDOM.random((N, *SHAPE), dtype=np.float32)


def of_table(values: np.ndarray) -> np.ndarray:
    return RANDOM.choice(values.astype(np.float32), (N, *SHAPE))


CASES = {
    "random": (uniform, 4),
    "k/255": (lambda: of_table(np.arange(256, dtype=np.float32) / np.float32(255)), 1),
    "k * (1/255)": (lambda: of_table(np.arange(256, dtype=np.float32) * np.float32(1 / 255)), 1),
    "k/16": (lambda: of_table(np.arange(17) / 16), 1),
    "-1 to 1": (lambda: of_table(np.arange(256) / 127.5 - 1), 1),
    "binary": (lambda: of_table(np.array([0, 1])), 1 / 8),
    "constant": (lambda: of_table(np.array([0.1])), 1 / 8),
    "both zeros": (lambda: of_table(np.array([0.0, -0.0, 1.0])), 1),
    "least and greatest": (lambda: of_table(np.array([1e-45, 3.4e38, -1e-38])), 1),
    "257 values": (lambda: of_table(np.arange(257)), 4),
    "one value more in the last image": (lambda: np.concatenate([of_table(np.arange(256)), uniform()[:1]]), 4),
}


@pytest.mark.parametrize("name", CASES)
def test_samples_come_back_bit_for_bit_and_take_no_more_room_than_they_need(name: str, tmp_path: Path) -> None:
    make, each = CASES[name]
    images = make()
    save_shard(tmp_path / "x", torch.from_numpy(images))
    found = load_shards([tmp_path / "x"])
    assert (found.dtype, tuple(found.shape)) == (torch.float32, images.shape)
    assert found.numpy().tobytes() == images.tobytes()
    assert load_shards([tmp_path / "x"], 11, 29).numpy().tobytes() == images[11:29].tobytes()
    assert load_shards([tmp_path / "x"], 99, 120).shape == (0, *SHAPE)
    padding = len(images)  # a row of bits ends with a byte
    assert (tmp_path / "x").stat().st_size <= images.size * each + padding + 256 * 4 + 400


def test_files_packed_and_not_are_read_together(tmp_path: Path) -> None:
    parts = [uniform(), of_table(np.array([0, 1])), of_table(np.arange(9))]
    for i, part in enumerate(parts):
        save_shard(tmp_path / str(i), torch.from_numpy(part))
    save_file({"samples": torch.from_numpy(parts[0])}, tmp_path / "0")  # as they were once all stored
    whole = np.concatenate(parts)
    paths = [tmp_path / str(i) for i in range(3)]
    assert np.array_equal(load_shards(paths).numpy(), whole)
    assert np.array_equal(load_shards(paths, 35, 95).numpy(), whole[35:95])


def test_no_samples_at_all_are_stored_as_they_are(tmp_path: Path) -> None:
    save_shard(tmp_path / "x", torch.zeros(0, *SHAPE))
    assert load_shards([tmp_path / "x"]).shape == (0, *SHAPE)


GOOD = {
    "codes": torch.zeros(4, 6, dtype=torch.uint8),
    "values": torch.tensor([0.5, 1.0]),
    "shape": torch.tensor([1, 2, 3]),
}
BAD = {
    "a number without a value": ({"codes": GOOD["codes"] + 2}, "no value in its table"),
    "another width": ({"shape": torch.tensor([1, 2, 4])}, "6 bytes for each"),
    "an image that would fill the memory": ({"shape": torch.tensor([1, 2**31, 2**31])}, "6 bytes for each"),
    "sizes whose product is right": ({"shape": torch.tensor([-1, -2, 3])}, "6 bytes for each"),
    "a width of nothing": ({"shape": torch.tensor([0, 2, 3]), "codes": GOOD["codes"][:, :0]}, "0 bytes for each"),
    "a shape of two": ({"shape": torch.tensor([2, 3])}, "not as genbench packs them"),
    "a shape of floats": ({"shape": torch.tensor([1.0, 2.0, 3.0])}, "not as genbench packs them"),
    "numbers that are none": ({"codes": GOOD["codes"].float()}, "not as genbench packs them"),
    "an empty table": ({"values": torch.zeros(0)}, "no table"),
    "a long table": ({"values": torch.zeros(257)}, "no table"),
    "a table of doubles": ({"values": torch.zeros(2, dtype=torch.float64)}, "no table"),
}


@pytest.mark.parametrize("name", BAD)
def test_arrays_that_do_not_fit_together_are_refused(name: str, tmp_path: Path) -> None:
    save_file(GOOD, tmp_path / "x")
    assert load_shards([tmp_path / "x"]).shape == (4, 1, 2, 3)
    changed, words = BAD[name]
    save_file({**GOOD, **changed}, tmp_path / "x")
    with pytest.raises(ValueError, match=words):
        load_shards([tmp_path / "x"])


@pytest.mark.parametrize("lacks", ["codes", "values", "shape"])
def test_a_file_that_lacks_an_array_holds_no_samples(lacks: str, tmp_path: Path) -> None:
    save_file({name: array for name, array in GOOD.items() if name != lacks}, tmp_path / "x")
    with pytest.raises(ValueError, match="holds no samples"):
        load_shards([tmp_path / "x"])
