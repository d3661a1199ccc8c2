"""What genbench writes into a trial's record and a score's file, checked whole: anyone may have made the one read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from genbench import files
from genbench.errors import StoreError, printable
from genbench.store.bounds import GREATEST, MOST
from genbench.store.layout import BULK, LOG, MODEL, SHARD

STAGE = re.compile(r"[a-z0-9][a-z0-9-]*")
"""The names of stages: parts of paths, so that a dot or slash in one could lead out of the trial's folder."""


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    raise PydanticCustomError("plain", "a text or a number")


def _moderate(value: float) -> float:
    if abs(value) < GREATEST:
        return value
    raise PydanticCustomError("moderate", "a number that can be averaged")


Hex12 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{12}$")]
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
StageName = Annotated[str, StringConstraints(pattern=f"^{STAGE.pattern}$", max_length=100)]
Count = Annotated[int, Field(ge=0, lt=MOST)]
Number = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_moderate)]
Plain = Annotated[Any, PlainValidator(_plain)]

EXPECTED: Mapping[str, str] = {
    "int_type": f"a whole number from 0 to {MOST - 1}",
    "greater_than_equal": f"a whole number from 0 to {MOST - 1}",
    "less_than": f"a whole number from 0 to {MOST - 1}",
    "float_type": "a finite number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "dict_type": "an object",
    "model_type": "an object",
    "list_type": "a list",
    "string_pattern_mismatch": "digits 0-9 and a-f, as many as genbench writes",
    "literal_error": "what a stage is computed from",
    "plain": "a text or a number",
    "moderate": f"a number of less than {GREATEST:g} in size",
}
"""What to expect instead, by pydantic's name for what is wrong; else a text."""


class Shape(BaseModel):
    """An object of which these fields are needed. Nothing is converted: true is no number, 1 no text."""

    model_config = ConfigDict(strict=True, extra="allow", protected_namespaces=())


class Whole(Shape):
    """An object with these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Identity(Shape):
    """What a trial's id is a hash of."""

    model: dict[str, Any]
    dataset: str
    seed: Count
    budget: dict[str, Number]
    select: str = ""


class ModelTraits(Shape):
    """What a record holds about a model."""

    role: str
    samples_are: str


class Model(Shape):
    """A model as resolved."""

    label: str
    version: Count
    distribution: str
    distribution_version: str
    target: str
    source: str
    traits: ModelTraits
    code: str = ""
    name: str = ""
    options: dict[str, Any] = {}
    settings: dict[str, Any] = {}


class Space(Whole):
    """The space of images in a record: (C, H, W), the number of classes, the least and greatest value."""

    shape: Annotated[list[Annotated[int, Field(ge=1, le=1 << 14)]], Field(min_length=3, max_length=3)]
    classes: Count | None
    bounds: Annotated[list[Number], Field(min_length=2, max_length=2)]


class Dataset(Shape):
    """A dataset as resolved, with the digest of its content; space is new."""

    label: str
    digest: str
    space: Space | None = None


class MetricTraits(Shape):
    """What a record holds about a metric."""

    title: str
    unit: str
    higher_is_better: bool
    caption_extras: list[str]
    bounds: Annotated[list[Number], Field(min_length=2, max_length=2)] | None = None


class Metric(Shape):
    """A metric as resolved."""

    label: str
    name: str
    options: dict[str, Any]
    traits: MetricTraits


class RequestedScore(Shape):
    """A protocol that was asked for, and what came in the way."""

    id: str
    words: str
    problem: str
    skipped: str
    metric: Metric


class Stamp(Whole):
    """What is kept of a file."""

    size: Count
    sha256: Sha256


class Details(Shape):
    """What a stage took and came to."""

    parameters: Number | None = None
    images: Count | None = None
    peak_memory_mib: Number | None = None
    steps: Number | None = None
    batch: Annotated[int, Field(ge=1, lt=MOST)] = 1
    batches: Annotated[int, Field(ge=1, lt=MOST)] = 1


class Stage(Whole):
    """A finished step of a trial."""

    files: dict[str, Stamp]
    seconds: Number
    inputs: dict[Literal["model", "dataset", "samples", "extractor"], str]
    details: Details


class Record(Whole):
    """trial.json, the schema's number and the checksum left out."""

    id: Hex12
    identity: Identity
    model: Model
    dataset: Dataset
    seed: Count
    budget: dict[str, Number]
    status: str
    reason: str
    wanted: dict[StageName, RequestedScore]
    stages: dict[StageName, Stage]
    environment: dict[str, Plain]
    attempts: Count
    fresh: str
    dropped: list[str] = []


class Score(Shape):
    """The file of a trial's score under a protocol."""

    value: Number
    extras: dict[str, Number]
    samples: Count
    against: Count = 0
    stderr: Number | None = None
    notes: list[str] = []
    weights: str = ""
    code: dict[str, str] = {}


def check_record(record: Mapping[str, Any], where: str) -> None:
    """Raise StoreError unless a record is one that genbench writes, of the trial whose id it has."""
    check(Record, record, where)
    for name, stage in record["stages"].items():
        _check_files(name, stage, where)
    _check_dropped(record, where)
    if len({wanted["id"] for wanted in record["wanted"].values()}) < len(record["wanted"]):
        raise StoreError(f"{where} is not as genbench writes it: it has a protocol twice; each counts once")
    identity = record["identity"]
    stated = {"seed": record["seed"], "dataset": record["dataset"]["digest"], "budget": record["budget"]}
    other = next((part for part, value in stated.items() if identity[part] != value), "")
    if other or record["id"] != files.digest(identity, 12):
        what = other or "id"
        raise StoreError(
            f"{where} is of no trial: its {what} is not what its identity says; it was changed, or mixed up"
        )


def check_score(content: Mapping[str, Any], where: str) -> None:
    """Raise StoreError unless the content of a score's file is what genbench writes."""
    check(Score, content, where)


def check(shape: type[Shape], content: object, where: str, expected: Mapping[str, str] = EXPECTED) -> None:
    """Raise StoreError, with what is expected by pydantic's name for what is wrong, unless a content has a shape."""
    try:
        shape.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise StoreError(f"{where} is not as genbench writes it: {_in_words(first, expected)}") from error


def _in_words(error: Mapping[str, Any], expected: Mapping[str, str]) -> str:
    """Return what is wrong, in words."""
    if not error["loc"]:
        return f"it is {printable(repr(error['input']), 60)}; expected {expected.get(error['type'], 'a text')}"
    *above, last = map(str, error["loc"])
    path = printable(".".join([*above, last]))
    if error["type"] == "missing":
        return f"it has no {path}"
    if error["type"] == "extra_forbidden":
        return f"it has {path}, which is unknown"
    value = printable(repr(error["input"]), 60)
    if last == "[key]" and above[0] in ("wanted", "stages") and len(above) == 2:
        return f"stage {value}; expected a-z, 0-9 and -"
    return f"{path.removesuffix('.[key]')} is {value}; expected {expected.get(error['type'], 'a text')}"


# Files ---------------------------------------------------------------------------------------------------------------

DRAWN = re.compile(rf"samples/[0-9]{{5,9}}-[0-9]{{5,9}}({re.escape(SHARD)}|\.{re.escape(LOG)})")


def _check_files(stage: str, kept: Mapping[str, Any], where: str) -> None:
    """Raise StoreError unless a stage lists the files that it is made of, and no others."""
    needed, is_known = _files_of(stage)
    if stray := next((name for name in kept["files"] if not is_known(name)), ""):
        raise StoreError(
            f"{where} is not as genbench writes it: {stage} lists the file {printable(repr(stray), 60)}; "
            f"expected {needed or 'those of samples'} and what belongs to it"
        )
    if not any(name == needed or (not needed and name.endswith(SHARD)) for name in kept["files"]):
        raise StoreError(f"{where} is not as genbench writes it: {stage} lists no {needed or 'file of samples'}")
    if stage == "samples" and not {"batch", "batches"} <= kept["details"].keys():
        raise StoreError(f"{where} is not as genbench writes it: it has no {stage}.details.batch and batches")


def _check_dropped(record: Mapping[str, Any], where: str) -> None:
    """Raise StoreError unless what was let go are listed files of weights and samples."""
    listed = {name for stage in BULK for name in record["stages"].get(stage, {"files": ()})["files"]}
    stray = next((name for name in record.get("dropped", ()) if name not in listed or not name.endswith(SHARD)), "")
    if stray:
        raise StoreError(
            f"{where} is not as genbench writes it: dropped names {printable(repr(stray), 60)}; expected listed files "
            "of weights or samples"
        )


def _files_of(stage: str) -> tuple[str, Callable[[str], object]]:
    """Return the file that a stage cannot be without, and what tells whether a name is of one of its files."""
    if stage == "fit":
        return MODEL, (MODEL, LOG).__contains__
    if stage == "samples":
        return "", DRAWN.fullmatch
    return f"metrics/{stage}.json", (f"metrics/{stage}.json", f"metrics/{stage}{SHARD}").__contains__
