"""The new process that `fresh_process` asks. Run as `python -m genbench.testing.fresh QUESTION FOLDER`.

It finds what it is asked in FOLDER/asked.json, and leaves FOLDER/answer.json. It imports what a question needs once it
is asked, since one of them is what registering imports.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genbench.testing.subject import Subject

Question = Mapping[str, Any]

HEAVY = (
    "torch", "torchvision", "torch_fidelity", "numpy", "scipy", "pandas", "sklearn", "matplotlib", "PIL", "jax",
    "tensorflow", "transformers",
)  # fmt: skip
"""Packages that take long to import, and that a registering module must leave to the classes it names."""


def imported_by_registering(query: Question) -> list[str]:
    """Return the heavy packages that finding and registering the plugins imports."""
    from genbench.registry.plugins import load_registry

    load_registry()
    return [name for name in HEAVY if name in sys.modules]


def samples(query: Question) -> None:
    """Draw samples of a stored model, and leave them in a file."""
    import torch

    from genbench.api import Space
    from genbench.testing.fixtures import Fixtures
    from genbench.trial import sampling, state

    fixtures = Fixtures(_subject(query))
    space_fields = query["space"]
    space = Space(tuple(space_fields["shape"]), space_fields["classes"], tuple(space_fields["bounds"]))
    model = fixtures.built(space)
    state.restore(model, Path(query["model"]), torch.device("cpu"))
    drawn = fixtures.sample(fixtures.evaluating(model), query["n"])
    sampling.save_shard(Path(query["drawn"]), drawn)


def exercise(query: Question) -> str:
    """Use the plugin once, in the simplest way; return why it could not be used, or ""."""
    from genbench.testing.exercise import exercise as use
    from genbench.testing.fixtures import Fixtures
    from genbench.testing.outcomes import CheckSkipped

    try:
        use(Fixtures(_subject(query), query["dataset"]))
    except CheckSkipped as skipped:
        return str(skipped)
    return ""


def exercise_on_a_stand_in(query: Question) -> dict[str, str]:
    """Use the plugin once on the stand-in for a GPU; return {"failed": why}, {"skipped": why}, or {}."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "0"  # the stand-in's, where true ones are hidden
    from genbench.testing import cuda_standin

    cuda_standin.install()  # before anything takes from torch what it replaces

    from genbench.errors import Unsupported
    from genbench.testing.exercise import exercise as use
    from genbench.testing.fixtures import Fixtures
    from genbench.testing.outcomes import CheckSkipped, reason_of

    subject = _subject(query)
    try:
        use(Fixtures(subject, query["dataset"], "cuda"))
    except (CheckSkipped, Unsupported) as skipped:
        return {"skipped": str(skipped)}
    except (Exception, SystemExit) as error:
        limit = cuda_standin.limit_behind(error)
        return {"skipped": limit} if limit else {"failed": reason_of(error, subject.file)}
    return {}


def digest(query: Question) -> str:
    """Return the digest of a dataset's content."""
    from genbench.testing.dataset_checks import loaded_digest

    return loaded_digest(_subject(query))


def features(query: Question) -> tuple[str, list[list[float]]]:
    """Return an extractor's digest, and its features of the first test images of a dataset."""
    import torch

    from genbench.testing.fixtures import Fixtures

    fixtures = Fixtures(_subject(query), query["dataset"])
    extractor = fixtures.extractor()
    with torch.no_grad(), fixtures.trial_environment():
        found = extractor.features(fixtures.split("test").images[: query["n"]])
    return str(extractor.digest), found.tolist()


def _subject(query: Question) -> Subject:
    from genbench.registry.plugins import KINDS, Entry, Plugin
    from genbench.testing.subject import Subject

    entry = Entry(query["kind"], "checked", query["target"], "", Plugin("checked", "checked", ""), query["digest"])
    return Subject("checked", KINDS[query["kind"]], entry.load(), query["options"], entry)


QUESTIONS: dict[str, Callable[[Question], Any]] = {
    "imported-by-registering": imported_by_registering,
    "samples": samples,
    "exercise": exercise,
    "exercise-on-a-stand-in": exercise_on_a_stand_in,
    "digest": digest,
    "features": features,
}


def main(question: str, folder: Path) -> None:
    """Answer a question."""
    query = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    (folder / "answer.json").write_text(json.dumps(QUESTIONS[question](query)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
