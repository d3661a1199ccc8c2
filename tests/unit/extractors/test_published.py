"""CLIP and DINOv2: the images, the network and the weights of published distances, each against code of its own."""

import json
import pickle
import socket
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from genbench import DataError, Space, TrainingData, Unsupported
from genbench.testing.made_images import made
from genbench.trial.feature_cache import cache_identity, extracted, make_ready
from genbench_plugins.extractors.published import CLIP, DINOv2, PublishedExtractor
from genbench_plugins.extractors.vision_transformer import Sizes, VisionTransformer, renamed

COLOUR, GREY = Space((3, 32, 32)), Space((1, 28, 28))


class SmallCLIP(CLIP):
    sizes: ClassVar[Sizes] = Sizes(128, 2, 2)
    codes: ClassVar[int] = 16


class SmallDINOv2(DINOv2):
    sizes: ClassVar[Sizes] = Sizes(32, 2, 4)


def ready(extractor: PublishedExtractor, space: Space = COLOUR) -> PublishedExtractor:
    make_ready(extractor, space, "digest", lambda: TrainingData(made(space, 2), made(space, 2), space))
    return extractor


# Files of the published layout -------------------------------------------------------------------------------------------

Shapes = dict[str, tuple[int, ...]]


def hub_layout(width: int, depth: int) -> Shapes:
    """Return names and shapes at facebook/dinov2-large."""
    found: Shapes = {
        "embeddings.cls_token": (1, 1, width),
        "embeddings.mask_token": (1, width),
        "embeddings.position_embeddings": (1, 37 * 37 + 1, width),
        "embeddings.patch_embeddings.projection.weight": (width, 3, 14, 14),
        "embeddings.patch_embeddings.projection.bias": (width,),
        "layernorm.weight": (width,),
        "layernorm.bias": (width,),
    }
    for i in range(depth):
        linear = {
            "attention.attention.query": (width, width),
            "attention.attention.key": (width, width),
            "attention.attention.value": (width, width),
            "attention.output.dense": (width, width),
            "mlp.fc1": (4 * width, width),
            "mlp.fc2": (width, 4 * width),
        }
        for name, shape in linear.items():
            found |= {f"encoder.layer.{i}.{name}.weight": shape, f"encoder.layer.{i}.{name}.bias": shape[:1]}
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            found[f"encoder.layer.{i}.{name}"] = (width,)
        found |= {f"encoder.layer.{i}.layer_scale{k}.lambda1": (width,) for k in (1, 2)}
    return found


def blocks_of_clip(prefix: str, width: int, depth: int) -> Shapes:
    found: Shapes = {}
    linear = {"attn.out_proj": (width, width), "mlp.c_fc": (4 * width, width), "mlp.c_proj": (width, 4 * width)}
    for i in range(depth):
        at = f"{prefix}transformer.resblocks.{i}."
        found |= {f"{at}attn.in_proj_weight": (3 * width, width), f"{at}attn.in_proj_bias": (3 * width,)}
        for name, shape in linear.items():
            found |= {f"{at}{name}.weight": shape, f"{at}{name}.bias": shape[:1]}
        found |= {f"{at}{name}": (width,) for name in ("ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias")}
    return found


def open_clip_layout(width: int, depth: int, codes: int, words: int, texts: int) -> Shapes:
    """Return names and shapes of open_clip's ViT-B/32: the encoder of images, and that of texts of width `texts`."""
    images: Shapes = {
        "visual.class_embedding": (width,),
        "visual.positional_embedding": (50, width),
        "visual.proj": (width, codes),
        "visual.conv1.weight": (width, 3, 32, 32),
        **{f"visual.{name}.{part}": (width,) for name in ("ln_pre", "ln_post") for part in ("weight", "bias")},
        **blocks_of_clip("visual.", width, depth),
    }
    rest: Shapes = {
        "text_projection": (texts, codes),
        "positional_embedding": (77, texts),
        "logit_scale": (),
        "token_embedding.weight": (words, texts),
        "ln_final.weight": (texts,),
        "ln_final.bias": (texts,),
    }
    return images | rest | blocks_of_clip("", texts, depth)


def filled(layout: Shapes) -> dict[str, Tensor]:
    """Return tensors with which images are told apart: nothing vanishes, nothing explodes."""
    generator = torch.Generator().manual_seed(1)
    found = {}
    for name, shape in layout.items():
        spread = 1 / np.sqrt(max(1, np.prod(shape[1:]))) if len(shape) > 1 else 0.3
        centre = 1 if "norm" in name or "ln_" in name or "lambda" in name else 0
        found[name] = centre * (not name.endswith("bias")) + spread * torch.randn(shape, generator=generator)
    return found


HUB = filled(hub_layout(32, 2))
OPEN_CLIP = filled(open_clip_layout(128, 2, 16, 40, 64))


@pytest.fixture(params=["clip", "dinov2"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[type[PublishedExtractor], dict[str, Tensor]]:
    return {"clip": (SmallCLIP, OPEN_CLIP), "dinov2": (SmallDINOv2, HUB)}[request.param]


def bytes_of(layout: Shapes, head: dict[str, object]) -> int:
    """Return the size of a file of safetensors that holds float32 of these shapes, by the format's definition."""
    at, head = 0, dict(head)
    for name, shape in sorted(layout.items()):
        end = at + 4 * int(np.prod(shape))
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, end]}
        at = end
    text = len(json.dumps(head, separators=(",", ":")))
    return 8 + text + -text % 8 + at


def test_layouts_are_those_of_the_published_files_to_the_byte() -> None:
    """Every name's length and every shape go into the size that the publishers' files have."""
    assert bytes_of(hub_layout(1024, 24), {"__metadata__": {"format": "pt"}}) == DINOv2.official.size
    assert bytes_of(open_clip_layout(768, 12, 512, 49_408, 512), {}) == CLIP.official.size


@pytest.mark.parametrize(
    ("plugin", "layout"),
    [(DINOv2, hub_layout(1024, 24)), (CLIP, open_clip_layout(768, 12, 512, 49_408, 512))],
)
def test_the_networks_take_files_of_published_shapes(plugin: type[PublishedExtractor], layout: Shapes) -> None:
    state = {name: torch.empty(shape, device="meta") for name, shape in layout.items()}
    with torch.device("meta"):
        network = plugin()._network()
    assert network.load_state_dict(plugin()._named(state), assign=True)


# Images --------------------------------------------------------------------------------------------------------------------


def pictures(n: int, height: int, width: int) -> np.ndarray:
    """Return uint8 pictures with edges and shades, (n, H, W, 3)."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, 5, 5, 3), np.uint8).repeat(-(-height // 5), 1).repeat(-(-width // 5), 2)
    return (0.7 * coarse[:, :height, :width] + 0.3 * rng.integers(0, 256, (n, height, width, 3))).astype(np.uint8)


def by_pillow(picture: np.ndarray, centre: bool) -> np.ndarray:
    height, width = picture.shape[:2]
    short = min(height, width)
    size = (int(224 * width / short), int(224 * height / short)) if centre else (224, 224)
    left, top = (round((side - 224) / 2) for side in size)
    found = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(found.crop((left, top, left + 224, top + 224)))


@pytest.mark.parametrize("shape", [(32, 32), (300, 300), (40, 64), (500, 250)])
@pytest.mark.parametrize("plugin", [CLIP, DINOv2])
def test_images_are_resized_as_pillow_does(plugin: type[PublishedExtractor], shape: tuple[int, int]) -> None:
    extractor, given = plugin(), pictures(3, *shape)
    found = extractor._standardised(torch.from_numpy(given).permute(0, 3, 1, 2))
    expected = np.stack([by_pillow(picture, extractor.centre) for picture in given]) / 255
    expected = (expected - np.array(extractor.mean)) / np.array(extractor.std)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.permute(0, 2, 3, 1).numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("side", [32, 64, 300, 512])
@pytest.mark.parametrize("plugin", [CLIP, DINOv2])
def test_images_are_resized_as_torchs_antialiased_bicubic_filter_does(
    plugin: type[PublishedExtractor], side: int
) -> None:
    """Within 1.25 levels of 255: Pillow rounds between its two passes, which the second makes 5/8 at most, and after.

    Shades lie between 64 and 191, so that nothing overshoots: Pillow clips between the passes, too.
    """
    extractor, given = plugin(), torch.from_numpy(64 + pictures(3, side, side) // 2).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (extractor.mean, extractor.std))
    levels = 255 * (extractor._standardised(given) * std + mean)
    resized = nn.functional.interpolate(given.double(), (224, 224), mode="bicubic", antialias=True).clamp(0, 255)
    assert (levels - resized).abs().max() < 1.25
    assert (levels - resized).abs().mean() < 0.4
    as_tensorflow_1 = nn.functional.interpolate(given.double(), (224, 224), mode="bilinear")
    assert (as_tensorflow_1 - resized).abs().max() > 5, "another filter is far outside of that"


def test_each_has_its_own_mean_and_deviation() -> None:
    """A white image is (1 - mean) / deviation: the figures of the two papers' code."""
    white = torch.full((1, 3, 8, 8), 255, dtype=torch.uint8)
    for plugin, expected in ((CLIP, [1.9303, 2.0749, 2.1459]), (DINOv2, [2.2489, 2.4286, 2.6400])):
        assert plugin()._standardised(white).mean((0, 2, 3)).tolist() == pytest.approx(expected, abs=1e-4)


def test_captions_name_the_protocol() -> None:
    clip, dinov2 = CLIP(), DINOv2()
    clip.bind(GREY, "digest")
    dinov2.bind(COLOUR, "digest")
    assert clip.describe() == (
        "OpenAI's CLIP ViT-B/32, 224 px of Pillow's bicubic and centre square as clean-fid's, on uint8 images, "
        "255 x rounded, grey in all three channels"
    )
    assert dinov2.describe() == (
        "DINOv2 ViT-L/14, 224x224 of Pillow's bicubic as dgm-eval's, on uint8 images, 255 x rounded"
    )
    assert clip.version == dinov2.version == 2
    with pytest.raises(Unsupported, match="DINOv2 ViT-L/14 looks at images of 3 channels"):
        dinov2.bind(Space((2, 8, 8)), "digest")


# The network of DINOv2 -----------------------------------------------------------------------------------------------------


def cubic(t: np.ndarray) -> np.ndarray:
    """Return Keys' kernel of a = -0.75, which is torch's."""
    t, a = np.abs(t), -0.75
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    return np.where(t <= 1, near, np.where(t < 2, a * (t**3 - 5 * t**2 + 8 * t - 4), 0))


def weights_of_positions(new: int) -> np.ndarray:
    """Return how positions of 37 patches make `new`, (new, 37): places apart by 37 / (new + 0.1), edges repeated."""
    found = np.zeros((new, 37))
    for i, place in enumerate((np.arange(new) + 0.5) * 37 / (new + 0.1) - 0.5):
        for j in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            found[i, np.clip(j, 0, 36)] += cubic(np.array(place - j))
    return found


def by_torchs_layers(state: dict[str, Tensor], x: Tensor, heads: int) -> Tensor:
    """Return DINOv2's features from the hub's names by torch's own encoder layers, the layers' scales folded in."""
    width = state["layernorm.weight"].numel()
    patch = "embeddings.patch_embeddings.projection."
    patches = nn.functional.conv2d(x, state[f"{patch}weight"], state[f"{patch}bias"], stride=14)
    trained_on = patches.shape[2:] == (37, 37)  # where positions are taken as they are
    rows, columns = (np.eye(37) if trained_on else weights_of_positions(n) for n in patches.shape[2:])
    positions = state["embeddings.position_embeddings"][0]
    grid = np.einsum("ai,bj,ijd->abd", rows, columns, positions[1:].view(37, 37, width).numpy())
    tokens = patches.flatten(2).mT + torch.from_numpy(grid).float().view(1, -1, width)
    first = (state["embeddings.cls_token"] + positions[:1]).expand(len(x), 1, width)
    x = torch.cat([first, tokens], 1)
    for i in range(2):
        own = {
            k.removeprefix(f"encoder.layer.{i}."): v for k, v in state.items() if k.startswith(f"encoder.layer.{i}.")
        }
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, 0.0, nn.functional.gelu, 1e-6, batch_first=True, norm_first=True
        ).eval()
        query = [f"attention.attention.{part}" for part in ("query", "key", "value")]
        one, two = own["layer_scale1.lambda1"], own["layer_scale2.lambda1"]
        given = {
            "self_attn.in_proj_weight": torch.cat([own[f"{name}.weight"] for name in query]),
            "self_attn.in_proj_bias": torch.cat([own[f"{name}.bias"] for name in query]),
            "self_attn.out_proj.weight": one[:, None] * own["attention.output.dense.weight"],
            "self_attn.out_proj.bias": one * own["attention.output.dense.bias"],
            "linear1.weight": own["mlp.fc1.weight"],
            "linear1.bias": own["mlp.fc1.bias"],
            "linear2.weight": two[:, None] * own["mlp.fc2.weight"],
            "linear2.bias": two * own["mlp.fc2.bias"],
            **{f"norm{k}.{part}": own[f"norm{k}.{part}"] for k in (1, 2) for part in ("weight", "bias")},
        }
        layer.load_state_dict(given)
        x = layer(x)
    return nn.functional.layer_norm(x[:, 0], (width,), state["layernorm.weight"], state["layernorm.bias"], 1e-6)


@pytest.mark.parametrize("size", [(224, 224), (28, 70), (518, 518)])
@torch.no_grad()
def test_features_of_dinov2_are_those_of_torchs_own_layers(size: tuple[int, int]) -> None:
    network = VisionTransformer(Sizes(32, 2, 4)).eval()
    network.load_state_dict(renamed(HUB))
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(2))
    found, expected = network(x), by_torchs_layers(HUB, x, 4)
    assert expected.std(0).mean() > 1e-3  # images are told apart
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert found.shape == (2, 32)


# Weights -------------------------------------------------------------------------------------------------------------------


def features(plugin: type[PublishedExtractor], path: Path, levels: np.ndarray) -> Tensor:
    extractor = ready(plugin(weights=str(path)))
    images = torch.from_numpy(levels).permute(0, 3, 1, 2).float() / 255
    return extracted(extractor, "features", images)["features"]


def test_features_of_dinov2_from_a_file_of_either_layout(tmp_path: Path) -> None:
    save_file(HUB, tmp_path / "hub.safetensors")
    save_file(renamed(HUB), tmp_path / "timm.safetensors")  # without mask_token, as timm's file has none
    given = pictures(3, 32, 32)
    found = features(SmallDINOv2, tmp_path / "hub.safetensors", given)
    resized = np.stack([by_pillow(picture, False) for picture in given]) / 255
    standardised = (resized - np.array(DINOv2.mean)) / np.array(DINOv2.std)
    expected = by_torchs_layers(HUB, torch.from_numpy(standardised).permute(0, 3, 1, 2).float(), 4)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(found, features(SmallDINOv2, tmp_path / "timm.safetensors", given))


@torch.no_grad()
def test_features_of_clip_are_those_of_torch_fidelitys_network(tmp_path: Path) -> None:
    from torch_fidelity.feature_extractor_clip import CLIPVisual

    save_file(OPEN_CLIP, tmp_path / "clip.safetensors")
    given = pictures(3, 40, 50)
    reference = CLIPVisual(16, 224, 2, 128, 32).eval()
    reference.load_state_dict({name: each for name, each in OPEN_CLIP.items() if name.startswith("visual.")})
    resized = np.stack([by_pillow(picture, True) for picture in given]) / 255
    standardised = (resized - np.array(CLIP.mean)) / np.array(CLIP.std)
    expected = reference.visual(torch.from_numpy(standardised).permute(0, 3, 1, 2).float())
    space = Space((3, 40, 50))
    extractor = ready(SmallCLIP(weights=str(tmp_path / "clip.safetensors")), space)
    found = extractor.features(torch.from_numpy(given).permute(0, 3, 1, 2).float() / 255)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert expected.std(0).mean() > 1e-3
    assert found.shape == (3, 16)


def test_files_of_half_precision_are_taken_in_float32(small, tmp_path: Path) -> None:
    plugin, state = small
    save_file({name: each.half() for name, each in state.items()}, tmp_path / "half.safetensors")
    found = features(plugin, tmp_path / "half.safetensors", pictures(2, 32, 32))
    assert found.dtype == torch.float32
    assert found.isfinite().all()


def test_other_weights_are_another_protocol_and_are_told(small, tmp_path: Path) -> None:
    plugin, state = small
    save_file(state, tmp_path / "a.safetensors")
    save_file({name: 2 * each for name, each in state.items()}, tmp_path / "b.safetensors")
    one, other = (ready(plugin(weights=str(tmp_path / name))) for name in ("a.safetensors", "b.safetensors"))
    assert cache_identity(one) != cache_identity(other)
    assert "weights of one's own" in one.describe()


def without(state: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name: each for name, each in state.items() if part not in name}


WRONG: dict[str, Callable[[dict[str, Tensor]], dict[str, Tensor]]] = {
    "Missing key.*mlp": lambda state: without(state, "mlp"),
    "size mismatch for": lambda state: {n: each[:-1].contiguous() if "mlp" in n else each for n, each in state.items()},
    "is no name of a tensor of finite numbers": lambda state: {n: each / 0 for n, each in state.items()},
    "Missing key": lambda state: {"a": torch.zeros(2)},
}


@pytest.mark.parametrize("match", WRONG)
def test_files_of_other_tensors_are_refused(match: str, small, tmp_path: Path) -> None:
    plugin, state = small
    save_file(WRONG[match](state), tmp_path / "w.safetensors")
    with pytest.raises(DataError, match=match):
        ready(plugin(weights=str(tmp_path / "w.safetensors")))


def test_a_key_without_its_query_is_missed_and_an_unknown_name_refused(tmp_path: Path) -> None:
    for state, match in (
        (without(HUB, "query.weight"), r"Missing key.*blocks.0.attn.qkv.weight"),
        (HUB | {"classifier.weight": torch.zeros(2)}, r"Unexpected key.*classifier.weight"),
    ):
        save_file(state, tmp_path / "w.safetensors")
        with pytest.raises(DataError, match=match):
            ready(SmallDINOv2(weights=str(tmp_path / "w.safetensors")))


class Bomb:
    def __init__(self, harm: Path) -> None:
        self.harm = harm

    def __reduce__(self) -> tuple[object, ...]:
        return Path.mkdir, (self.harm,)


def test_pickles_archives_and_halves_are_refused_and_run_nothing(small, tmp_path: Path) -> None:
    plugin, state = small
    path, harm = tmp_path / "w", tmp_path / "harm"
    save_file(state, path)
    half = path.read_bytes()[:5000]
    for write in (
        lambda: path.write_bytes(pickle.dumps(Bomb(harm))),
        lambda: torch.save({**state, "x": Bomb(harm)}, path),
        lambda: torch.save(state, path),
        lambda: path.write_bytes(half),
        lambda: path.write_bytes(b""),
    ):
        write()
        with pytest.raises(DataError, match="are no file of safetensors .*a pickle or a TorchScript archive is code"):
            ready(plugin(weights=str(path)))
    assert not harm.exists()


@pytest.mark.parametrize("plugin", [CLIP, DINOv2])
def test_without_a_network_address_and_path_are_told(
    plugin: type[PublishedExtractor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("GENBENCH_DATA", str(tmp_path))
    path = plugin.official.path(tmp_path)
    with pytest.raises(DataError, match="The download failed: URLError: .*no network in this test") as caught:
        ready(plugin())
    assert str(caught.value).startswith(f"weights are missing: put {plugin.official.url} at '{path}', or name a file")
    path.parent.mkdir()
    path.write_bytes(b"half of it")
    with pytest.raises(DataError, match=f"have SHA-256 .*; expected {plugin.official.sha256}"):
        ready(plugin())


def test_addresses_are_of_a_revision_and_no_two_files_share_a_place(tmp_path: Path) -> None:
    for plugin in (CLIP, DINOv2):
        assert plugin.official.url.split("/resolve/")[1][40] == "/"
        assert len(plugin.official.sha256) == 64
    assert CLIP.official.path(tmp_path) != DINOv2.official.path(tmp_path)
