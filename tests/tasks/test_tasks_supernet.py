"""A supernet in a user's own LightningModule: each step is of one network, and each network is judged by the module."""

import copy

import numpy as np
import pytest
import torch
from lit_squares import SEEN, SquaresData
from torch import nn
from torchmetrics.functional import jaccard_index

import nas_attn
from nas_attn.assembly import identity_started
from nas_attn.chain import Chain
from nas_attn.evaluation.supernet import build_supernet
from nas_attn.settings import DataModule, OwnModule, Recipe, read_study_file
from nas_attn.space import InputError, parse
from nas_attn.tasks import ModuleTask, Training

STUDY = """
space = "space.toml"
objectives = ["iou", "flops"]
chain = [
    { proxy = "supernet", epochs = 3, networks = 9, calibration = 8 },
    { proxy = "inherit", weights = "supernet", epochs = 1, networks = 3 },
    { proxy = "final", networks = 1 },
]
[task]
module = "lit_squares:LitSquares"
monitor = { iou = { better = "max", logged = "val/iou", unit = "%", title = "IoU" }, loss = "min" }
[data]
kind = "module"
module = "lit_squares:SquaresData"
[recipe]
epochs = 2
[latency]
calls = 50
"""
SPACE = 'slots = ["stage1", "stage3"]\n[kinds]\nse = { reduction = [2] }\ncoordinate = {}\n'


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    (folder / "study.toml").write_text(STUDY)
    (folder / "space.toml").write_text(SPACE)
    study = nas_attn.open_study(folder)
    study.run()
    return study


@pytest.fixture(scope="module")
def chain(study):
    return Chain.open(study.folder)


def inputs(task, images):
    """What goes into the network in training, drawn as the first batches are."""
    SEEN.clear()
    module = task.build(parse("none"), task.backbone, 0)
    found = []
    module.net.register_forward_pre_hook(lambda part, given: found.append(given[0].clone()) if part.training else None)
    task.train(module, Training(Recipe(epochs=1), 0))
    return found[: -(-images // len(found[0]))]


def test_every_step_of_the_chain_judges_by_what_the_module_logs(study):
    sizes = {step: len(study.folder.rows(step)) for step in ("supernet", "inherit", "final")}
    assert sizes == {"supernet": 9, "inherit": 3, "final": 1}
    for step in sizes:
        for row in study.folder.rows(step).values():
            assert row.state == "complete"
            assert 0 <= row["iou"] <= 1
            assert np.isfinite(row["loss"])


def test_a_screened_network_does_as_it_does_alone_with_renewed_statistics(study, chain):
    supernet, task = chain._supernet(0)[0], chain.task
    passed = inputs(task, 8)
    data = SquaresData()
    data.setup("fit")
    validation = list(data.val_dataloader())
    for row in list(study.folder.rows("supernet").values())[:4]:
        architecture = parse(row.architecture)
        alone = task.build(identity_started(architecture), task.backbone, 0)
        alone.load_state_dict(supernet.weights_of(architecture))
        norms = [one for one in alone.net.modules() if isinstance(one, nn.BatchNorm2d)]
        with torch.no_grad():
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None
            alone.eval()
            for norm in norms:
                norm.train()
            for images in passed:
                alone.net(images)
            alone.eval()
            scores = torch.cat([alone(batch["image"]) for batch in validation])
        masks = torch.cat([batch["mask"] for batch in validation])
        iou = jaccard_index(scores, masks, task="multiclass", num_classes=2)
        assert row["iou"] == pytest.approx(float(iou), abs=1e-5)


def test_scoring_leaves_the_supernet_as_it_was(chain):
    supernet, task = chain._supernet(0)[0], chain.task
    before = copy.deepcopy(supernet.state_dict())
    with task.recalibration(supernet, Training(Recipe(), 0), 8, 64) as scored:
        found = [scored().validation for _ in range(2)]
    assert found[0] == found[1]
    after = supernet.state_dict()
    assert all(torch.equal(one, after[name]) for name, one in before.items() if "iou" not in name)


def test_a_network_that_inherits_begins_with_the_weights_of_the_supernet(study, chain):
    step = study.folder.file.steps[1]
    row = next(row for row in study.folder.rows("inherit").values() if row.architecture != "none")
    architecture = parse(row.architecture)
    built = chain.protocol(step).build(architecture, 0).state_dict()
    shared = chain._supernet(0)[0].weights_of(architecture)
    assert built.keys() == shared.keys()
    assert all(torch.equal(one, shared[name]) for name, one in built.items())


def test_the_attentions_learn_each_in_its_own_steps(chain):
    """With 3 epochs of 3 batches, all but those that were never drawn have moved."""
    task = chain.task
    fresh = build_supernet(chain.space, task.backbone, in_channels=3, classes=0, seed=0, whole=task.whole(0))
    trained = chain._supernet(0)[0]
    moved = {
        site: [
            key
            for key in alternatives.keys_of.values()
            if any(
                not torch.equal(one, dict(fresh.places[site][key].named_parameters())[name])
                for name, one in alternatives[key].named_parameters()
            )
        ]
        for site, alternatives in trained.places.items()
    }
    assert sum(map(len, moved.values())) >= 2


def test_the_same_study_gives_the_same_supernet(study, tmp_path):
    (tmp_path / "study.toml").write_text(STUDY)
    (tmp_path / "space.toml").write_text(SPACE)
    again = nas_attn.open_study(tmp_path)
    again.run()
    for step in ("supernet", "inherit", "final"):
        rows, others = (one.folder.table(step)[["architecture", "iou", "loss"]] for one in (study, again))
        assert rows.equals(others)


def test_of_a_function_and_with_a_sandwich_it_is_refused(tmp_path):
    for said, message in (
        (STUDY.replace("epochs = 3,", "epochs = 3, sandwich = true,"), "each of whose steps is of one network"),
        (
            STUDY.replace('module = "lit_squares:LitSquares"', 'function = "train_digits:train"').replace(
                '[data]\nkind = "module"\nmodule = "lit_squares:SquaresData"\n', ""
            ),
            "a function of the user's own, which cannot be watched",
        ),
    ):
        (tmp_path / "study.toml").write_text(said)
        with pytest.raises(InputError, match=message):
            read_study_file(tmp_path)


def test_a_task_of_a_module_can_be_scored_alone():
    task = ModuleTask(
        OwnModule(module="lit_squares:LitSquares", monitor={"loss": "min"}),
        DataModule(module="lit_squares:SquaresData"),
    )
    module = task.build(parse("none"), task.backbone, 0)
    with task.recalibration(module, Training(Recipe(), 0), 1000, 64) as scored:
        assert scored().validation["loss"] > 0


def test_statistics_that_are_frozen_in_training_stay_and_that_is_said(caplog):
    said = {"module": "lit_squares:LitFrozenStatistics", "monitor": {"loss": "min"}}
    task = ModuleTask(OwnModule(**said), DataModule(module="lit_squares:SquaresData"))
    module = task.build(parse("none"), task.backbone, 0)
    before = copy.deepcopy(module.net.state_dict())
    with task.recalibration(module, Training(Recipe(), 0), 8, 64) as scored:
        assert scored().validation["loss"] > 0
        assert all(torch.equal(one, before[name]) for name, one in module.net.state_dict().items())
    assert "in eval mode, so that no statistics are renewed" in caplog.text
