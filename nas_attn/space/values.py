"""The value of an option, spelt and read back: `read_value(spell_value(value))` is the value, of the same type."""

import math
import re

Value = str | int | float | bool
"""The value of an option: plain, so that it can stand in a file, a database and a spelling."""

_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_KIND = re.compile(rf"{_WORD.pattern}((\.{_WORD.pattern})*:{_WORD.pattern})?", re.ASCII)


def is_word(text: str) -> bool:
    """Whether a text can name an option: ASCII letters, digits and `_`, no digit first."""
    return _WORD.fullmatch(text) is not None


def is_kind(text: str) -> bool:
    """Whether a text can name a kind: a word, or words that lead to a user's own.

    >>> is_kind("se"), is_kind("my_package.blocks:MyAttention"), is_kind("my_package.blocks")
    (True, True, False)
    """
    return _KIND.fullmatch(text) is not None


def spell_value(value: Value) -> str:
    """The text of an option's value: `true`, `8`, `0.5` or a word.

    Raises `ValueError` for a text that would be another value when it is read back, and for a number
    that is not finite.
    """
    if type(value) is bool:
        return str(value).lower()
    if type(value) is str and is_word(value) and read_value(value) == value:
        return value
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)
    raise ValueError(
        f"found the option value {value!r}; allowed: true, false, a finite number,"
        " or a word of letters, digits and _ that reads as none of these"
    )


def read_value(text: str) -> Value:
    """The value that a text stands for; what is neither a truth value nor a number stands for itself.

    >>> read_value("true"), read_value("8"), read_value("1e-07"), read_value("mean")
    (True, 8, 1e-07, 'mean')
    """
    if text in ("true", "false"):
        return text == "true"
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
