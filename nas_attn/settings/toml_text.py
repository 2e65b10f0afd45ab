"""TOML text of tables: what a program writes, and a user reads and changes."""

import json
import re
from collections.abc import Mapping
from typing import Any

from nas_attn.space import InputError, quoted

_UNQUOTED = re.compile(r"[A-Za-z0-9_-]+")


def toml_lines(table: Mapping[str, Any]) -> list[str]:
    """Keys with their values, a line each; raises as `toml_value` does."""
    return [f"{toml_key(name)} = {toml_value(value)}" for name, value in table.items()]


def toml_comment(text: str) -> str:
    r"""A comment of one line, whatever the text holds.

    >>> toml_comment("2 classes: a\nb, c")
    '# 2 classes: a?b, c'
    """
    return "# " + "".join(letter if letter.isprintable() else "?" for letter in text)


def toml_key(name: str) -> str:
    """A key, in quotes where it needs them.

    >>> toml_key("se"), toml_key("my_package.blocks:Mine")
    ('se', '"my_package.blocks:Mine"')
    """
    return name if _UNQUOTED.fullmatch(name) else toml_value(name)


def toml_value(value: Any) -> str:
    r"""A text, number, truth value, list or table as TOML has it, in one line.

    >>> print(toml_value({"path": 'my "photos"', "sizes": [1, 2.5], "wide": True}))
    { path = "my \"photos\"", sizes = [1, 2.5], wide = true }

    Raises `InputError` for a text that TOML cannot hold, such as a file's name that is not UTF-8.
    """
    if isinstance(value, Mapping):
        return "{ " + ", ".join(toml_lines(value)) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InputError(f"found {quoted(value)}, which is not UTF-8, as TOML has to be; rename it") from None
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
