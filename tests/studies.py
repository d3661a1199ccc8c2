"""What the tests of user studies share: the models shown, and what a page holds."""

import json
import re
from pathlib import Path
from typing import Any

import drawable

VAE, FITTED = "vae[epochs=1]", "gaussian"
COLOUR, BELL = f"{drawable.__file__}:Noise", f"{drawable.__file__}:Bell"


def shown(page: Path) -> dict[str, Any]:
    """Return what a page holds of its study."""
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="study">(.*?)</script>', text)[1])
