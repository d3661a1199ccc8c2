"""What datasets that read files of anyone's need: files opened, images and arrays checked before they are read.

For plugins. Importing it imports neither numpy nor Pillow. What cannot be read is refused by a DataError that names the
file, what was found and what to do.
"""

import os
from pathlib import Path

from genbench.data.arrays import UNREADABLE, checked_head
from genbench.data.image_files import SUFFIXES, entries, head, pixels, refuse
from genbench.data.ranges import UNIT, within
from genbench.data.splitting import held_out, in_three, permutation
from genbench.errors import did_you_mean, printable
from genbench.files import digest, fingerprint, opened, sha256, state

__all__ = [
    "SUFFIXES",
    "UNIT",
    "UNREADABLE",
    "checked_head",
    "did_you_mean",
    "digest",
    "entries",
    "expanded",
    "fingerprint",
    "head",
    "held_out",
    "in_three",
    "opened",
    "permutation",
    "pixels",
    "printable",
    "refuse",
    "sha256",
    "state",
    "within",
]


def expanded(path: str) -> Path:
    """Return a path with ~ as the home folder; where there is no such user, ~nobody stays, where pathlib raises."""
    return Path(os.path.expanduser(path))
