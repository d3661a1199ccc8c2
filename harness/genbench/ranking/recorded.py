"""Models and metrics as records hold them, typed: what tables need of each. What older records lack has a default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from genbench.registry import code, file_options


@dataclass(frozen=True)
class RecordedPlugin:
    """A plugin that results are of. label is what can be typed to get it; target, source and code as `Resolved` has."""

    name: str
    label: str
    target: str = ""
    source: str = ""
    code: str = ""

    @property
    def is_older(self) -> bool:
        """Return whether it is of other code than is here."""
        return code.is_older(self.target, self.source, self.code)

    @property
    def is_another_file(self) -> bool:
        """Return whether its single file is another now, whose content is part of what it is."""
        return code.is_another_file(self.target, self.source)


@dataclass(frozen=True)
class RecordedModel(RecordedPlugin):
    """A model that was trained, or images that stand in its place (is_given).

    options are the names of those that its results depend on; abilities is None where its record says nothing of them,
    family likewise; shown is the label with the names of files in place of their paths, content the first digits of
    what is in these.
    """

    version: int = 1
    distribution: str = ""
    distribution_version: str = ""
    role: str = "model"
    samples_are: str = ""
    family: str | None = None
    abilities: Sequence[str] | None = None
    is_pretrained: bool = False
    is_given: bool = False
    options: frozenset[str] = frozenset()
    shown: str = ""
    content: str = ""

    @property
    def kind(self) -> Literal["ours", "reference"]:
        """Return whether it is ranked (ours) or a reference."""
        return "reference" if self.role == "reference" else "ours"

    @classmethod
    def read(cls, model: Mapping[str, Any]) -> RecordedModel:
        """Return the model of a record that was checked."""
        traits = model["traits"]
        family, abilities = traits.get("family"), traits.get("abilities")
        return cls(
            **_plugin(model),
            version=model["version"],
            distribution=model["distribution"],
            distribution_version=model["distribution_version"],
            role=traits["role"],
            samples_are=traits["samples_are"],
            family=family if isinstance(family, str) else None,
            abilities=[name for name in abilities if isinstance(name, str)] if isinstance(abilities, list) else None,
            is_pretrained=traits.get("trains") is False,
            is_given=traits.get("given") is True,
            options=frozenset(model.get("options", ())),
            shown=file_options.shown(model),
            content=file_options.digits(model),
        )


@dataclass(frozen=True)
class RecordedMetric(RecordedPlugin):
    """A metric that a score is by; extractor is the feature extractor that it used, if any.

    uses_target says whether scores depend on the split that they are computed against.
    """

    title: str = ""
    unit: str = ""
    higher_is_better: bool = True
    caption_extras: Sequence[str] = ()
    bounds: tuple[float, float] | None = None
    real_is_best: bool = True
    uses_target: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    extractor: RecordedPlugin | None = None

    @classmethod
    def read(cls, metric: Mapping[str, Any]) -> RecordedMetric:
        """Return the metric of a record that was checked, labelled by the names of files in place of their paths."""
        traits, bounds = metric["traits"], metric["traits"].get("bounds")
        extractor = traits.get("extractor")
        return cls(
            **{**_plugin(metric), "label": file_options.shown(metric)},
            title=traits["title"],
            unit=traits["unit"],
            higher_is_better=traits["higher_is_better"],
            caption_extras=traits["caption_extras"],
            bounds=(bounds[0], bounds[1]) if bounds and bounds[0] < bounds[1] else None,
            real_is_best=traits.get("real_is_best") is not False,
            uses_target=traits.get("uses_target") is not False,
            options=metric["options"],
            extractor=RecordedPlugin(**_plugin(extractor)) if isinstance(extractor, Mapping) else None,
        )


def _plugin(resolved: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(resolved.get(name, "")) for name in ("name", "label", "target", "source", "code")}
