"""Which settings of `[data]` go with which task."""

from collections.abc import Iterator

from .data import DataModule, DataSource, ImageFolder, OfTask, Parquet, Torchvision
from .metrics import BuiltIn

_LABELS = ("labels", "file_column", "label_column", "label_columns")
_MASKS = ("masks", "mask_column")
_SETTINGS = (*_LABELS, *_MASKS, "class_names")


def refuse_what_does_not_fit(data: DataSource, task: BuiltIn) -> None:
    """Raise `ValueError` where images have no labels of this task, or a setting says nothing for it."""
    if isinstance(data, DataModule | OfTask):
        return
    if not isinstance(data, ImageFolder | Parquet):
        if task != "classification":
            kinds = "'folder', 'parquet', 'module'"
            has = "reads them with a class each" if isinstance(data, Torchvision) else "has a class for each image"
            raise ValueError(f"found {data.kind!r} with the task {task!r}, which {has}; allowed: {kinds}")
        return
    said = {name for name in _SETTINGS if name in data.model_fields_set and getattr(data, name)}
    for name, reason in _misplaced(data, task, said):
        raise ValueError(f"found {name} = {_written(getattr(data, name))}, {reason}")
    if missing := _missing(data, task, said):
        raise ValueError(f"found the task {task!r} without {missing}")


def _misplaced(data: ImageFolder | Parquet, task: BuiltIn, said: set[str]) -> Iterator[tuple[str, str]]:
    """Settings that have no place, each with the reason and what to do."""
    of_masks = task == "segmentation"
    others = _LABELS if of_masks else _MASKS
    use = "masks or mask_column" if of_masks else "label_column or label_columns"
    yield from (
        (name, f"with the task {task!r}, whose labels are in {use}; leave it out") for name in others if name in said
    )
    if {"label_column", "label_columns"} <= said:
        yield "label_columns", "beside label_column; leave one of them out"
    if len(set(data.label_columns)) < len(data.label_columns):
        yield "label_columns", "in which a column stands twice; allowed: each once"
    if len(set(data.class_names)) < len(data.class_names):
        yield "class_names", "in which a name stands twice; allowed: each once"
    if isinstance(data, ImageFolder) and data.labels is None and not of_masks:
        reason = "without labels, the file that has such a column; name it, or leave it out"
        yield from ((name, reason) for name in _LABELS if name in said)
    if "class_names" in said:
        yield from (("class_names", reason) for reason in _named_already(data, task, said))


def _named_already(data: ImageFolder | Parquet, task: BuiltIn, said: set[str]) -> Iterator[str]:
    """Why classes need no names."""
    if task == "regression":
        yield "with the task 'regression', whose values have the names of their columns; leave it out"
    elif "label_columns" in said:
        yield "beside label_columns, which are the names; leave it out"
    elif task == "classification" and isinstance(data, ImageFolder) and data.labels is None:
        yield "for a folder whose sub-folders are the classes; leave it out"


def _missing(data: ImageFolder | Parquet, task: BuiltIn, said: set[str]) -> str:
    """The setting that a task needs and does not have, with an example; empty where there is none."""
    folder = isinstance(data, ImageFolder)
    if task == "segmentation" and not said & set(_MASKS):
        return "masks, the folder of them: masks = 'masks'" if folder else "mask_column: mask_column = 'mask'"
    if task in ("multilabel", "regression") and isinstance(data, ImageFolder) and data.labels is None:
        return "labels, the table of them: labels = 'labels.csv'"
    return ""


def _written(value: object) -> str:
    return repr([*value] if isinstance(value, tuple) else value)
