"""torch-fidelity's networks: the same values as its own classes give, from weights that are opened without trust."""

import contextlib
import hashlib
import http.server
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from inception_weights import weights
from torch import Tensor

from genbench import DataError, FeatureExtractor, Space, TrainingData, Unsupported
from genbench.cli import main
from genbench.registry import spec
from genbench.registry.extractors import bound
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.testing.made_images import made
from genbench.trial.feature_cache import cache_identity, extracted, make_ready
from genbench_plugins.extractors.fidelity import VGG16, Inception
from genbench_plugins.extractors.official_weights import Official, opened

__all__ = ["weights"]  # the fixture

COLOUR, GREY = Space((3, 32, 32)), Space((1, 28, 28))


# The network -----------------------------------------------------------------------------------------------------------


def ready(extractor: FeatureExtractor, space: Space) -> FeatureExtractor:
    make_ready(extractor, space, "digest", lambda: TrainingData(made(space, 2), made(space, 2), space))
    return extractor


def images(space: Space, n: int) -> tuple[Tensor, Tensor]:
    """Return images as uint8 in three channels, and as the harness has them."""
    generator = torch.Generator().manual_seed(3)
    noise, shade = (torch.rand(n, *shape, generator=generator) for shape in (space.shape, (space.shape[0], 1, 1)))
    levels = (255 * (noise + 3 * shade) / 4).to(torch.uint8)
    return levels.repeat(1, 3 // space.shape[0], 1, 1), levels.float().div_(255)


@pytest.mark.slow
@pytest.mark.parametrize("space", [COLOUR, GREY], ids=["32x32 colour", "28x28 grey"])
def test_features_and_logits_are_those_of_torch_fidelity(space: Space, weights: Path) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    theirs = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], str(weights))
    levels, ours = images(space, 3)
    extractor = ready(Inception(weights=str(weights)), space)
    with torch.no_grad():
        features, logits = theirs(levels)
    assert features.std(0).mean() > 1e-3  # images are told apart
    found = extracted(extractor, "features", ours)  # both come of one pass
    for what, expected in (("features", features), ("logits", logits)):
        torch.testing.assert_close(found[what], expected, rtol=1e-6, atol=1e-6 * expected.abs().mean().item())
    assert torch.equal(extractor.features(ours), found["features"])
    assert torch.equal(extractor.logits(ours), found["logits"])
    assert features.shape == (3, 2048)
    assert logits.shape == (3, 1008)


@pytest.mark.parametrize("space", [COLOUR, GREY])
def test_float_images_become_the_uint8_that_they_were(space: Space) -> None:
    extractor = Inception()
    extractor.bind(space, "digest")
    levels, ours = images(space, 40)
    assert torch.equal(extractor._as_uint8(ours), levels)
    assert extractor._as_uint8(torch.full((1, *space.shape), 1.7)).unique().tolist() == [255]  # and none wraps around


def test_grey_images_are_said_to_be_in_all_three_channels() -> None:
    extractor = Inception()
    extractor.bind(GREY, "digest")
    assert (
        extractor.describe()
        == "torch-fidelity's inception-v3-compat on uint8 images, 255 x rounded, grey in all three channels"
    )
    extractor.bind(COLOUR, "digest")
    assert extractor.describe() == "torch-fidelity's inception-v3-compat on uint8 images, 255 x rounded"


@pytest.mark.parametrize("plugin", [Inception, VGG16])
def test_two_channels_are_refused(plugin: type[FeatureExtractor]) -> None:
    with pytest.raises(Unsupported, match=r"images of 3 channels \(or 1, taken as all three\), not of 2. Use random"):
        plugin().bind(Space((2, 8, 8)), "digest")


# Weights that are given --------------------------------------------------------------------------------------------------


def test_a_given_file_is_told_by_its_content_and_not_by_its_path(tmp_path: Path) -> None:
    for name in ("a.pth", "b.pth"):
        (tmp_path / name).write_bytes(b"weights")
    one, other = (Inception(weights=str(tmp_path / name)) for name in ("a.pth", "b.pth"))
    for extractor in (one, other):
        extractor.bind(COLOUR, "digest")
    assert one.digest == hashlib.sha256(b"weights").hexdigest()
    assert cache_identity(one) == cache_identity(other)
    assert "weights of one's own" in one.describe()


def test_digest_costs_no_import_of_torch_fidelity() -> None:
    code = (
        "import sys\n"
        "from genbench import Space\n"
        "from genbench_plugins.extractors.fidelity import Inception\n"
        "extractor = Inception()\n"
        "extractor.bind(Space((3, 32, 32)), 'digest')\n"
        "assert extractor.digest == extractor.official.sha256 and extractor.digest.startswith('6726825d')\n"
        "assert not [name for name in sys.modules if name.startswith(('torch_fidelity', 'torchvision'))]\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "typed", ["fid[inception[weights=./my weights.pth]]", 'fid[extractor="inception[weights=./my weights.pth]"]']
)
def test_a_path_of_weights_can_be_typed_within_a_metric(typed: str) -> None:
    request = spec.parse(typed)
    inner = request.options.get("extractor", request.positional)
    assert isinstance(inner, str)
    extractor = Resolver(load_registry(), None).resolve("extractor", inner)
    assert extractor.settings == {"weights": "./my weights.pth"}
    again = spec.parse(spec.format_request(request))
    assert again == request


def test_what_was_known_of_a_given_file_is_forgotten_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    found = []
    for content in (b"one", b"two"):
        path.write_bytes(content)
        resolver = Resolver(load_registry(), tmp_path / "cache")
        text = f"inception[weights={path}]"
        known = resolver.remembered("extractor", text, [], lambda resolved: bound(resolved, COLOUR, "digest"))
        found.append(known.traits["digest"])
    assert found == [hashlib.sha256(content).hexdigest() for content in (b"one", b"two")]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"weights '.*/none.pth' cannot be read: No such file.*weights-inception-2015-12"
    ):
        Inception(weights=str(tmp_path / "none.pth")).bind(COLOUR, "digest")


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_what_is_pickled_into_a_file_does_not_run(tmp_path: Path) -> None:
    path, harm = tmp_path / "w.pth", tmp_path / "harm"
    torch.save({"fc.weight": torch.zeros(2), "x": Bomb(harm)}, path)
    extractor = Inception(weights=str(path))
    with pytest.raises(DataError, match="are no file of tensors as torch.save writes it"):
        ready(extractor, COLOUR)
    path.write_bytes(pickle.dumps(Bomb(harm)))
    with pytest.raises(DataError, match="are no file of tensors as torch.save writes it"):
        ready(extractor, COLOUR)
    assert not harm.exists()


@pytest.mark.parametrize(
    ("state", "match"),
    [
        ([torch.zeros(2)], "hold list; expected a state dict"),
        ({"a": 3}, "'a' is no name of a tensor of finite numbers"),
        ({"a": torch.tensor([1.0, float("nan")])}, "'a' is no name of a tensor of finite numbers"),
        ({"a": torch.zeros(2)}, "are not those of inception-v3-compat: .*Missing key"),
    ],
)
def test_weights_that_are_no_weights_of_the_network_are_refused(state: object, match: str, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(DataError, match=match):
        ready(Inception(weights=str(tmp_path / "w.pth")), COLOUR)


def test_a_tensor_of_another_shape_is_named(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights, weights_only=True)
    state["fc.weight"] = state["fc.weight"][:1000]
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(DataError, match="size mismatch for fc.weight"):
        ready(Inception(weights=str(tmp_path / "w.pth")), COLOUR)


def test_a_file_that_changed_since_its_digest_was_told_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(b"one")
    told = hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"two")
    with pytest.raises(DataError, match=f"expected {told}"):
        opened(path, told)


# Weights that are downloaded ---------------------------------------------------------------------------------------------

CONTENT = b"the official weights" * 100_000


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], str]]:
    """Return a function that serves bytes at an address of this machine, and tells it."""
    servers = []

    def start(content: bytes) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with contextlib.suppress(OSError):  # who asks may have had enough
                    self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/some/weights-6726825d.pth"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def official(url: str) -> Official:
    return Official(url, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def test_a_file_is_downloaded_once(serve: Callable[[bytes], str], tmp_path: Path) -> None:
    source = official(serve(CONTENT))
    path = source.fetched(tmp_path)
    assert path == tmp_path / "torch-fidelity" / "weights-6726825d.pth"
    assert path.read_bytes() == CONTENT
    assert [other.name for other in path.parent.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o644
    offline = Official("http://127.0.0.1:9/some/weights-6726825d.pth", source.sha256, source.size)
    assert offline.fetched(tmp_path) == path


@pytest.mark.parametrize("sent", [b"an error page", CONTENT[:-1], CONTENT + b"!" * 10_000_000, CONTENT[:-1] + b"!"])
def test_another_file_than_the_official_one_is_not_kept(
    sent: bytes, serve: Callable[[bytes], str], tmp_path: Path
) -> None:
    source = official(serve(sent))
    with pytest.raises(DataError, match=f"bytes came, of SHA-256 [0-9a-f]+; expected {len(CONTENT)}, {source.sha256}"):
        source.fetched(tmp_path)
    assert list((tmp_path / "torch-fidelity").iterdir()) == []


def test_without_a_network_address_and_path_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("GENBENCH_DATA", str(tmp_path))
    path = tmp_path / "torch-fidelity" / "weights-inception-2015-12-05-6726825d.pth"
    with pytest.raises(DataError, match="The download failed: URLError: .*no network in this test") as caught:
        ready(Inception(), COLOUR)
    assert str(caught.value).startswith(
        f"weights are missing: put {Inception.official.url} at '{path}', or name a file"
    )
    assert list(tmp_path.iterdir()) == []
    path.parent.mkdir()
    path.write_bytes(b"half of it")
    with pytest.raises(DataError, match=f"have SHA-256 .*; expected {Inception.official.sha256}"):
        ready(Inception(), COLOUR)


def test_without_a_network_nothing_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing is told when a run is planned, before hours of training."""

    def refuse(*args: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("GENBENCH_DATA", str(tmp_path / "data"))
    run = ["run", "--models", "gaussian", "--metric", "fid[inception]", "--reference", "none"]
    assert main([*run, "--results", str(tmp_path / "results")]) == 2
    told = capsys.readouterr().err
    assert f"weights are missing: put {Inception.official.url} at" in " ".join(told.split())
    assert list(tmp_path.glob("results/trials/*")) == []
