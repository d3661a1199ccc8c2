"""The page as text: one file without a link to any other, whose policy lets nothing run or load but what it brings."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import jinja2

from genbench.html_report.contents import Contents

HERE = Path(__file__).parent
STYLE, SCRIPT = "report.css", "report.js"


def html(contents: Contents) -> str:
    """Return the page of its contents. Every text in it is escaped by the template."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in (STYLE, SCRIPT))
    template = environment.get_template("report.html")
    return template.render(page=contents, style=style, script=script, policy=_policy(style, script))


def _policy(style: str, script: str) -> str:
    """Return the content security policy: this style and script by their hashes, images inside the file, no more."""
    return (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
