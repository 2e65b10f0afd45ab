"""Metrics and floors as a study file says them."""

import pytest

from nas_attn.settings import MEASURES, make_metric, read_study_file
from nas_attn.settings.metrics import short_names
from nas_attn.space import InputError

TASKS = ("classification", "multilabel", "segmentation", "regression")


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "study.toml").write_text(f'space = "space.toml"\n{text}')
        return read_study_file(tmp_path)

    return read


def told(read, text):
    with pytest.raises(InputError) as error:
        read(text)
    return str(error.value).partition("study.toml:")[2]


@pytest.mark.parametrize(
    ("task", "leading"),
    [
        ("classification", "accuracy"),
        ("multilabel", "average_precision"),
        ("segmentation", "mean_iou"),
        ("regression", "mae"),
    ],
)
def test_a_task_leads_by_its_own_measure_and_always_has_the_loss(read, task, leading):
    file = read(f'task = "{task}"\n[data]\nkind = "module"\nmodule = "my_package.data:Data"')
    assert file.objectives == (leading, "flops", "latency_ms")
    assert [one.name for one in file.measures if one.objective] == [leading, "loss"]
    assert file.leading.name == leading


@pytest.mark.parametrize("task", TASKS)
def test_every_short_name_of_a_task_makes_a_metric(task):
    for one in short_names(task).values():
        made = make_metric(one, task, 7)
        assert made.higher_is_better == (one.better == "max")


def test_all_metrics_are_measures_whichever_leads(read):
    file = read('objectives = ["f1_macro", "flops"]\nmetrics = ["auroc", "top5"]\n[budget]\nmin_recall_macro = 0.5')
    names = [one.name for one in file.measures]
    assert names == ["accuracy", "loss", "auroc", "top5", "f1_macro", "recall_macro"]
    assert file.leading is MEASURES["f1_macro"]


@pytest.mark.parametrize(
    ("written", "better", "largest"),
    [
        ('"torchmetrics.classification:MulticlassF1Score"', "max", 1.0),
        ('{metric = "torchmetrics:F1Score", arguments = {average = "macro"}}', "max", 1.0),
        ('"torchmetrics.classification:MulticlassCalibrationError"', "min", float("inf")),
        ('{metric = "f1_macro", arguments = {average = "weighted"}}', "max", 1.0),
        ('{metric = "torchmetrics.classification:MulticlassHingeLoss", better = "min"}', "min", float("inf")),
    ],
)
def test_direction_and_bound_are_those_of_the_class(read, written, better, largest):
    read(f"[metrics]\nmine = {written}")
    assert (MEASURES["mine"].better, MEASURES["mine"].largest) == (better, largest)


def test_a_correlation_may_be_negative_though_its_class_says_0(read):
    read('[metrics]\nmcc = "torchmetrics.classification:MulticlassMatthewsCorrCoef"')
    assert MEASURES["mcc"].smallest == -float("inf")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('metrics = ["f1"]', "2: metrics: f1: found 'f1'; allowed: accuracy, loss, top5, balanced_accuracy, f1_macro"),
        ('metrics = ["mean_iou"]', "of classification, or package.module:Class"),
        ('[metrics]\nf1 = "torchmetrics.classification:F1"', "has no 'F1'"),
        ('[metrics]\nf1 = "no_such_package:F1"', "cannot be imported"),
        ('[metrics]\nf1 = "math:sqrt"', "cannot be made so"),
        ('[metrics]\nf1 = "collections:Counter"', "has no 'compute'; allowed: a subclass of torchmetrics.Metric"),
        ('[metrics]\nf1 = {metric = "f1_macro", arguments = {average = "makro"}}', "but got makro"),
        (
            '[metrics]\nf1 = {metric = "f1_macro", beter = "max"}',
            "metrics.f1.beter: unknown name; did you mean 'better'?",
        ),
        ('[metrics]\n"f1-macro" = "f1_macro"', "allowed: letters, digits and _"),
        ('[metrics]\nflops = "f1_macro"', "which is counted here; call it otherwise"),
        ('[metrics]\nmean = "torchmetrics.aggregation:CatMetric"', "does not say whether more or less is better"),
        ('objectives = ["f1macro"]', "did you mean 'f1_macro'?"),
        ("[budget]\nmin_loss = 1.0", "found 'min_loss'; did you mean 'max_loss'?"),
        ("[budget]\nmax_accuracy = 0.5", "did you mean 'min_accuracy'?"),
        ("[budget]\nmin_accuracy = 90", "min_accuracy: found 90; allowed: from 0 to 1"),
        ('[budget]\nmin_accuracy = "0.9"', "allowed: from 0 to 1"),
        ("[budget]\nmin_flops = 3", "found 'min_flops'; allowed: min_accuracy, max_loss"),
        ('[task]\nfunction = "a:b"\nmonitor = {map = "max"}\n[metrics]\nx = "f1_macro"', "its monitor names"),
        ('task = "segmentaton"', "did you mean 'segmentation'?"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_allowed(read, text, line):
    assert line in told(read, text)


def test_a_floor_is_of_any_measure_of_the_study(read):
    file = read("[metrics]\nrecall = 'recall_macro'\n[budget]\nmin_recall = 0.9\nmax_loss = 2\nmax_flops = 100")
    assert file.budget.floors == {"recall": 0.9, "loss": 2.0}
    assert file.budget.limits == {"flops": 100.0}
