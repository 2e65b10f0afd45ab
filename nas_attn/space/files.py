"""Files that appear whole or not at all, whatever happens while they are written."""

import os
import secrets
from pathlib import Path

from .errors import InputError


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file beside its place, flush it to the disk, and only then move it there.

    A reader sees the file of before or the whole of this one. Raises `InputError` where nothing can be written there.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
