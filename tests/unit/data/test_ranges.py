"""Floats a rounding error outside their bounds are clipped; those further out are refused with what was meant."""

import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from genbench.api import Space
from genbench.data.images import opened
from genbench.data.ranges import within
from genbench.errors import DataError
from genbench_plugins.datasets.npz import NpzDataset

UNIT = (0.0, 1.0)


def refuse(found: str, cure: str) -> NoReturn:
    raise DataError(f"{found}; {cure}")


def images(least: float, greatest: float, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    x = np.full((20, 1, 4, 4), 0.5, dtype)
    x[3, 0, 1, 2], x[5, 0, 0, 0] = least, greatest
    return x


@pytest.mark.parametrize(
    ("least", "greatest", "dtype"),
    [(-1e-7, 1.0000001, "f4"), (-1e-6, 1 + 1e-6, "f8"), (0.0, 1.000977, "f2"), (-1e-9, 1.0, "f8"), (0.0, 1.0, "f4")],
)
def test_what_rounding_put_outside_is_clipped_everywhere(
    tmp_path: Path, least: float, greatest: float, dtype: str
) -> None:
    x = images(least, greatest, dtype)
    expected = np.minimum(np.maximum(x, 0), 1)
    assert np.array_equal(within(x, UNIT, refuse), expected)
    np.savez(tmp_path / "data.npz", x_train=x, x_test=x)
    assert NpzDataset(str(tmp_path / "data.npz")).load(tmp_path).test.images.max() == 1
    np.savez(tmp_path / "given.npz", images=x)
    read = opened(tmp_path / "given.npz", Space((1, 4, 4))).read(0, 20)
    assert (read.min(), read.max()) == (max(least, 0), 1)


@pytest.mark.parametrize(
    ("least", "greatest", "match"),
    [
        (
            0.0,
            1.00001,
            "values go from 0 to 1.00001; .* from 0 to 1: if resizing or noise overshot, clip them; else scale",
        ),
        (-2e-6, 1.0, "values go from -2e-06 to 1; .*: if resizing or noise overshot"),
        (-1.0, 1.0, r"values go from -1 to 1; .*: if they go from -1 to 1, save \(x \+ 1\) / 2"),
        (-0.9, 0.8, r"values go from -0.9 to 0.8; .*: if they go from -1 to 1, save \(x \+ 1\) / 2"),
        (0.0, 255.0, "values go from 0 to 255; .*: divide by 255, or save uint8"),
        (0.0, 65535.0, "values go from 0 to 65535; .*: divide by the greatest value of their type, 65535 for 16 bits"),
        (-2.1, 2.6, r"values go from -2.1 to 2.6; .*: if they were standardised, save x \* deviation \+ mean"),
    ],
)
def test_what_is_further_out_is_refused_with_what_was_meant(least: float, greatest: float, match: str) -> None:
    with pytest.raises(DataError, match=match):
        within(images(least, greatest, np.float64), UNIT, refuse)


def test_other_bounds_have_their_own_width() -> None:
    assert within(images(-10.000005, 10.000005, np.float64), (-10.0, 10.0), refuse).min() == -10
    with pytest.raises(DataError, match="values go from -11 to 0.5; expected floats from -10 to 10: scale them"):
        within(images(-11, 0.5), (-10.0, 10.0), refuse)


FORKED = """
import gc, os, sys
from pathlib import Path
import numpy as np
from genbench.data.arrays import rows

images = np.load(sys.argv[1])["images"]
found = rows(Path(sys.argv[1]))
for _ in range(2):
    assert np.array_equal(found.read([0, 30]), images[[0, 30]])
    if not (child := os.fork()):
        del found
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
assert np.array_equal(found.read([7]), images[[7]])
found.read([0])
if not (child := os.fork()):
    del found
    gc.collect()
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_forked_process_that_closes_an_archive_disturbs_no_other(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.arange(50 * 64, dtype=np.uint8).reshape(50, 8, 8))
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(tmp_path / "a.npz")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
