"""What each image of the validation part got from a trained network, and its form in a file."""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_attn.settings import check_format
from nas_attn.space import InputError

_NEWEST = 1
_VALUE = "value:"
"""Before the name of a measure, which may be any."""


@dataclass(frozen=True, eq=False, slots=True)
class Outcomes:
    """What each validation image got in one training, in the order of the validation part."""

    images: str
    """The SHA-256 of which images these are, in which order and with which labels."""
    classes: NDArray[np.int32]
    """The class of each image, shape (images,); empty where the task has other labels."""
    values: Mapping[str, NDArray[Any]]
    """By measure, the mean of which over the images it is, shape (images,): bool for right or not, else float32."""

    def __len__(self) -> int:
        return max((values.size for values in self.values.values()), default=0)


def images_digest(digest: str, labels: NDArray[Any]) -> str:
    """The SHA-256 of images, of a digest of their source and their labels in the order in which they come."""
    return hashlib.sha256(f"{digest} {len(labels)} ".encode() + labels.tobytes()).hexdigest()


def packed_outcomes(outcomes: Outcomes) -> tuple[bytes, str]:
    """The content of a compressed file, and its SHA-256; the same outcomes have the same."""
    arrays = {f"{_VALUE}{name}": values for name, values in outcomes.values.items()}
    file = io.BytesIO()
    np.savez_compressed(
        file,
        format_version=np.array(_NEWEST),
        images=np.frombuffer(bytes.fromhex(outcomes.images), dtype=np.uint8),
        classes=outcomes.classes,
        **arrays,  # type: ignore[arg-type]
    )
    return file.getvalue(), hashlib.sha256(file.getvalue()).hexdigest()


def unpacked_outcomes(content: bytes, sha256: str) -> Outcomes:
    """What `packed_outcomes` has written; nothing in it is run.

    Raises `InputError` where the content has another SHA-256, a newer version wrote it, or it holds something else.
    """
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise InputError(f"its SHA-256 is {found}, and its row says {sha256}")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            check_format(int(arrays["format_version"]), _NEWEST, "this file")
            values = {name.removeprefix(_VALUE): arrays[name] for name in arrays.files if name.startswith(_VALUE)}
            read = Outcomes(arrays["images"].tobytes().hex(), arrays["classes"], values)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"holds no outcomes: {error}") from None
    shapes = {array.shape for array in (*values.values(), *([read.classes] if read.classes.size else []))}
    kinds = {array.dtype.kind for array in values.values()}
    if shapes != {(len(read),)} or not kinds <= {"b", "f"}:
        found_shapes = ", ".join(map(str, sorted(shapes))) or "none"
        raise InputError(f"holds no outcomes: found arrays of the shapes {found_shapes}; allowed: numbers (images,)")
    return read
