"""genbench: train generative models under one protocol, score them under named ones, and rank them honestly.

The names below are public. Importing this package imports nothing heavy: `run`, `load_results` and the like are loaded
when they are first used.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from genbench.api import (
    API_VERSION,
    Dataset,
    Engine,
    Evaluation,
    Event,
    FeatureExtractor,
    ImageSet,
    Metric,
    Model,
    Place,
    Range,
    Register,
    Run,
    Score,
    Search,
    Space,
    Split,
    Splits,
    Task,
    TrainingData,
    setting,
)
from genbench.errors import DataError, Diverged, GenbenchError, NotFitted, Unsupported
from genbench.files import fingerprint, opened
from genbench.hookspecs import hookimpl
from genbench.named_files import File

# torch reads it once, at a process's first product on a GPU, and repeats its bits only where it is set by then.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

if TYPE_CHECKING:
    from genbench.comparison.compare_call import compare
    from genbench.engines.process import ProcessEngine
    from genbench.runs.execution import run
    from genbench.runs.external import evaluate
    from genbench.runs.report import Report
    from genbench.runs.stored import load_results, load_verdicts
    from genbench.trial.carrying import TrialFiles
    from genbench.trial.task import perform
    from genbench.tuning.tune_call import tune

__version__ = "0.1.0"

_LAZY = {
    "ProcessEngine": "genbench.engines.process",
    "Report": "genbench.runs.report",
    "TrialFiles": "genbench.trial.carrying",
    "compare": "genbench.comparison.compare_call",
    "evaluate": "genbench.runs.external",
    "load_results": "genbench.runs.stored",
    "load_verdicts": "genbench.runs.stored",
    "perform": "genbench.trial.task",
    "run": "genbench.runs.execution",
    "tune": "genbench.tuning.tune_call",
}

__all__ = [
    "API_VERSION",
    "DataError",
    "Dataset",
    "Diverged",
    "Engine",
    "Evaluation",
    "Event",
    "FeatureExtractor",
    "File",
    "GenbenchError",
    "ImageSet",
    "Metric",
    "Model",
    "NotFitted",
    "Place",
    "ProcessEngine",
    "Range",
    "Register",
    "Report",
    "Run",
    "Score",
    "Search",
    "Space",
    "Split",
    "Splits",
    "Task",
    "TrainingData",
    "TrialFiles",
    "Unsupported",
    "__version__",
    "compare",
    "evaluate",
    "fingerprint",
    "hookimpl",
    "load_results",
    "load_verdicts",
    "opened",
    "perform",
    "run",
    "setting",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'genbench' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
