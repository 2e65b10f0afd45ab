"""Faults of input: where, what was found, what is allowed, and the nearest right spelling."""

from collections.abc import Iterable
from difflib import get_close_matches

from .secrets import without_passwords

_LONGEST = 200  # letters of what was found


class InputError(ValueError):
    """What the user gave cannot be used; the message says where, what was found and what is allowed.

    The command line shows the message without a traceback and ends with exit code 2.
    """


def quoted(value: object) -> str:
    """What was found, as an error shows it: not too long, and without passwords.

    >>> quoted("many"), quoted(["postgresql://me:secret@host"])
    ("'many'", "['postgresql://me:***@host']")
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # more digits, or deeper, than Python spells
        return f"a value of type {type(value).__name__} that is too long to show"
    text = without_passwords(text, value if isinstance(value, str) and value else None)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"


def allowed(found: object, names: Iterable[str]) -> str:
    """Say which names are allowed, and which of them was probably meant.

    >>> allowed("sse", ["none", "se", "cbam"])
    "did you mean 'se'? allowed: none, se, cbam"
    """
    names = list(names)
    close = get_close_matches(str(found), names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(names) or 'nothing'}"
