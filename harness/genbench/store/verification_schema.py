"""What genbench writes into a trial's verification.json, checked whole: anyone may have made the one read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from genbench.store.schema import Hex12, Plain, Sha256, StageName, Whole

Line = Annotated[str, StringConstraints(max_length=2000)]
Time = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00$")]


class Check(Whole):
    """What was found of one step of a score."""

    outcome: Literal["same", "close", "differs", "unchecked"]
    words: Line
    at: Time
    where: Annotated[dict[str, Plain], Field(max_length=50)]


class Score(Whole):
    """What was found of a score: of is the digest of what was looked at."""

    of: Sha256
    steps: Annotated[dict[Literal["record", "fit", "samples", "score"], Check], Field(max_length=4)]


class Verification(Whole):
    """verification.json, the checksum left out."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    trial: Hex12
    scores: Annotated[dict[StageName, Score], Field(max_length=10_000)]
