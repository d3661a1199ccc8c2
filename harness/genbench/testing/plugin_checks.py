"""What every plugin must hold, of whatever kind: words, options, a plain constructor, a light registration."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from genbench import api
from genbench.errors import GenbenchError
from genbench.files import canonical
from genbench.registry import file_options, loading, options, spec
from genbench.registry.plugins import describe
from genbench.testing import cuda_standin
from genbench.testing.exercise import exercise
from genbench.testing.fingerprint import changed, fingerprints
from genbench.testing.fixtures import Fixtures
from genbench.testing.fresh_process import ask
from genbench.testing.outcomes import CheckSkipped, fail
from genbench.testing.subject import Subject
from genbench.trial import seeding, state

ON_A_DEVICE = ("model", "metric", "extractor")
"""The kinds of plugin that compute with tensors on a device that they are given."""


def check_docstring(fixtures: Fixtures) -> None:
    """The class says what it is, and from which paper."""
    cls = fixtures.subject.cls
    text = vars(cls).get("__doc__") or ""
    if not text.strip() or text.startswith(f"{cls.__name__}("):  # what dataclass writes where there is none
        fail(
            f"{cls.__name__} has no docstring",
            "a sentence on what it is, and the paper it is from",
            "Write one under the class line: genbench show prints it.",
        )


def check_options_typed(fixtures: Fixtures) -> None:
    """Every option has a type and a default that is of this type; presets too."""
    subject = fixtures.subject
    try:
        declared = options.declared(subject.cls)
    except GenbenchError as error:
        fail(str(error), "a dataclass whose fields are typed and have defaults", "See the guide's section on options.")
    for option in declared.values():
        if option.hint in (Any, object) or option.name.endswith("_") or not spec.OPTION.fullmatch(option.name):
            fail(
                f"option {option.name!r} is of type {option.expected}",
                "a small-letter name that does not end in _, and a type such as int or Annotated[float, Gt(0)]",
                "Give it a type that says which values it takes: values are refused by it before anything trains.",
            )
    for which, values in _option_sets(subject):
        try:
            options.complete(subject.cls, subject.label, values)
        except GenbenchError as error:
            fail(f"{which} is refused: {error}", "values of the declared types", "Mend the value, or widen the type.")


def _option_sets(subject: Subject) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the options checked with, and those of each preset, all spelt out."""
    yield "the set of defaults", subject.options
    for preset, values in subject.cls.presets.items():
        yield f"preset {preset!r}", {**subject.options, **values}


def check_options_survive(fixtures: Fixtures) -> None:
    """Every option comes back from the command line, TOML and JSON as it went."""
    subject = fixtures.subject
    for which, values in _option_sets(subject):
        values = json.loads(json.dumps(values))
        given = {name: value for name, value in file_options.typed(values).items() if value is not None}  # as in TOML
        ways = {
            "the command line": spec.parse(spec.format_request(spec.Request("plugin", options=given))).options,
            "TOML": tomllib.loads("\n".join(f"{name} = {json.dumps(value)}" for name, value in given.items())),
            "JSON": _stored(options.construct(subject.cls, json.loads(canonical(values))), values),
        }
        for way, returned in ways.items():
            _compare(options.complete(subject.cls, subject.label, returned), values, f"{which} through {way}")


def _stored(plugin: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plugin's options as they stand in its fields, as JSON values."""
    found = {name: getattr(plugin, name) for name in values}
    stored: dict[str, Any] = json.loads(json.dumps(found, default=file_options.plain))
    return stored


def _compare(returned: Mapping[str, Any], sent: Mapping[str, Any], which: str) -> None:
    for name, value in sent.items():
        if returned[name] != value and value is not None:
            fail(
                f"{which}: option {name!r} went as {value!r} and came back as {returned[name]!r}",
                "the same value",
                "Leave fields as they are given: work on copies, made in build.",
            )


def check_constructor_only_stores(fixtures: Fixtures) -> None:
    """The constructor stores its options as they are, and neither makes state nor draws random numbers."""
    subject = fixtures.subject
    before = fingerprints(seeding.global_state())
    plugin = subject.make()
    _compare(_stored(plugin, subject.options), subject.options, "the constructor")
    made = [name for name, value in vars(plugin).items() if name.endswith("_") or _is_heavy(value)]
    if made:
        fail(
            f"the constructor makes {', '.join(made)}",
            "an object that holds its options alone",
            "Make networks, tensors and optimisers in build: it is given the shape of images and the device.",
        )
    if changed(before, fingerprints(seeding.global_state())):
        fail(
            "the constructor changes the global random generators",
            "no random numbers before build",
            "Draw in build or fit, where the trial's seed is set.",
        )


def _is_heavy(value: object) -> bool:
    return isinstance(value, (torch.Tensor, np.ndarray, torch.nn.Module, torch.Generator, *state.OPTIMISERS))


def check_version_declared(fixtures: Fixtures) -> None:
    """The class declares its version, a whole number from 1."""
    cls = fixtures.subject.cls
    own = [base for base in cls.__mro__ if "version" in vars(base) and base.__module__ != api.__name__]
    version = getattr(cls, "version", None)
    is_number = isinstance(version, int) and not isinstance(version, bool) and version >= 1
    if not own or not is_number or "version" in {field.name for field in dataclasses.fields(cls)}:
        seen = f"{cls.__name__} declares no version" if not own else f"{cls.__name__}.version is {version!r}"
        fail(
            seen,
            "version: ClassVar[int] = 1 in the class",
            "Raise it when results change: stored trials of the version before are then not taken for the new.",
        )


def check_registering_is_light(fixtures: Fixtures) -> None:
    """Registering the name imports no heavy package."""
    entry = fixtures.subject.entry
    if entry is None or loading.is_file(entry.target):
        raise CheckSkipped("it is registered under no name")
    allowed = "" if fixtures.subject.is_builtin else entry.plugin.name
    heavy = ask(fixtures.subject, "imported-by-registering", plugins=allowed)
    if heavy:
        fail(
            f"registering {entry.name} imports {', '.join(heavy)}",
            "nothing heavy: every genbench command waits for it, help too",
            f'Keep the class in a module of its own, and register it by text: "{entry.target}".',
        )


def check_works_without_cuda(fixtures: Fixtures) -> None:
    """It works where no GPU is to be seen."""
    if torch.cuda.is_available():
        if skipped := ask(fixtures.subject, "exercise", dataset=fixtures.dataset):
            raise CheckSkipped(skipped)
        return
    try:
        exercise(fixtures)
    except (AssertionError, RuntimeError) as error:
        if not any(word in str(error) for word in ("CUDA", "cuda", "NVIDIA")):
            raise
        fail(
            f"without a GPU it raised {describe(error)}",
            "work on the device it is given",
            "Use the device handed to build (and run.device, generator.device), never .cuda().",
        )


def check_works_on_cuda(fixtures: Fixtures) -> None:
    """It works on a GPU, where there is one."""
    if not torch.cuda.is_available():
        raise CheckSkipped("no CUDA device is here")
    exercise(Fixtures(fixtures.subject, fixtures.dataset, "cuda"))


def check_works_on_a_stand_in_for_cuda(fixtures: Fixtures) -> None:
    """It uses the device it is given, tried on a stand-in for a GPU where there is none."""
    if torch.cuda.is_available():
        raise CheckSkipped("a GPU is here: works-on-cuda tells more")
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < cuda_standin.OLDEST:
        raise CheckSkipped(f"the stand-in is made for torch 2.11 and later; this is {torch.__version__}")
    if fixtures.subject.kind.name not in ON_A_DEVICE:
        raise CheckSkipped(f"no {fixtures.subject.kind.name} is given a device to compute on")
    answer = ask(fixtures.subject, "exercise-on-a-stand-in", dataset=fixtures.dataset)
    if "skipped" in answer:
        raise CheckSkipped(answer["skipped"])
    if "failed" in answer:
        fail(
            f"on a stand-in for a GPU {answer['failed']}",
            "tensors and generators on the device that it is given",
            "Give device= (of build, run.device, x.device or generator.device) to whatever makes a tensor, "
            "and call .cpu() before .numpy().",
        )


CHECKS = (
    check_docstring,
    check_options_typed,
    check_options_survive,
    check_constructor_only_stores,
    check_version_declared,
    check_registering_is_light,
    check_works_without_cuda,
    check_works_on_cuda,
    check_works_on_a_stand_in_for_cuda,
)
