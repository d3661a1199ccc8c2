"""What the tests of whole plugin projects share: a project put where Python finds it, as an installation would."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


def install(project: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a project's src and, in `site`, its metadata on the path, and allow this plugin alone; return its name."""
    described = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    name, version = described["name"], described["version"]
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = described["entry-points"]["genbench"]
    (info / "entry_points.txt").write_text("[genbench]\n" + "".join(f"{p} = {m}\n" for p, m in points.items()))
    monkeypatch.syspath_prepend(site)
    monkeypatch.syspath_prepend(project / "src")
    monkeypatch.setenv("GENBENCH_PLUGINS", name)
    return name  # type: ignore[no-any-return]


def run_own_tests(project: Path, site: Path) -> None:
    """Run the tests of an installed project in a process of their own, with its own settings; warnings are errors."""
    path = os.pathsep.join(map(str, [site, project / "src", *sys.path]))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "."],
        cwd=project,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
