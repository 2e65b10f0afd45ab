"""Errors of a user's input: where, what was found, what is allowed, and the nearest right spelling."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from .secrets import without_passwords

_LONGEST = 200  # letters of what was found


class InputError(ValueError):
    """What the user gave cannot be used; the message says where, what was found and what is allowed.

    The command line shows the message without a traceback and ends with exit code 2.
    """


@contextmanager
def reported(what: str, *kinds: type[Exception]) -> Iterator[None]:
    """Context in which an exception of these kinds becomes an `InputError`: what failed, and why, in a line.

    Without kinds every exception does, and its type is named. An `InputError` goes through.

    >>> with reported("labels.csv: cannot be read", OSError):
    ...     raise FileNotFoundError(2, "No such file")
    Traceback (most recent call last):
    nas_attn.space.errors.InputError: labels.csv: cannot be read: No such file
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if kinds and not isinstance(error, kinds):
            raise
        reason = getattr(error, "strerror", None) or first_line(error) if kinds else in_a_line(error)
        raise InputError(f"{what}: {reason}") from error


def in_a_line(error: BaseException) -> str:
    """The type of an exception, what it says and its notes; of a worker's traceback the end."""
    lines = str(error).strip().splitlines() or [""]
    line = lines[-1] if "Traceback" in str(error) else f"{type(error).__name__}: {lines[0]}".removesuffix(": ")
    return "; ".join((line, *getattr(error, "__notes__", ())))


def first_line(error: Exception) -> str:
    """The first line of what an exception says, its type where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


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
