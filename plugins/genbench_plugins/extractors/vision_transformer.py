"""The network of DINOv2, written here so that none of its publisher's code runs, and the names of its weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PATCH = 14
TRAINED_GRID = 37
"""Patches a side of the images that positions were learned on, 518 pixels."""
OFFSET = 0.1
"""What the published code adds to the new grid before it divides by the old one: part of what features are."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a vision transformer: width must be a multiple of heads."""

    width: int
    depth: int
    heads: int


class VisionTransformer(nn.Module):
    """DINOv2's vision transformer, by the names of its published state dict: (n, 3, 14 a, 14 b) -> (n, width).

    What comes out is the class token after the last norm, as the published code returns it.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, TRAINED_GRID**2 + 1, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, PATCH, PATCH)})
        self.blocks = nn.Sequential(*(_Block(width, sizes.heads) for _ in range(sizes.depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of standardised images."""
        patches = self.patch_embed["proj"](x)  # (n, width, a, b)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), patches.flatten(2).mT], 1)  # (n, 1 + a b, width)
        normed: Tensor = self.norm(self.blocks(tokens + self._positions(*patches.shape[2:])))
        return normed[:, 0]

    def _positions(self, rows: int, columns: int) -> Tensor:
        """Return positions of a grid of patches, (1, 1 + rows columns, width)."""
        first, rest = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        if (rows, columns) == (TRAINED_GRID, TRAINED_GRID):
            return self.pos_embed
        grid = rest.mT.reshape(1, -1, TRAINED_GRID, TRAINED_GRID)
        scale = ((rows + OFFSET) / TRAINED_GRID, (columns + OFFSET) / TRAINED_GRID)
        return torch.cat([first, F.interpolate(grid, scale_factor=scale, mode="bicubic").flatten(2).mT], 1)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = _Attention(width, heads)
        self.ls1 = _Scale(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})
        self.ls2 = _Scale(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        hidden = F.gelu(self.mlp["fc1"](self.norm2(x)))
        added: Tensor = self.ls2(self.mlp["fc2"](hidden))
        return x + added


class _Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (n, heads, tokens, d) each
        attended: Tensor = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return attended


# The names of facebook/dinov2-large ----------------------------------------------------------------------------------

HUB_NAMES = (
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.(cls|mask)_token$", r"\1_token"),
    (r"^encoder\.layer\.", "blocks."),
    (r"\.attention\.attention\.", ".attn."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.layer_scale(\d)\.lambda1$", r".ls\1.gamma"),
    (r"^layernorm\.", "norm."),
)
"""Patterns of names at facebook/dinov2-large, and what stands there in the published state dict, which timm keeps."""


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict by the network's names, of one by those of either publisher; query, key and value in one."""
    found: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        for pattern, plain in HUB_NAMES:
            name = re.sub(pattern, plain, name)
        if split := re.fullmatch(r"(.+\.attn)\.(query|key|value)\.(weight|bias)", name):
            parts.setdefault(f"{split[1]}.qkv.{split[3]}", {})[split[2]] = tensor
        elif name != "mask_token":  # which serves training alone
            found[name] = tensor
    whole = {name: part for name, part in parts.items() if len(part) == 3}  # one that is not is missed by its name
    return found | {name: torch.cat([part[each] for each in ("query", "key", "value")]) for name, part in whole.items()}
