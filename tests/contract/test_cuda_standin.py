"""The stand-in for CUDA itself: every planted mistake is refused as CUDA refuses it, and its sound twin passes."""

import json
import os
import re
import subprocess
import sys

import pytest
from places import TESTS
from standin.mistakes import MISTAKES
from standin.uses import USES

HERE = TESTS / "standin"

Became = tuple[dict[str, tuple[str, str]], dict[str, str]]


def python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the stand-in's hook on its path."""
    environment = {name: value for name, value in os.environ.items() if name != "CUBLAS_WORKSPACE_CONFIG"}
    environment |= {"PYTHONPATH": str(HERE), "CUDA_VISIBLE_DEVICES": "0", **variables}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def became() -> Became:
    done = python("-W", "error", str(HERE / "cases.py"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_as_by_cuda_and_its_sound_twin_passes(name: str, became: Became) -> None:
    raised, twin = became[0][name]
    assert re.match(MISTAKES[name][1], raised, re.DOTALL), raised
    assert twin == ""


@pytest.mark.parametrize("name", USES)
def test_what_works_on_a_gpu_works(name: str, became: Became) -> None:
    assert became[1][name] == ""


def test_the_hook_installs_it_with_torch_and_only_where_it_is_asked_for() -> None:
    code = "import torch; print(torch.cuda.is_available() and torch.cuda.get_device_name(0), torch.cuda.device_count())"
    assert python("-c", code, GENBENCH_STANDIN="1").stdout == "stand-in for a GPU 1\n"
    code = "import torch, sys; print('genbench' in sys.modules)"
    assert python("-c", code, GENBENCH_STANDIN="0").stdout == "False\n"


def test_it_needs_torch_alone() -> None:
    code = (
        "import sys, torch; before = set(sys.modules); import genbench; genbench_itself = set(sys.modules)\n"
        "import genbench.testing.cuda_standin\n"
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - genbench_itself} - sys.stdlib_module_names))\n"
        "print([name for name in set(sys.modules) - genbench_itself if name.startswith('genbench.') and 'standin' not in name])\n"
    )
    assert python("-c", code).stdout == "['genbench']\n['genbench.testing']\n"


def test_meta_stays_meta_where_the_gpu_is_hidden() -> None:
    code = "import torch\nwith torch.device('meta'): layer = torch.nn.Linear(2, 3)\nprint(layer.weight.device)"
    hidden = python("-c", code, GENBENCH_STANDIN="1", CUDA_VISIBLE_DEVICES="")
    assert hidden.stdout == "meta\n", hidden.stderr
