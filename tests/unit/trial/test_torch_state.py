"""A trial comes to the same numbers whatever its caller has switched in torch, and leaves the caller's state as it was."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genbench
from genbench.errors import DeviceError
from genbench.numerics import precision as precision_of
from genbench.trial import torch_state
from genbench.trial.torch_state import known_state, settled

JOB: dict[str, Any] = {
    "models": "vae[epochs=2]",
    "metrics": "parzen[samples=200],fid[pixels,samples=200]",
    "seeds": 1,
    "reference": "none",
    "engine": "inline",
}


def scores(results: Path) -> dict[str, float]:
    frame = genbench.run(results=results, **JOB).leaderboard
    return dict(zip(frame["metric"], frame["mean"], strict=True))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """The scores of a caller who has switched nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENBENCH_PLUGINS", "")
        return scores(tmp_path_factory.mktemp("plain"))


@contextlib.contextmanager
def switched(set_to: Callable[[Any], object], value: Any, back: Any) -> Iterator[None]:
    set_to(value)
    try:
        yield
    finally:
        set_to(back)


def precision(value: str) -> None:
    """Set the switch of the newer torch, which makes its older getters raise."""
    owner: Any = torch.backends.cuda.matmul
    if hasattr(owner, "fp32_precision"):
        owner.fp32_precision = value


HOSTILE: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "float64 by default": lambda: switched(torch.set_default_dtype, torch.float64, torch.float32),
    "gradients off": lambda: switched(torch.set_grad_enabled, False, True),
    "no_grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "meta by default": lambda: switched(torch.set_default_device, "meta", None),
    "inside a device": lambda: torch.device("meta"),
    "bfloat16 products": lambda: switched(torch.set_float32_matmul_precision, "medium", "highest"),
    "newer and older precision mixed": lambda: switched(precision, "tf32", "ieee"),
    "deterministic warnings": lambda: switched(torch.set_deterministic_debug_mode, "warn", "default"),
    "anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
    "numpy that raises": lambda: np.errstate(all="raise"),
    "two threads": lambda: switched(torch.set_num_threads, 2, 1),
    "no denormals": lambda: switched(torch.set_flush_denormal, True, False),
}


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
@pytest.mark.parametrize("state", HOSTILE)
def test_the_callers_torch_state_changes_no_number(state: str, plain: dict[str, float], tmp_path: Path) -> None:
    with HOSTILE[state]():
        assert scores(tmp_path / "results") == plain


READ: dict[str, Callable[[], Any]] = {
    "dtype": torch.get_default_dtype,
    "device": lambda: torch.empty(0).device,
    "anomalies": lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
    "cudnn": lambda: torch.backends.cudnn.enabled,
    "benchmark": lambda: torch.backends.cudnn.benchmark,
    "fp16": lambda: torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction,
    "bf16": lambda: torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction,
    "mkldnn": torch._C._get_mkldnn_enabled,
    "flash": torch.backends.cuda.flash_sdp_enabled,
    "math": torch.backends.cuda.math_sdp_enabled,
    "efficient": torch.backends.cuda.mem_efficient_sdp_enabled,
    "autocast": lambda: (torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")),
    "filling": lambda: torch.utils.deterministic.fill_uninitialized_memory,
    "precision": lambda: precision_of._readable(torch.get_float32_matmul_precision),
}
"""What is read here by torch's own names, and not by the list that is tested."""

IN_A_TRIAL = {
    "dtype": torch.float32, "device": torch.device("cpu"), "anomalies": (False, True), "cudnn": True, "benchmark": False,
    "fp16": True, "bf16": True, "mkldnn": True, "flash": True, "math": True, "efficient": True, "autocast": (False, False),
    "filling": False, "precision": "highest",
}  # fmt: skip


def set_everything() -> None:
    """Set each switch to something else than it is in a trial."""
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("medium")
    torch.autograd.set_detect_anomaly(True, check_nan=False)
    torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark = False, True
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch._C._set_mkldnn_enabled(False)
    torch.backends.cuda.enable_flash_sdp(False)
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    torch.set_autocast_enabled("cpu", True)
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    torch.set_deterministic_debug_mode("default")
    np.seterr(all="raise")


def everything() -> dict[str, Any]:
    """Return what torch, numpy and the process are set to."""
    return {
        "switches": {name: read() for name, read in READ.items()},
        "precision": [operation.fp32_precision for operation in precision_of._OPERATIONS],
        "older": [precision_of._readable(read) for read, _ in precision_of._OLDER],
        "mode": torch.get_deterministic_debug_mode(),
        "threads": torch.get_num_threads(),
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "numpy": np.geterr(),
        "folder": os.getcwd(),
        "variables": dict(os.environ),
    }


@pytest.mark.parametrize("state", [name for name in HOSTILE if name != "no denormals"])
@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_the_callers_state_is_put_back_also_after_an_error(state: str) -> None:
    with known_state(strict=True, threads=1):
        pass  # what is imported with it sets variables of its own, once
    with HOSTILE[state]():
        before = everything()
        with pytest.raises(ZeroDivisionError, match="on purpose"), known_state(strict=True, threads=1):
            torch.set_default_dtype(torch.float64)
            torch.set_float32_matmul_precision("medium")
            torch.set_grad_enabled(False)
            precision("tf32")
            os.environ["GENBENCH_LEFT_BEHIND"] = "1"
            raise ZeroDivisionError("on purpose")
        assert everything() == before


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_what_a_plugin_switches_when_it_is_imported_lasts_for_no_trial() -> None:
    with known_state(strict=True, threads=1):
        inside = everything()
        assert inside["switches"] == IN_A_TRIAL
        with settled():
            set_everything()
            assert all(everything()["switches"][name] != IN_A_TRIAL[name] for name in ("benchmark", "mkldnn", "flash"))
        assert everything() == inside
        with torch.no_grad(), settled():
            torch.set_grad_enabled(True)
        with torch.no_grad():
            with settled():
                torch.set_grad_enabled(True)
            assert not torch.is_grad_enabled()  # figures are drawn without gradients


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_every_switch_of_the_caller_is_put_back() -> None:
    with known_state(strict=True, threads=1):  # around it, so that this test leaves nothing behind
        with known_state(strict=True, threads=1):
            pass
        set_everything()
        before = everything()
        with known_state(strict=True, threads=1):
            assert everything()["switches"] == IN_A_TRIAL
            torch.backends.cudnn.enabled = True
        assert everything() == before
    torch.set_grad_enabled(True)
    np.seterr(all="warn", under="ignore")


def test_a_module_that_switches_precision_gives_the_same_bits_first_and_later(
    install: Callable[[str, str], str], tmp_path: Path
) -> None:
    """Its import happens once in a process: the first trial must not differ from the second."""
    install(
        "switching",
        """
import genbench, torch
from dataclasses import dataclass
from typing import ClassVar

torch.set_float32_matmul_precision("medium")
torch.set_default_dtype(torch.float64)

@dataclass(eq=False)
class Switching(genbench.Model):
    '''Its images tell the precision that it is built, trained and sampled in.'''
    version: ClassVar[int] = 1
    def build(self, space, device):
        self.space = space
        self.seen_ = [torch.get_float32_matmul_precision() + str(torch.zeros(1).dtype)]
    def fit(self, data, run):
        self.seen_ = self.seen_ + [torch.get_float32_matmul_precision() + str(torch.zeros(1).dtype)]
        assert self.seen_ == ["highesttorch.float32"] * 2, self.seen_
    def sample(self, n, generator):
        assert torch.get_float32_matmul_precision() == "highest"
        return torch.zeros(n, *self.space.shape)

@genbench.hookimpl
def register_models(register):
    register("switching", Switching, summary="Switches torch when it is imported.")
""",
    )
    before = everything()
    report = genbench.run(
        models="switching", metrics="parzen[samples=100]", seeds=2, reference="none", engine="inline", results=tmp_path
    )
    assert everything() == before  # it was imported here too, when the run was planned
    assert [outcome.status for outcome in report.outcomes.values()] == ["done", "done"], report.outcomes


def test_calls_from_several_threads_wait_for_each_other(plain: dict[str, float], tmp_path: Path) -> None:
    before, found = everything(), {}

    def call(number: int) -> None:
        found[number] = scores(tmp_path / str(number))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(3), plain)
    assert everything() == before


def test_cublas_used_too_early_is_said_once_and_no_trial_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("not deterministic because it uses CuBLAS ... CUBLAS_WORKSPACE_CONFIG=:4096:8")

    monkeypatch.setattr(torch, "ones", refuse)
    with pytest.raises(DeviceError, match="before CUBLAS_WORKSPACE_CONFIG was set.*use --engine process"):
        torch_state._check_repeatable()


def test_importing_genbench_sets_what_cublas_reads_once() -> None:
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] in (":4096:8", ":16:8")
