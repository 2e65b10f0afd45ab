"""Passwords and tokens in what is shown and handed on: hidden by what they could be, not by the form expected."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

_STARS = "***"

_NAME = re.compile(
    r"(pass(word|wd|phrase|code)?|pwd|pw|secrets?|tokens?|credentials?|auth|key|sig(nature)?)\d*$|^(secret|passw|pwd)",
    re.IGNORECASE,
)
_WORD = r"(?:(?!%3a)[^:/@\\?#\s])*"
_USER = rf"^(?:[\w+.\-]*:?[/\\]+{_WORD}(?::|%3a)|{_WORD}(?::(?![/\\])|%3a))"
_IN_URL = (
    re.compile(rf"{_USER}(?P<secret>.*)@", re.IGNORECASE | re.DOTALL),
    re.compile(rf"{_USER}(?P<secret>.*)%40", re.IGNORECASE | re.DOTALL),
    re.compile(r"^(?:https?|rediss?)(?:\+\w+)?:/+(?P<secret>[^/@]+)@", re.IGNORECASE),
    re.compile(r"^[\w+.\-]*:?//[^:/@\\?#\[\s]+:(?!\d{1,5}(?:[/?#,]|$)|[/\\])(?P<secret>.+)$", re.DOTALL),
)
"""Before an `@`, as it is or percent-encoded; a name that may be the secret; what should be a port and is none."""
_PAIR = re.compile(
    r"(?:(?P<quote>['\"])(?P<quoted>[\w.%\- ]+)(?P=quote)\s*[:=]|(?P<name>[\w.%\-]+)\s*(?:=|%3d))\s*"
    r"(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<plain>[^\s'\"&;]+(?:[&;](?!\w+(?:=|%3d))[^\s'\"&;]*)*))",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\s'\"`<>]+")


def without_password(url: str) -> str:
    """A URL of a storage as it may be shown and handed on, however it is malformed.

    >>> without_password("postgresql://me:secret@host/studies")
    'postgresql://me:***@host/studies'
    >>> without_password("postgres//me:s/e@cret@host/db?sslpassword=secret&port=1")
    'postgres//me:***@host/db?sslpassword=***&port=1'
    """
    return _cut(url, _spans(url))


def without_passwords(text: str, url: str | None = None) -> str:
    """A text as it may be shown: without the secrets of this URL, of any other in it, and of names such as `token`.

    >>> without_passwords("cannot reach 'postgresql://me:secret@host' with api_key = 'abc'")
    "cannot reach 'postgresql://me:***@host' with api_key = '***'"
    """
    if url is not None:
        text = text.replace(url, without_password(url))
        for secret in sorted(_pieces(url), key=len, reverse=True):
            whole = re.escape(secret) if len(secret) > 3 else rf"(?<!\w){re.escape(secret)}(?!\w)"
            text = re.sub(whole, _STARS, text)
    text = _TOKEN.sub(lambda token: without_password(token[0]), text)
    return _cut(text, _named(text))


def without_secrets(tree: Any) -> Any:
    """Nested tables and lists as they may be handed on: without the texts of names such as `token`, and passwords."""
    if isinstance(tree, Mapping):
        return {
            name: _STARS if isinstance(value, str) and value and _NAME.search(str(name)) else without_secrets(value)
            for name, value in tree.items()
        }
    if isinstance(tree, list | tuple):
        return [*map(without_secrets, tree)]
    return without_passwords(tree) if isinstance(tree, str) else tree


def _spans(url: str) -> list[tuple[int, int]]:
    """Where the secrets of a URL stand."""
    before = next((match.span("secret") for form in _IN_URL if (match := form.search(url))), None)
    return ([before] if before else []) + [span for span in _named(url) if before is None or span[0] >= before[1]]


def _named(text: str) -> list[tuple[int, int]]:
    """Where values of names stand that are a secret's; a value may hold names of its own."""
    found, start = [], 0
    while match := _PAIR.search(text, start):
        form = str(match.lastgroup)
        secret = _NAME.search(unquote(match["quoted"] or match["name"]))
        found += [match.span(form)] if secret else []
        start = match.end() if secret else match.start(form)
    return found


def _pieces(url: str) -> set[str]:
    """The secrets of a URL, as they are, decoded, and in the parts that a reader of URLs may take them for."""
    whole = {url[first:last] for first, last in _spans(url)}
    parts = {part for secret in whole for part in re.split(r"[@:/?#&\\]", secret) if len(part) > 3}
    return {form for secret in whole | parts for form in (secret, unquote(secret), repr(secret)[1:-1])} - {"", _STARS}


def _cut(text: str, spans: list[tuple[int, int]]) -> str:
    for first, last in sorted(spans, reverse=True):
        text = f"{text[:first]}{_STARS}{text[last:]}"
    return text
