"""Files that appear whole or not at all, whatever happens while they are written."""

import errno
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from .errors import InputError

_PART = re.compile(r"\.[0-9a-f]{16}\.part")


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file beside its place, flush it to the disk, and only then move it there.

    A reader sees the file of before or the whole of this one; a device or a pipe, such as /dev/stdout, is written to as
    it is. Raises `InputError` where nothing can be written there.
    """
    partial = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, ValueError) as error:  # a ValueError for a name that no file can have
        raise _unwritten(path, error) from None
    finally:
        with suppress(OSError, ValueError):
            partial.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder, and those around it, where they are not; raises `InputError` where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise _unwritten(path, error) from None


def _unwritten(path: Path, error: Exception) -> InputError:
    name = str(path).replace("\0", "\\0")
    return InputError(f"{name}: cannot be written: {getattr(error, 'strerror', None) or error}")


def stray_files(folder: Path) -> list[Path]:
    """The files below a folder that a killed process has not written to their end."""
    return sorted(path for path in folder.rglob(".*.part") if _PART.fullmatch(path.name) and path.is_file())
