"""What the comment behind a field says of an option: read from the text of its class, for people alone."""

from __future__ import annotations

import contextlib
import inspect
import io
import itertools
import textwrap
import tokenize
from collections.abc import Iterator

FOR_TOOLS = ("type:", "noqa", "pragma:", "fmt:")


def meanings(cls: type) -> dict[str, str]:
    """Return the comments behind the fields of a class and of those it inherits from, by field; {} without a text."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        with contextlib.suppress(OSError, TypeError, SyntaxError, tokenize.TokenError):
            found |= dict(_behind_fields(textwrap.dedent(inspect.getsource(base))))
    return found


def _behind_fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each annotated field in a class's body with the comment at the end of its first line."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    depth = 0
    for _, several in itertools.groupby(tokens, lambda token: token.start[0]):
        line = list(several)
        depth += sum({tokenize.INDENT: 1, tokenize.DEDENT: -1}.get(token.type, 0) for token in line)
        words = [token for token in line if token.type not in (tokenize.INDENT, tokenize.DEDENT)]
        comment = next((token.string.lstrip("# ") for token in words if token.type == tokenize.COMMENT), "")
        is_field = len(words) > 2 and words[0].type == tokenize.NAME and words[1].string == ":"
        if depth == 1 and is_field and comment and not comment.startswith(FOR_TOOLS):
            yield words[0].string, comment
