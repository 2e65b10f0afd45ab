"""Images in a Parquet file of the Hugging Face layout: encoded bytes in a struct, and a class index."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nas_attn.settings import Parquet
from nas_attn.space import InputError, allowed, reported

from .gallery import Gallery, Rows, indexed_gallery
from .pixels import Encoded, decode

_AT_ONCE = 1024
_UNREADABLE = (pa.ArrowException, OSError)


def open_parquet(path: Path, source: Parquet) -> Gallery:
    """The images of a Parquet file, of which only the labels are read at once.

    Classes have the names that the file's metadata gives them, else their index. A class without a row is left out.

    Raises `InputError` where there is no such file, it is not Parquet, or a column is missing or of the wrong kind.
    """
    file = _open(path)
    label_column = _label_column(path, file.schema_arrow, source.label_column)
    image_column = _image_column(path, file.schema_arrow, source.image_column)
    with reported(f"{path}: {label_column}: cannot be read", *_UNREADABLE):
        numbers = file.read([label_column]).column(label_column)
    indices = _indices(path, label_column, numbers)
    names = _class_names(file.schema_arrow, label_column)
    if names and indices.max() >= len(names):
        row = int(indices.argmax())
        raise InputError(f"{path}: row {row}: {label_column}: found {indices[row]}, but there are {len(names)} names")

    def pixels(rows: Rows) -> NDArray[np.uint8]:
        images = _encoded(path, image_column, rows)
        return decode(images, len(rows), source.channels, source.image_size, source.background)

    return indexed_gallery(str(path), indices, names, pixels)


def encoded_images(path: Path, source: Parquet) -> Iterator[Encoded]:
    """Every image of a file; raises `InputError` where it, or its column of images, cannot be read."""
    file = _open(path)
    column = _image_column(path, file.schema_arrow, source.image_column)
    return _encoded(path, column, np.arange(file.metadata.num_rows))


def _open(path: Path) -> pq.ParquetFile:
    if not path.exists():
        raise InputError(f"{path}: there is no such file")
    if path.is_dir():
        inside = ", ".join(sorted(str(child.relative_to(path)) for child in path.rglob("*.parquet")))
        raise InputError(f"{path}: is a folder; name a file. It holds {inside or 'no Parquet file'}")
    with reported(f"{path}: is not a Parquet file", *_UNREADABLE):
        return pq.ParquetFile(path)


def _label_column(path: Path, schema: pa.Schema, name: str) -> str:
    if name not in schema.names:
        raise InputError(f"{path}: has no column {name!r} for label_column; {allowed(name, schema.names)}")
    if not pa.types.is_integer(schema.field(name).type):
        found = schema.field(name).type
        raise InputError(f"{path}: {name}: found {found}; label_column must hold whole numbers, 0 for the first class")
    return name


def _image_column(path: Path, schema: pa.Schema, name: str | None) -> str:
    images: list[str] = [field.name for field in schema if _holds_bytes(field.type)]
    if name is None and len(images) == 1:
        return images[0]
    if name is None:
        columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
        found = f"several columns of images; set image_column to one of {', '.join(images)}"
        raise InputError(f"{path}: has {found if images else f'no column of images; found {columns}'}")
    if name not in schema.names:
        raise InputError(f"{path}: has no column {name!r} for image_column; {allowed(name, images or schema.names)}")
    if name not in images:
        found = schema.field(name).type
        raise InputError(f"{path}: {name}: found {found}; image_column must be a struct that holds bytes")
    return name


def _holds_bytes(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        return False
    inner = kind.field("bytes").type
    return bool(pa.types.is_binary(inner) or pa.types.is_large_binary(inner))


def _indices(path: Path, name: str, numbers: pa.ChunkedArray) -> NDArray[np.int64]:
    if not len(numbers):
        raise InputError(f"{path}: has no rows")
    if numbers.null_count:
        raise InputError(f"{path}: {name}: {numbers.null_count} rows have no label; remove them")
    indices: NDArray[np.int64] = numbers.to_numpy().astype(np.int64)
    if indices.min() < 0:
        row = int(indices.argmin())
        rule = "a class index is 0 or more; -1 often stands for an image without a label"
        raise InputError(f"{path}: row {row}: {name}: found {indices[row]}; {rule}")
    return indices


def _class_names(schema: pa.Schema, label_column: str) -> tuple[str, ...]:
    """The names that the Hugging Face metadata give to class indices; none where they are silent."""
    try:
        metadata = json.loads((schema.metadata or {})[b"huggingface"])
        names = tuple(str(name) for name in metadata["info"]["features"][label_column]["names"])
    except (KeyError, TypeError, ValueError):
        return ()
    return names if len(set(names)) == len(names) else ()


def _encoded(path: Path, column: str, rows: Rows) -> Iterator[Encoded]:
    start = 0
    with reported(f"{path}: {column}: cannot be read", *_UNREADABLE):
        for batch in pq.ParquetFile(path).iter_batches(_AT_ONCE, columns=[f"{column}.bytes"]):
            first, last = np.searchsorted(rows, (start, start + len(batch)))
            wanted = rows[first:last]
            for row, image in zip(wanted, batch.column(0).take(pa.array(wanted - start)).to_pylist(), strict=True):
                if image is None or image["bytes"] is None:
                    raise InputError(f"{path}: row {row}: {column}: holds no bytes")
                yield f"{path}: row {row}", image["bytes"]
            start += len(batch)
