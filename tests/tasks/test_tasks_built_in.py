"""Studies of the tasks that are trained here beside classification, from files of images to the exported network."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn import metrics as sk
from typer.testing import CliRunner

import nas_attn
from nas_attn.cli import app
from nas_attn.cost import count
from nas_attn.tasks import open_task
from nas_attn.training import try_recipe

SPACE = 'backbone = "{backbone}"\n{places}[kinds]\nse = {{ reduction = [2] }}\n'
STUDY = """
space = "space.toml"
{task}
[data]
kind = "folder"
path = "images"
{data}
[recipe]
epochs = {epochs}
batch_size = 16
learning_rate = {rate}
{recipe}
[latency]
calls = 50
[search]
trials = 2
"""
IMAGES = 60


def pictures(folder):
    """Noise with a bright square of 6 pixels a side somewhere, 16 x 16, with the square's corner."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    corners = rng.integers(0, 10, (IMAGES, 2))
    for number, (top, left) in enumerate(corners):
        pixels = rng.integers(0, 120, (16, 16, 3), dtype=np.uint8)
        pixels[top : top + 6, left : left + 6] += 120
        Image.fromarray(pixels).save(folder / "images" / f"{number:03}.png")
        mask = np.zeros((16, 16), np.uint8)
        mask[top : top + 6, left : left + 6] = 1
        mask[0, 0] = 255
        Image.fromarray(mask).save(folder / "masks" / f"{number:03}.png")
    names = [f"{number:03}.png" for number in range(IMAGES)]
    table = pd.DataFrame({"file_name": names, "top": corners[:, 0] * 10.0, "left": corners[:, 1] * 1.0})
    table.to_csv(folder / "numbers.csv", index=False)
    labels = pd.DataFrame({"file_name": names, "low": corners[:, 0] > 4, "right": corners[:, 1] > 4}).astype(
        {"low": int, "right": int}
    )
    labels.to_csv(folder / "labels.csv", index=False)


FORMS = {
    "segmentation": ("small_unet:unet", 'masks = "masks"', 'task = "segmentation"', ""),
    "multilabel": ("resnet8", 'labels = "labels.csv"\nlabel_columns = ["low", "right"]', 'task = "multilabel"', ""),
    "regression": ("resnet8", 'labels = "numbers.csv"\nlabel_columns = ["top", "left"]', 'task = "regression"', ""),
}
LEADING = {"segmentation": "mean_iou", "multilabel": "average_precision", "regression": "mae"}


def written(folder, task, backbone=None, recipe="", epochs=8):
    usual, data, said, places = FORMS[task]
    (folder / "space.toml").write_text(SPACE.format(backbone=backbone or usual, places=places))
    rate = 0.02 if task == "regression" else 0.1
    text = STUDY.format(task=said, data=data, recipe=recipe, rate=rate, epochs=epochs)
    (folder / "study.toml").write_text(text)
    return nas_attn.open_study(folder)


@pytest.fixture(scope="module", params=list(FORMS))
def searched(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    pictures(folder)
    study = written(folder, request.param)
    study.run()
    return request.param, study


def judged_by_hand(task, outputs, labels, data):
    """The leading measure of outputs by scikit-learn."""
    if task == "segmentation":
        chosen, counts = outputs["out"].argmax(1).numpy(), labels.numpy() != 255
        return sk.jaccard_score(labels.numpy()[counts], chosen[counts], average="macro")
    if task == "multilabel":
        return sk.average_precision_score(labels.numpy(), outputs.sigmoid().numpy(), average="macro")
    values = outputs.numpy() * np.array(data.target_std) + np.array(data.target_mean)
    return sk.mean_absolute_error(labels.numpy(), values)


def test_a_row_is_what_scikit_learn_says_of_the_network(searched):
    task, study = searched
    rows = study.folder.rows()
    assert len(rows) == 2
    data = open_task(study.folder.file, study.folder.path).data
    mean, std = (255 * torch.tensor(one).reshape(1, -1, 1, 1) for one in (data.mean, data.std))
    for key, row in rows.items():
        with torch.no_grad():
            outputs = study.network(key)((data.validation.images - mean) / std)
        by_hand = judged_by_hand(task, outputs, data.validation.labels, data)
        assert row[LEADING[task]] == pytest.approx(by_hand, rel=1e-4)
        assert row["flops"] == count(study.network(key), data.image).flops


def test_the_leading_measure_is_spelt_in_its_own_words(searched):
    task, study = searched
    page = study.folder.path / "report.html"
    for command in (["front"], ["report"]):
        assert CliRunner().invoke(app, [*command, str(study.folder.path)]).exit_code == 0
    assert {
        "segmentation": "Mean IoU (%)",
        "multilabel": "Mean average precision",
        "regression": "Mean absolute error",
    }[task] in page.read_text()
    assert "accuracy" not in page.read_text().lower().replace("pixel accuracy", "")


def test_it_leaves_with_what_its_outputs_mean_and_its_test_part_scored(searched, tmp_path, forked_proofs):
    task, study = searched
    _, notes = study.export(tmp_path / "out", "best")
    assert not [note for note in notes if "is not there" in note and not note.startswith("model.onnx")]
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    data = open_task(study.folder.file, study.folder.path).data
    program = torch.export.load(tmp_path / "out" / "model.pt2").module()
    mean, std = (torch.tensor(config["normalisation"][one]).view(1, -1, 1, 1) for one in ("mean", "std"))
    with torch.no_grad():
        outputs = program((data.test.images / 255 - mean) / std)
    by_hand = judged_by_hand(task, outputs, data.test.labels, data)
    assert config["weights"][f"test_{LEADING[task]}"] == pytest.approx(by_hand, rel=1e-4)
    card = (tmp_path / "out" / "README.md").read_text()
    uses = {
        "segmentation": "(images - mean) / std)['out'].argmax(1)",
        "multilabel": "(images - mean) / std).sigmoid()",
        "regression": "* std_of_values + mean_of_values",
    }
    assert uses[task] in card
    assert config["task"] == task


def test_the_networks_learn(searched):
    """What always says the commonest, or the mean, has a greater loss than they had while they learnt."""
    task, study = searched
    labels = open_task(study.folder.file, study.folder.path).data.validation.labels.double()
    share = float((labels[labels != 255]).mean())
    chance = 1.0 if task == "regression" else -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert study.folder.pick("best")["train_loss"] < chance


@pytest.mark.parametrize("backbone", ["small_unet:auxiliary_unet", "small_unet:coarse"])
def test_maps_may_be_coarser_than_masks_and_have_auxiliary_ones(tmp_path, backbone):
    pictures(tmp_path)
    study = written(tmp_path, "segmentation", backbone)
    if "auxiliary" in backbone:
        space = (tmp_path / "space.toml").read_text()
        said = f'backbone = {{name = "{backbone}", auxiliary_weight = 0.4}}'
        (tmp_path / "space.toml").write_text(space.replace(f'backbone = "{backbone}"', said))
    study.run()
    rows = study.folder.rows().values()
    assert {row.state for row in rows} == {"complete"}
    assert all(0.3 < row["mean_iou"] <= 1 for row in rows)


@pytest.mark.parametrize(
    ("task", "backbone", "recipe", "message"),
    [
        ("segmentation", "small_unet:flattened", "", "(16, 2) for segmentation; allowed: (B, 2, h, w)"),
        ("multilabel", "small_unet:coarse", "", "(B, 2), a score of each label"),
        ("regression", "resnet8", 'loss = "focal"', "found 'focal' for regression; allowed: usual, or your own"),
        ("regression", "resnet8", 'class_weights = "balanced"', "class_weights: found 'balanced' for regression"),
        ("multilabel", "resnet8", "label_smoothing = 0.1", "label_smoothing: found 0.1 for multilabel"),
        ("segmentation", "small_unet:unet", "mixup = 0.2", "mixup: found 0.2 for segmentation"),
    ],
)
def test_what_does_not_fit_the_task_is_found_by_the_check(tmp_path, task, backbone, recipe, message, forked_proofs):
    pictures(tmp_path)
    written(tmp_path, task, backbone, recipe)
    found = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert found.exit_code != 0
    assert message in " ".join(found.output.split())


@pytest.mark.parametrize("task", list(FORMS))
def test_a_check_takes_an_iteration_by_the_recipe_of_every_task(tmp_path, task):
    pictures(tmp_path)
    study = written(tmp_path, task)
    data = open_task(study.folder.file, study.folder.path).data
    try_recipe(data, study.folder.file.recipe)


@pytest.mark.parametrize(
    ("task", "recipe"),
    [
        ("multilabel", 'loss = "focal"\nclass_weights = "balanced"'),
        ("segmentation", 'loss = "focal"\nclass_weights = "balanced"\nlabel_smoothing = 0'),
        ("segmentation", "class_weights = [1, 3]\nlabel_smoothing = 0.1\nhorizontal_flip = true\ncrop_padding = 2"),
        ("regression", 'loss = "small_unet:square_loss"\nloss_arguments = { power = 1.5 }'),
        ("regression", "ema_decay = 0.5\noptimizer = 'adamw'\nschedule = 'CosineAnnealingLR'"),
    ],
)
def test_recipes_go_with_tasks(tmp_path, task, recipe):
    pictures(tmp_path)
    study = written(tmp_path, task, recipe=recipe.replace("label_smoothing = 0\n", ""), epochs=1)
    study.run(1)
    (row,) = study.folder.rows().values()
    assert row.state == "complete"


@pytest.mark.parametrize("task", list(FORMS))
def test_a_supernet_screens_and_inherits(tmp_path, task):
    pictures(tmp_path)
    chain = (
        'chain = [{proxy = "supernet", epochs = 2, networks = 4, calibration = 16}, {proxy = "inherit", epochs = 1, '
        'networks = 2, weights = "supernet"}, {proxy = "final", networks = 1}]'
    )
    written(tmp_path, task, epochs=2)
    text = (tmp_path / "study.toml").read_text()
    (tmp_path / "study.toml").write_text(text.replace("[data]", f"{chain}\n[data]", 1).replace("trials = 2", ""))
    study = nas_attn.open_study(tmp_path)
    study.run()
    for step in ("supernet", "inherit", "final"):
        rows = study.folder.rows(step).values()
        assert {row.state for row in rows} == {"complete"}
        assert all(np.isfinite(row[LEADING[task]]) for row in rows)
