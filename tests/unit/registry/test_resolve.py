"""From a typed text to a plugin with all its options, remembered while its files are unchanged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import TESTS

from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("toy", "toy"),
        ("toy[epochs=2]", "toy[epochs=2]"),  # its default, and yet asked for
        ("toy[lr=0.2,epochs=3]", "toy[epochs=3,lr=0.2]"),
        ("toy[lr=1]", "toy[lr=1.0]"),
        ("toy@long", "toy@long"),
        ("toy@long[epochs=5]", "toy@long[epochs=5]"),
        ("toy@long[epochs=2]", "toy@long[epochs=2]"),
        ("toy[hidden=[8, 4]]", "toy[hidden=[8,4]]"),
    ],
)
def test_labels_are_canonical_and_can_be_typed(text: str, label: str, toy: str) -> None:
    resolver = Resolver(load_registry())
    found = resolver.resolve("model", text)
    assert found.label == label
    assert resolver.resolve("model", label).identity == found.identity


def test_a_dataset_of_ones_own_is_named_as_it_was_typed() -> None:
    resolver = Resolver(load_registry())
    assert resolver.resolve("dataset", "npz:some/file.npz").label == "npz:some/file.npz"
    assert resolver.resolve("dataset", "folder:pictures[size=32]").label == "folder:pictures[size=32]"


def test_a_preset_and_its_options_are_one_identity(toy: str) -> None:
    resolver = Resolver(load_registry())
    assert resolver.resolve("model", "toy@long").identity == resolver.resolve("model", "toy[epochs=5]").identity


def test_settings_stand_apart(toy: str) -> None:
    found = Resolver(load_registry()).resolve("model", "toy[verbose=true]")
    assert (found.settings, "verbose" in found.options) == ({"verbose": True}, False)
    assert found.instantiate().verbose is True


def test_what_was_resolved_is_remembered_without_importing_the_plugin(toy: str, tmp_path: Path) -> None:
    first = Resolver(load_registry(), tmp_path).resolve("model", "toy[lr=0.5]")
    code = (
        "import sys; from pathlib import Path; from genbench.registry.plugins import load_registry\n"
        "from genbench.registry.resolve import Resolver\n"
        f"found = Resolver(load_registry(), Path({str(tmp_path)!r})).resolve('model', 'gan')\n"
        "print('torch' in sys.modules, found.label)"
    )
    Resolver(load_registry(), tmp_path).resolve("model", "gan")
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "GENBENCH_PLUGINS": ""},
    )
    assert done.stdout == "False gan\n"
    assert Resolver(load_registry(), tmp_path).resolve("model", "toy[lr=0.5]") == first


def test_an_edited_plugin_is_resolved_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (TESTS / "toy_plugin" / "genbench_toy.py").read_text()
    module = tmp_path / "edited_toy.py"
    monkeypatch.syspath_prepend(tmp_path)
    info = tmp_path / "edited_toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: edited-toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[genbench]\nedited = edited_toy\n")
    monkeypatch.setenv("GENBENCH_PLUGINS", "edited-toy")
    resolved = []
    for epochs in (2, 7):
        module.write_text(
            source.replace("epochs: int = 2", f"epochs: int = {epochs}").replace("genbench_toy:", "edited_toy:")
        )
        sys.modules.pop("edited_toy", None)
        resolved.append(Resolver(load_registry(), tmp_path / "cache").resolve("model", "toy"))
    assert [found.options["epochs"] for found in resolved] == [2, 7]
    assert resolved[0].source != resolved[1].source


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(toy: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Resolver(load_registry(), tmp_path / "file").resolve("model", "toy").label == "toy"
