"""Images in Parquet files: encoded bytes, alone or in a struct as the Hugging Face layout has them, and labels."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nas_attn.labels import Table, read_labels
from nas_attn.settings import BuiltIn, Parquet
from nas_attn.space import InputError, allowed, reported

from .gallery import Gallery, Rows, labelled, present_classes
from .masks import Pairs, with_masks
from .pixels import decode

_AT_ONCE = 1024
_LABELS = (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean)
_UNREADABLE = (pa.ArrowException, OSError, UnicodeDecodeError)


def open_parquet(files: Sequence[Path], source: Parquet, task: BuiltIn) -> Gallery:
    """The images of Parquet files with the same columns, of which only the labels are read at once.

    Classes have the names that labels are, or that the file's metadata gives them, else their index. A class without a
    row is left out.

    Raises `InputError` where a file is not Parquet, or a column is missing or of the wrong kind.
    """
    shards = _Shards.of(files, source)
    if task != "classification" or source.label_columns or source.class_names:
        columns = source.label_columns or (source.label_column,)
        table = Table(shards.where, {name: shards.values(name) for name in columns}, lambda row: f"row {row}")
        names = source.class_names or class_names(shards.schema, source.label_column)
        chosen = None if source.label_columns else source.label_column
        labels = read_labels(table, task, chosen, source.label_columns, names)
        return labelled(shards.gallery, labels, np.arange(shards.count), task)
    for path, file in shards.files.items():
        _label_column(path, file.schema_arrow, source.label_column)
    with reported(f"{shards.where}: {source.label_column}: differs from file to file", *_UNREADABLE):
        arrays = [_labels(path, file, source.label_column) for path, file in shards.files.items()]
        labels_of_all = pa.concat_arrays(arrays)
    names_there, values = present_classes(*_classes(shards.where, source.label_column, labels_of_all, shards.schema))
    return shards.gallery(class_names=names_there, labels=values)


def open_masked_parquet(parts: Mapping[str, Sequence[Path]], source: Parquet) -> dict[str, Gallery]:
    """The images of the files of each part, with masks of a column of their own; faults as of `open_parquet`."""
    return with_masks({role: _pairs(_Shards.of(files, source), source) for role, files in parts.items()}, source)


def _pairs(shards: "_Shards", source: Parquet) -> Pairs:
    masks = {
        path: _image_column(path, file.schema_arrow, source.mask_column, "mask_column")
        for path, file in shards.files.items()
    }
    labels = np.zeros((shards.count, 0), dtype=np.uint8)
    gallery = shards.gallery(class_names=(), labels=labels, task="segmentation")
    return Pairs(gallery, shards.encoded, lambda rows: shards.encoded(rows, masks))


@dataclass(frozen=True, eq=False)
class _Shards:
    """Files with the same columns, opened."""

    source: Parquet
    where: str
    files: dict[Path, pq.ParquetFile]
    images: dict[Path, str]
    """The column of images in each."""

    @classmethod
    def of(cls, paths: Sequence[Path], source: Parquet) -> "_Shards":
        """Open files; raises `InputError` where one is not Parquet, or has no column of images."""
        files = {path: _open(path) for path in paths}
        where = str(paths[0] if len(paths) == 1 else paths[0].parent)
        images = {path: _images_of(path, file, source) for path, file in files.items()}
        return cls(source, where, files, images)

    @property
    def schema(self) -> pa.Schema:
        """Of the first file."""
        return next(iter(self.files.values())).schema_arrow

    @property
    def count(self) -> int:
        """Rows of all files."""
        return sum(file.metadata.num_rows for file in self.files.values())

    def values(self, name: str) -> list[Any]:
        """A column of all files."""
        found = []
        for path, file in self.files.items():
            if name not in file.schema_arrow.names:
                setting = "label_columns" if self.source.label_columns else "label_column"
                raise InputError(
                    f"{path}: has no column {name!r} for {setting}; {allowed(name, file.schema_arrow.names)}"
                )
            found += _column(path, file, name).to_pylist()
        return found

    def encoded(self, rows: Rows, columns: Mapping[Path, str] | None = None) -> Iterator[tuple[str, bytes]]:
        """The files of the images of some rows, or of what is in other columns."""
        starts = np.cumsum([0, *(file.metadata.num_rows for file in self.files.values())])
        for path, first, last in zip(self.files, starts, starts[1:], strict=False):
            yield from _encoded(path, (columns or self.images)[path], rows[(rows >= first) & (rows < last)] - first)

    def gallery(self, **labels: Any) -> Gallery:
        """The images, with names and labels."""
        source = self.source

        def pixels(rows: Rows) -> NDArray[np.uint8]:
            return decode(self.encoded(rows), len(rows), source.channels, source.image_size, source.background)

        return Gallery(
            where=self.where,
            decode=pixels,
            named=lambda row: f"row {row}",
            encoded=lambda: (content for _, content in self.encoded(np.arange(self.count))),
            groups=source.group_column and _groups(self.files, source.group_column),
            **labels,
        )


def _groups(tables: Mapping[Path, pq.ParquetFile], name: str) -> list[str]:
    for path, file in tables.items():
        if name not in file.schema_arrow.names:
            raise InputError(
                f"{path}: has no column {name!r} for group_column; {allowed(name, file.schema_arrow.names)}"
            )
    return [str(one) for path, file in tables.items() for one in _column(path, file, name).to_pylist()]


def _labels(path: Path, file: pq.ParquetFile, name: str) -> pa.Array:
    """The labels of a file as int64, or else as text."""
    column = _column(path, file, name)
    values = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    if pa.types.is_integer(values.type):
        return values.cast(pa.int64())
    return pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.string())


def _column(path: Path, file: pq.ParquetFile, name: str) -> pa.Array:
    with reported(f"{path}: {name}: cannot be read", *_UNREADABLE):
        return file.read([name]).column(name).combine_chunks()


def _classes(where: str, name: str, labels: pa.Array, schema: pa.Schema) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The class of each row, and the names of all classes, if they have any."""
    if labels.null_count:
        raise InputError(f"{where}: {name}: {labels.null_count} rows have no label; remove them")
    if not pa.types.is_integer(labels.type):
        with reported(f"{where}: {name}: cannot be read", *_UNREADABLE):
            found, numbers = np.unique(labels.to_numpy(zero_copy_only=False).astype(str), return_inverse=True)
        return np.asarray(numbers, dtype=np.int64), tuple(found.tolist())
    indices, names = _indices(where, name, labels), class_names(schema, name)
    if names and indices.max() >= len(names):
        row = int(indices.argmax())
        raise InputError(f"{where}: row {row}: {name}: found {indices[row]}, but there are {len(names)} names")
    return indices, names


def _images_of(path: Path, file: pq.ParquetFile, source: Parquet) -> str:
    return _image_column(path, file.schema_arrow, source.image_column, other=source.mask_column)


def encoded_images(path: Path, source: Parquet) -> Iterator[tuple[str, bytes]]:
    """Every image of a file; raises `InputError` where it, or its column of images, cannot be read."""
    file = _open(path)
    column = _images_of(path, file, source)
    return _encoded(path, column, np.arange(file.metadata.num_rows))


def _open(path: Path) -> pq.ParquetFile:
    with reported(f"{path}: is not a Parquet file", *_UNREADABLE):
        file = pq.ParquetFile(path)
    if not file.metadata.num_rows:
        raise InputError(f"{path}: has no rows")
    return file


def _label_column(path: Path, schema: pa.Schema, name: str) -> str:
    if name not in schema.names:
        raise InputError(f"{path}: has no column {name!r} for label_column; {allowed(name, schema.names)}")
    kind = schema.field(name).type
    if not (pa.types.is_dictionary(kind) or any(fits(kind) for fits in _LABELS)):
        raise InputError(
            f"{path}: {name}: found {kind}; label_column must hold whole numbers, 0 for the first class, or names"
        )
    return name


def _image_column(
    path: Path, schema: pa.Schema, name: str | None, setting: str = "image_column", other: str | None = None
) -> str:
    """The column of images, or of masks; without a name, the only one beside the other."""
    images: list[str] = [field.name for field in schema if _holds_bytes(field.type) and field.name != other]
    if name is None and len(images) == 1:
        return images[0]
    if name is None:
        columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
        found = f"several columns of images; set image_column to one of {', '.join(images)}"
        raise InputError(f"{path}: has {found if images else f'no column of images; found {columns}'}")
    if name not in schema.names:
        raise InputError(f"{path}: has no column {name!r} for {setting}; {allowed(name, images or schema.names)}")
    if name not in images:
        found = schema.field(name).type
        raise InputError(f"{path}: {name}: found {found}; {setting} must hold bytes, or structs that hold them")
    return name


def _holds_bytes(kind: pa.DataType) -> bool:
    """Whether a column holds encoded images, alone or, as the Hugging Face layout has them, in a struct."""
    if pa.types.is_struct(kind):
        kind = kind.field("bytes").type if kind.get_field_index("bytes") >= 0 else pa.null()
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _indices(path: str, name: str, numbers: pa.Array) -> NDArray[np.int64]:
    indices: NDArray[np.int64] = numbers.to_numpy().astype(np.int64)
    if indices.min() < 0:
        row = int(indices.argmin())
        rule = "a class index is 0 or more; -1 often stands for an image without a label"
        raise InputError(f"{path}: row {row}: {name}: found {indices[row]}; {rule}")
    return indices


def class_names(schema: pa.Schema, column: str) -> tuple[str, ...]:
    """The names that the Hugging Face metadata give to class indices, alone or in lists; none where they are silent.

    A list of classes is written as `{"feature": {"names": ...}, "_type": "Sequence"}`, as `List`, or as `[{...}]`.
    """
    try:
        feature = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][column]
        inner = feature[0] if isinstance(feature, list) else feature.get("feature", feature)
        names = tuple(str(name) for name in inner["names"])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return ()
    return names if len(set(names)) == len(names) else ()


def _encoded(path: Path, column: str, rows: Rows) -> Iterator[tuple[str, bytes]]:
    start = 0
    with reported(f"{path}: {column}: cannot be read", *_UNREADABLE):
        file = pq.ParquetFile(path)
        struct = pa.types.is_struct(file.schema_arrow.field(column).type)
        for batch in file.iter_batches(_AT_ONCE, columns=[f"{column}.bytes" if struct else column]):
            first, last = np.searchsorted(rows, (start, start + len(batch)))
            wanted = rows[first:last]
            for row, image in zip(wanted, batch.column(0).take(pa.array(wanted - start)).to_pylist(), strict=True):
                content = image["bytes"] if struct and image is not None else image
                if content is None:
                    raise InputError(f"{path}: row {row}: {column}: holds no bytes")
                yield f"{path}: row {row}", content
            start += len(batch)
