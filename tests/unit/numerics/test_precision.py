"""True float32: whatever was set before, by either of torch's two ways, and all as it was afterwards."""

import json
import subprocess
import sys

import pytest

AT_ODDS = "products: 'high' and ieee"
WAYS = {
    "as torch comes": "",
    "older, products": "torch.set_float32_matmul_precision('medium')",
    "older, products of CUDA": "torch.backends.cuda.matmul.allow_tf32 = True",
    "older, cuDNN without": "torch.backends.cudnn.allow_tf32 = False",
    "as before torch 2.9": "precision._OPERATIONS.clear(); torch.set_float32_matmul_precision('medium')",
    "newer, all": "torch.backends.fp32_precision = 'tf32'",
    "newer, products": "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
    "newer, convolutions": "torch.backends.cudnn.conv.fp32_precision = 'ieee'",
    "newer, convolutions on a CPU": "torch.backends.mkldnn.conv.fp32_precision = 'bf16'",
    AT_ODDS: "torch.set_float32_matmul_precision('high'); torch.backends.cuda.matmul.fp32_precision = 'ieee'",
}

SCRIPT = """
import json, os, sys
import torch
from genbench.numerics import precision

NEWER = hasattr(torch.backends.cuda.matmul, "fp32_precision")

def told(read):
    try:
        return read()
    except RuntimeError as error:
        return type(error).__name__

def settings():
    b = torch.backends
    places = [b.cuda.matmul, b.cudnn.conv, b.cudnn.rnn, b.mkldnn.matmul, b.mkldnn.conv, b.mkldnn.rnn] if NEWER else []
    older = [torch.get_float32_matmul_precision, lambda: b.cuda.matmul.allow_tf32, lambda: b.cudnn.allow_tf32]
    return [place.fp32_precision for place in places], [told(read) for read in older]

def tried(way):
    exec(way)
    before = settings()
    for error in (None, KeyError):
        try:
            with precision.full_precision():
                inside = settings()
                with precision.full_precision():
                    pass
                nested = settings()
                if error:
                    raise error
        except KeyError:
            pass
        after = settings()
    return {"before": before, "inside": inside, "nested": nested, "after": after}

for way in json.loads(sys.argv[1]):
    print(flush=True, end="")
    if not os.fork():  # settings of torch are of a process
        print(json.dumps(tried(way) if NEWER or "fp32" not in way else None), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, list[list[object]]] | None]:
    """Return what torch told of its settings in each way: older than the newer ones, it has nothing to tell."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-W",
        "ignore::DeprecationWarning",
        "-c",
        SCRIPT,
        json.dumps(list(WAYS.values())),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return dict(zip(WAYS, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_products_and_convolutions_are_in_true_float32_whatever_was_set_and_how(seen, way: str) -> None:
    told = seen[way]
    if told is None:
        pytest.skip("this torch has no newer settings")
    newer, older = told["inside"]
    assert not {"tf32", "bf16"} & set(newer)
    if "RuntimeError" not in told["before"][1]:
        assert older == ["highest", False, False]
    assert told["nested"] == told["inside"]
    assert told["after"] == told["before"]


def test_where_both_ways_disagree_torch_tells_nothing(seen) -> None:
    """What makes the case above one."""
    told = seen[AT_ODDS]
    assert told is None or "RuntimeError" in told["before"][1]
