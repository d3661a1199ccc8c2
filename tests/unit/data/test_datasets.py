"""The built-in datasets: their sizes and contents, their original files, and what is said where these are missing."""

import dataclasses
import functools
import gc
import gzip
import hashlib
import http.server
import io
import pickle
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

import genbench
from genbench.data.cache import Prepared, prepare
from genbench.data.folders import data_folder
from genbench.errors import DataError
from genbench_plugins.datasets import mnist as mnist_module
from genbench_plugins.datasets.cifar10 import CIFAR10
from genbench_plugins.datasets.digits import Digits
from genbench_plugins.datasets.mnist import MNIST, FashionMNIST
from genbench_plugins.datasets.tfd import TFD

DIGITS_DIGEST = "6a8d787822a86325b3b3aec8f52c4c0013ebb9ead42d760974f0917401fd7b94"
MNIST_DIGEST = "dd02ba40de689507cd8c9c39d551cd0e4305f33a88d4c023115391c31c688262"
ALL = [Digits, MNIST, FashionMNIST, CIFAR10, TFD]


def made(dataset: genbench.Dataset, name: str = "dataset") -> Prepared:
    return prepare(dataset, {"name": name, "options": {}})


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every download fail at once."""

    def refuse(*args: object, **options: object) -> None:
        print("Downloading ...")
        print("chatter", file=sys.stderr)
        raise OSError("Network is\nunreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


# All of them


@pytest.mark.parametrize("kind", ALL)
def test_a_dataset_says_what_it_is(kind: type[genbench.Dataset]) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__doc__
    assert kind.citation.endswith(".")
    hints = typing.get_type_hints(kind, include_extras=True)
    assert all(field.name in hints for field in dataclasses.fields(kind))


def test_importing_them_imports_nothing_heavy() -> None:
    program = (
        "import sys; from genbench_plugins.datasets import cifar10, digits, mnist, tfd;"
        "from genbench.data import npz, folder, cache;"
        "print([n for n in ('numpy', 'torch', 'torchvision', 'sklearn', 'PIL', 'scipy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# digits


def test_digits() -> None:
    prepared = made(Digits())
    assert prepared.sizes == {"train": 1000, "valid": 297, "test": 500}
    assert prepared.space == genbench.Space((1, 8, 8), 10)
    assert prepared.digest == DIGITS_DIGEST
    prepared.verify()


def test_digits_are_every_image_once() -> None:
    from sklearn.datasets import load_digits

    splits = Digits().load(Path("/nowhere"))
    together = np.concatenate([splits.train.images, splits.valid.images, splits.test.images])
    assert together.dtype == np.float32
    rows = sorted(map(bytes, (together * 16).astype(np.uint8)))
    assert rows == sorted(map(bytes, load_digits().images.astype(np.uint8)))
    order = np.random.RandomState(0).permutation(1797)
    np.testing.assert_array_equal(splits.test.labels, load_digits().target[order[1297:]])


# MNIST and Fashion-MNIST


def idx(array: np.ndarray[Any, Any]) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def mnist_files(n: int = 30) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte": idx(rng.integers(0, 256, (n, 28, 28), np.uint8)),
        "train-labels-idx1-ubyte": idx((np.arange(n) % 10).astype(np.uint8)),
        "t10k-images-idx3-ubyte": idx(rng.integers(0, 256, (7, 28, 28), np.uint8)),
        "t10k-labels-idx1-ubyte": idx(np.arange(7, dtype=np.uint8)),
    }


def lay_mnist(folder: Path, source: str = "MNIST") -> Path:
    raw = folder / source / "raw"
    raw.mkdir(parents=True)
    for name, content in mnist_files().items():
        (raw / name).write_bytes(content)
    return raw


def listing(folder: Path) -> list[tuple[str, int, int]]:
    paths = sorted([folder, *folder.rglob("*")])
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


def test_real_mnist(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBENCH_DATA", str(real_data))
    before = listing(real_data)
    prepared = made(MNIST(), "mnist")
    assert listing(real_data) == before
    assert prepared.sizes == {"train": 50_000, "valid": 10_000, "test": 10_000}
    assert prepared.space == genbench.Space((1, 28, 28), 10)
    assert prepared.digest == MNIST_DIGEST
    train, valid, test = prepared.split("train"), prepared.split("valid"), prepared.split("test")
    assert train.labels is not None
    assert valid.labels is not None
    assert test.labels is not None
    assert [int(part[0]) for part in (train.labels, valid.labels, test.labels)] == [5, 3, 7]
    assert float(train.images.double().mean()) == pytest.approx(0.13, abs=0.005)
    assert (float(train.images.min()), float(train.images.max())) == (0.0, 1.0)
    assert torch.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize(("kind", "source"), [(MNIST, "MNIST"), (FashionMNIST, "FashionMNIST")])
def test_files_in_the_format_of_mnist(kind: type[MNIST], source: str) -> None:
    lay_mnist(data_folder(), source)
    before = listing(data_folder())
    prepared = made(kind(valid=8))
    assert listing(data_folder()) == before
    assert prepared.sizes == {"train": 22, "valid": 8, "test": 7}
    images = np.frombuffer(mnist_files()["train-images-idx3-ubyte"][16:], np.uint8).reshape(30, 1, 28, 28)
    np.testing.assert_array_equal(prepared.split("valid").images.numpy(), images[22:] / np.float32(255))
    labels = prepared.split("train").labels
    assert labels is not None
    assert labels.tolist() == [i % 10 for i in range(22)]


@pytest.mark.parametrize("valid", [30, 31, 10_000])
def test_holding_out_all_of_mnist_is_refused(valid: int) -> None:
    lay_mnist(data_folder())
    with pytest.raises(DataError, match=f"mnist: valid={valid}; expected less than the 30 in train"):
        made(MNIST(valid=valid))


def test_changed_originals_are_prepared_anew() -> None:
    raw = lay_mnist(data_folder())
    first = made(MNIST(valid=8))
    content = bytearray((raw / "t10k-labels-idx1-ubyte").read_bytes())
    content[-1] = 9
    (raw / "t10k-labels-idx1-ubyte").write_bytes(content)
    assert made(MNIST(valid=8)).digest != first.digest


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train-images-idx3-ubyte", b""),
        ("train-images-idx3-ubyte", mnist_files()["train-images-idx3-ubyte"][:-1]),
        ("t10k-labels-idx1-ubyte", b"<html>404</html>"),
        ("t10k-labels-idx1-ubyte", mnist_files()["train-images-idx3-ubyte"]),
    ],
)
def test_damaged_mnist_files_are_told(name: str, content: bytes) -> None:
    raw = lay_mnist(data_folder())
    (raw / name).write_bytes(content)
    match = r"mnist: the files in '.*/MNIST/raw' cannot be read \(.*\)\. Remove them .*: genbench data prepare mnist$"
    with pytest.raises(DataError, match=match):
        made(MNIST(valid=8))


def test_fewer_labels_than_images_are_told() -> None:
    raw = lay_mnist(data_folder())
    (raw / "t10k-labels-idx1-ubyte").write_bytes(idx(np.arange(6, dtype=np.uint8)))
    with pytest.raises(DataError, match=r"test labels: shape is \(6,\); expected \(7,\)"):
        made(MNIST(valid=8))


# Missing files


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("kind", "place", "file", "name"),
    [
        (MNIST, "MNIST/raw", "train-images-idx3-ubyte", "mnist"),
        (FashionMNIST, "FashionMNIST/raw", "train-images-idx3-ubyte", "fashion-mnist"),
        (CIFAR10, "cifar-10-batches-py", "data_batch_1", "cifar10"),
    ],
)
@pytest.mark.parametrize("exists", [True, False])
def test_without_files_and_network(
    kind: type[genbench.Dataset],
    place: str,
    file: str,
    name: str,
    exists: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "user" / "data"
    monkeypatch.setenv("GENBENCH_DATA", str(folder))
    if exists:
        folder.mkdir(parents=True)
    match = (
        rf"{name}: {file}, .* not in '{folder}/{place}', and the download failed \(.*unreachable.*\)\. Put the files"
    )
    with pytest.raises(DataError, match=match) as caught:
        made(kind())
    assert str(caught.value).endswith(f"there, or run with a network: genbench data prepare {name}")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "user").exists() == exists
    assert not exists or list(folder.iterdir()) == []
    assert socket.getdefaulttimeout() is None


@pytest.mark.usefixtures("no_network")
def test_files_that_are_there_are_kept_when_others_are_missing() -> None:
    raw = lay_mnist(data_folder())
    (raw / "t10k-labels-idx1-ubyte").unlink()
    before = listing(raw)
    with pytest.raises(DataError, match="mnist: t10k-labels-idx1-ubyte not in "):
        made(MNIST())
    assert listing(raw) == before
    assert [path.name for path in data_folder().iterdir()] == ["MNIST"]


@pytest.mark.usefixtures("no_network")
def test_archives_put_there_by_hand_are_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = data_folder() / "MNIST" / "raw"
    raw.mkdir(parents=True)
    resources = []
    for name, content in mnist_files().items():
        packed = gzip.compress(content)
        (raw / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    assert made(MNIST(valid=8)).sizes == {"train": 22, "valid": 8, "test": 7}


# A download, by the real torchvision code from a server of our own


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve a folder on this machine."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=folder)) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}/", folder
        httpd.shutdown()
        thread.join()
    with warnings.catch_warnings():
        # torchvision leaves the answer to a refused request open: collected here, it disturbs no later test
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def serve_mnist(server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    resources = []
    for name, content in mnist_files().items():
        packed = gzip.compress(content)
        (server[1] / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [server[0]])


def test_mnist_is_downloaded(
    server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    serve_mnist(server, monkeypatch)
    prepared = made(MNIST(valid=8))
    assert capfd.readouterr() == ("", "")
    assert prepared.sizes == {"train": 22, "valid": 8, "test": 7}
    raw = data_folder() / "MNIST" / "raw"
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == mnist_files()
    assert [path.name for path in data_folder().iterdir()] == ["MNIST"]
    assert made(MNIST(valid=8)) == prepared


@pytest.mark.parametrize("fault", ["missing", "altered"])
def test_a_download_that_fails_in_the_middle_leaves_nothing(
    fault: str, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_mnist(server, monkeypatch)
    archive = server[1] / "t10k-images-idx3-ubyte.gz"
    archive.unlink() if fault == "missing" else archive.write_bytes(b"altered")
    reason = "404" if fault == "missing" else "not found or corrupted"
    with pytest.raises(DataError, match=f"mnist: .* and the download failed .*{reason}.*genbench data prepare mnist$"):
        made(MNIST(valid=8))
    assert list(data_folder().iterdir()) == []


# CIFAR-10


class OldPickler(pickle._Pickler):
    """Writes dtypes as the numpy of 2009 did, in whose words the real files are written."""

    def reducer_override(self, obj: object) -> Any:
        if isinstance(obj, np.dtype):
            return np.dtype, ("u1", 0, 1), (3, "|", None, None, None, -1, -1, 0)
        return NotImplemented


def cifar_batch(n: int, seed: int) -> tuple[bytes, np.ndarray[Any, Any], list[int]]:
    data = np.random.default_rng(seed).integers(0, 256, (n, 3072), np.uint8)
    labels = [(seed + i) % 10 for i in range(n)]
    buffer = io.BytesIO()
    OldPickler(buffer, 2).dump({"data": data, "labels": labels})
    return buffer.getvalue(), data.reshape(n, 3, 32, 32), labels


def cifar_files() -> dict[str, bytes]:
    files = {f"data_batch_{i}": cifar_batch(4, i)[0] for i in range(1, 6)}
    meta = pickle.dumps({"label_names": [str(i) for i in range(10)]})
    return {**files, "test_batch": cifar_batch(3, 6)[0], "batches.meta": meta}


def trust(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the checksums of these files in the place of the real ones."""
    sums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    source = torchvision.datasets.CIFAR10
    monkeypatch.setattr(source, "train_list", [[f"data_batch_{i}", sums[f"data_batch_{i}"]] for i in range(1, 6)])
    monkeypatch.setattr(source, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(source, "meta", {**source.meta, "md5": sums["batches.meta"]})


def lay_cifar(folder: Path) -> Path:
    place = folder / "cifar-10-batches-py"
    place.mkdir(parents=True)
    for name, content in cifar_files().items():
        (place / name).write_bytes(content)
    return place


def test_cifar10_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    trust(cifar_files(), monkeypatch)
    lay_cifar(data_folder())
    prepared = made(CIFAR10(valid=6))
    assert prepared.sizes == {"train": 14, "valid": 6, "test": 3}
    assert prepared.space == genbench.Space((3, 32, 32), 10)
    batches = [cifar_batch(4, i) for i in range(1, 6)]
    images, labels = np.concatenate([batch[1] for batch in batches]), [i for batch in batches for i in batch[2]]
    valid, test = prepared.split("valid"), prepared.split("test")
    np.testing.assert_array_equal(valid.images.numpy(), images[14:] / np.float32(255))
    assert valid.labels is not None
    assert valid.labels.tolist() == labels[14:]
    np.testing.assert_array_equal(test.images.numpy(), cifar_batch(3, 6)[1] / np.float32(255))
    assert prepared.folder.joinpath("train-images.npy").stat().st_size < 14 * 3072 + 200


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_cifar10_files_with_another_checksum_are_not_opened(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trust(cifar_files(), monkeypatch)
    (lay_cifar(data_folder()) / name).write_bytes(b"cos\nabort\n(tR.")
    match = (
        r"cifar10: the files in '.*/cifar-10-batches-py' cannot be read \(.*corrupted.*: genbench data prepare cifar10$"
    )
    with pytest.raises(DataError, match=match):
        made(CIFAR10(valid=6))


def test_holding_out_all_of_cifar10_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    trust(cifar_files(), monkeypatch)
    lay_cifar(data_folder())
    with pytest.raises(DataError, match="cifar10: valid=10000; expected less than the 20 in train"):
        made(CIFAR10())


@pytest.mark.parametrize("by_hand", [True, False])
def test_cifar10_is_downloaded_or_unpacked(
    by_hand: bool, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(cifar_files(), monkeypatch)
    archive = (data_folder() if by_hand else server[1]) / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in cifar_files().items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    source = torchvision.datasets.CIFAR10
    monkeypatch.setattr(source, "url", "http://127.0.0.1:9/" if by_hand else f"{server[0]}{archive.name}")
    monkeypatch.setattr(source, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    assert made(CIFAR10(valid=6)).sizes == {"train": 14, "valid": 6, "test": 3}
    kept = {"cifar-10-batches-py", archive.name} if by_hand else {"cifar-10-batches-py"}
    assert {path.name for path in data_folder().iterdir()} == kept


def test_the_old_pickles_are_old() -> None:
    """Hold the test's own files to what it says of them: today's numpy may warn of them, and reads them."""
    content, data, _ = cifar_batch(2, 1)
    assert b"u1" in content
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(pickle.loads(content, encoding="latin1")["data"].reshape(2, 3, 32, 32), data)


def test_every_file_of_mnist_is_named() -> None:
    names = [name.removesuffix(".gz") for name, _ in torchvision.datasets.MNIST.resources]
    assert list(mnist_module.FILES) == names
