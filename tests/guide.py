"""Runs a document: writes its titled code blocks to files and its console blocks' commands to a shell, in order.

To write the commands' real output into the guide: python tests/guide.py
"""

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GUIDE = Path(__file__).parents[1] / "docs" / "plugins.md"
BLOCK = re.compile(r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.DOTALL | re.MULTILINE)


@dataclass
class Command:
    """A line after `$ `, what the document shows under it, and what it printed."""

    line: str
    shown: list[str]
    printed: list[str]
    code: int


class Reader:
    """Follows a document from an empty folder, in an environment of its own that sees this one's packages."""

    def __init__(self, folder: Path) -> None:
        self.environment = folder / "environment"
        self.here = folder / "empty"
        self.here.mkdir()
        venv.create(self.environment, with_pip=True)
        (packages,) = self.environment.glob("lib/python*/site-packages")
        outer = sysconfig.get_path("purelib")  # a .pth in it, of an editable install, counts too
        (packages / "outer.pth").write_text(f"import site; site.addsitedir({outer!r})\n")
        (self.environment / "bin" / "genbench").write_text(
            f"#!{self.environment}/bin/python\nimport sys; from genbench.cli import main; sys.exit(main())\n"
        )
        (self.environment / "bin" / "genbench").chmod(0o755)

    def follow(self, text: str) -> Iterator[Command]:
        """Do what each block of a document says; yield each command once it has run."""
        for block in BLOCK.finditer(text):
            if block["title"]:
                (self.here / block["title"]).write_text(block["text"])
            elif block["language"] == "console":
                for part in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
                    line, *shown = part.rstrip("\n").split("\n")
                    yield self._run(line, shown)

    def _run(self, line: str, shown: list[str]) -> Command:
        words = shlex.split(line)
        if words[0] == "cd":
            self.here /= words[1]
            return Command(line, shown, [], 0)
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.here,
            env=self._variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        printed = [text.rstrip() for text in done.stdout.rstrip().split("\n")] if done.stdout else []
        return Command(line, shown, printed, done.returncode)

    def _variables(self) -> dict[str, str]:
        given = {name: value for name, value in os.environ.items() if not name.startswith("GENBENCH_")}
        cache = self.environment.parent / "cache"
        own = {
            "PATH": f"{self.environment / 'bin'}:{os.environ['PATH']}",
            "GENBENCH_CACHE": str(cache),
            "COLUMNS": "100",
        }
        return {**given, **own, "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def rewritten(text: str, commands: list[Command]) -> str:
    """Return a document with what its commands printed in place of what it showed."""
    left = iter(commands)

    def block(match: re.Match[str]) -> str:
        if match["language"] != "console":
            return match[0]
        lines = []
        for _ in re.findall(r"^\$ ", match["text"], flags=re.MULTILINE):
            command = next(left)
            lines += [f"$ {command.line}", *command.printed]
        return "\n".join(["```console", *lines, "```"])

    return BLOCK.sub(block, text)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        followed = []
        for command in Reader(Path(temporary)).follow(GUIDE.read_text()):
            print(f"$ {command.line}", *command.printed, sep="\n", file=sys.stderr)
            followed.append(command)
    GUIDE.write_text(rewritten(GUIDE.read_text(), followed))
