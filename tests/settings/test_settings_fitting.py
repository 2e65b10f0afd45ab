"""Settings of images that do not go with the task are refused where the study file is read."""

import pytest

from nas_attn.settings import ImageFolder, Parquet, read_study_file

FOLDER, PARQUET = "kind = 'folder'\npath = 'p'\n", "kind = 'parquet'\npath = 'p'\n"


@pytest.mark.parametrize(
    ("task", "data", "fault"),
    [
        (
            "classification",
            FOLDER + "masks = 'm'",
            "found masks = 'm', with the task 'classification', whose labels are in",
        ),
        (
            "segmentation",
            FOLDER + "masks = 'm'\nlabels = 'l.csv'",
            "found labels = 'l.csv', with the task 'segmentation'",
        ),
        (
            "segmentation",
            PARQUET + "mask_column = 'm'\nlabel_columns = ['a']",
            "found label_columns = ['a'], with the task",
        ),
        ("segmentation", PARQUET + "mask_column = 'm'\nlabel_column = 'a'", "found label_column = 'a', with the task"),
        ("segmentation", FOLDER, "found the task 'segmentation' without masks, the folder of them: masks = 'masks'"),
        ("segmentation", PARQUET, "found the task 'segmentation' without mask_column: mask_column = 'mask'"),
        ("multilabel", FOLDER, "found the task 'multilabel' without labels, the table of them: labels = 'labels.csv'"),
        ("regression", FOLDER, "found the task 'regression' without labels, the table of them: labels = 'labels.csv'"),
        (
            "regression",
            PARQUET + "class_names = ['a']",
            "found class_names = ['a'], with the task 'regression', whose values",
        ),
        (
            "multilabel",
            PARQUET + "label_column = 'a'\nlabel_columns = ['a', 'b']",
            "found label_columns = ['a', 'b'], beside",
        ),
        (
            "multilabel",
            PARQUET + "label_columns = ['a', 'a']",
            "found label_columns = ['a', 'a'], in which a column stands twice",
        ),
        (
            "multilabel",
            PARQUET + "class_names = ['a', 'a']",
            "found class_names = ['a', 'a'], in which a name stands twice",
        ),
        (
            "multilabel",
            PARQUET + "label_columns = ['a', 'b']\nclass_names = ['c', 'd']",
            "found class_names = ['c', 'd'], beside",
        ),
        (
            "classification",
            FOLDER + "label_column = 'a'",
            "found label_column = 'a', without labels, the file that has such",
        ),
        (
            "classification",
            FOLDER + "class_names = ['a', 'b']",
            "found class_names = ['a', 'b'], for a folder whose sub-folders",
        ),
        (
            "multilabel",
            "kind = 'digits'",
            "found 'digits' with the task 'multilabel', which has a class for each image; allowed:",
        ),
        (
            "regression",
            "kind = 'planted'",
            "found 'planted' with the task 'regression', which has a class for each image",
        ),
        (
            "segmentation",
            "kind = 'torchvision'\nname = 'VOCSegmentation'\npath = 'p'",
            "found 'torchvision' with the task",
        ),
    ],
)
def test_what_does_not_fit_the_task_is_refused(faults_of, task, data, fault):
    (line,) = faults_of(f"space = 's'\ntask = '{task}'\n[data]\n{data}")
    assert line.startswith(f"3: data: {fault}")


def test_the_digits_that_are_taken_where_nothing_is_said_are_refused_too(faults_of):
    (line,) = faults_of("space = 's'\ntask = 'segmentation'")
    assert line == (
        "1: data: found 'digits' with the task 'segmentation', which has a class for each image;"
        " allowed: 'folder', 'parquet', 'module'"
    )


@pytest.mark.parametrize(
    ("task", "data", "expected"),
    [
        (
            "segmentation",
            FOLDER + "masks = 'm'\nclass_names = ['a', 'b']",
            ImageFolder(path="p", masks="m", class_names=("a", "b")),
        ),
        ("multilabel", FOLDER + "labels = 'l.csv'", ImageFolder(path="p", labels="l.csv")),
        (
            "classification",
            FOLDER + "labels = 'l.csv'\nfile_column = 'f'\nlabel_columns = ['a', 'b']",
            ImageFolder(path="p", labels="l.csv", file_column="f", label_columns=("a", "b")),
        ),
        ("regression", PARQUET + "label_columns = ['a', 'b']", Parquet(path="p", label_columns=("a", "b"))),
        ("segmentation", PARQUET + "mask_column = 'm'", Parquet(path="p", mask_column="m")),
    ],
)
def test_what_fits_is_read(tmp_path, task, data, expected):
    (tmp_path / "study.toml").write_text(f"space = 's'\ntask = '{task}'\n[data]\n{data}")
    assert read_study_file(tmp_path).data == expected
