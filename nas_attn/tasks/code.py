"""Digests of a user's own code, so that rows of two trainings do not mix."""

import hashlib
import inspect
from pathlib import Path

from nas_attn.settings import named_object


def code_digest(name: str) -> str:
    """The SHA-256 of the file in which `package.module:name` is written; of what has no file, its name."""
    found = named_object(name)
    try:
        return hashlib.sha256(Path(inspect.getfile(found)).read_bytes()).hexdigest()
    except (TypeError, OSError):  # a partial, or what was made at runtime
        return hashlib.sha256(repr(name).encode()).hexdigest()
