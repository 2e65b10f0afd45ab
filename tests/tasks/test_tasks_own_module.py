"""A user's own LightningModule trains as it says itself, and what we add to it is seeded, paired and counted."""

import copy
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from lit_squares import SEEN, LitSquares, SquaresData
from pytorch_lightning import Trainer

from nas_attn.assembly import build, identity_started
from nas_attn.backbones import plan
from nas_attn.cost import count
from nas_attn.data import quiet
from nas_attn.results import read_curve
from nas_attn.settings import DataModule, OfTask, OwnModule, Recipe
from nas_attn.space import Architecture, InputError, parse
from nas_attn.tasks import ModuleTask, Training
from nas_attn.tasks.logged import monitored
from nas_attn.training import TrainingFailed, drop_checkpoint

SOURCE = DataModule(module="lit_squares:SquaresData")
PLAIN = Architecture()
MONITOR = {"iou": "max", "loss": "min"}
SE = parse("stage1.block0.block=se(reduction=2) stage2.block0.block=cbam(kernel_size=3)")


def task_of(source=SOURCE, **said):
    return ModuleTask(OwnModule(**{"module": "lit_squares:LitSquares", "monitor": MONITOR, **said}), source)


def trained(task, architecture=PLAIN, epochs=2, seed=0, **more):
    """What a training finds, its weights, and what it saw."""
    SEEN.clear()
    module = task.build(architecture, task.backbone, seed)
    score = task.train(module, Training(Recipe(epochs=epochs), seed, **more))
    return score, module.state_dict(), list(SEEN)


def test_what_goes_into_the_network_is_seen_in_its_first_validation_batch():
    assert task_of().image == (3, 16, 16)
    assert task_of().part == "net"
    listed = task_of(OfTask(), module="lit_squares:LitListed", monitor={"score": "max"}, network="model.backbone")
    assert listed.image == (3, 12, 10)


def test_a_network_that_takes_a_list_of_images_is_refused_with_the_part_that_takes_a_batch():
    listed = task_of(OfTask(), module="lit_squares:LitListed", monitor={"score": "max"})
    with pytest.raises(InputError, match=r"'model' gets a list of 4; allowed: .*, such as model\.backbone"):
        _ = listed.image


@pytest.mark.parametrize(
    ("network", "message"),
    [("nets", "has no module 'nets'; did you mean 'net'"), ("iou", r"'iou' gets a tensor \(8, 2, 16, 16\), a tensor")],
)
def test_a_part_that_is_no_network_is_refused(network, message):
    with pytest.raises(InputError, match=message):
        _ = task_of(network=network).image if network != "nets" else task_of(network=network).part


def test_an_identity_started_attention_leaves_the_first_loss_as_it_is_bit_for_bit():
    task = task_of()
    losses = [
        task.try_iteration(task.build(one, task.backbone, 3), Training(Recipe(), 3))
        for one in (Architecture(), identity_started(SE))
    ]
    assert losses[0] == losses[1] > 0
    other = task.try_iteration(task.build(SE, task.backbone, 3), Training(Recipe(), 3))
    assert other != losses[0]


def test_networks_of_one_seed_see_the_same_batches_and_draws_whatever_they_draw_themselves():
    plain = trained(task_of())[2]
    dropping = trained(task_of(arguments={"network": {"dropout": 0.5}}), SE)[2]
    assert plain == dropping
    assert len(set(plain)) == len(plain) == 6  # each epoch draws other flips, and another order
    assert trained(task_of(), seed=1)[2] != plain


def test_a_training_comes_out_the_same_again():
    (score, weights, seen), again = trained(task_of()), trained(task_of())
    assert (score.validation, seen) == (again[0].validation, again[2])
    assert all(torch.equal(one, again[1][name]) for name, one in weights.items())


def test_training_is_what_lightning_does_alone(tmp_path):
    """With a loader that draws nothing, and steps that draw nothing, there is nothing of ours left in it."""
    task = task_of(OfTask(), module="lit_squares:LitListed", monitor={"score": "max"}, network="model.backbone")
    ours = task.build(SE, task.backbone, 0)
    alone = copy.deepcopy(ours)
    found = task.train(ours, Training(Recipe(epochs=3), 0))
    options = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    with quiet():
        trainer = Trainer(max_epochs=3, default_root_dir=tmp_path, num_sanity_val_steps=0, **options)
        trainer.fit(alone)
    assert found.validation["score"] == float(trainer.callback_metrics["score"])
    assert all(torch.equal(one, ours.state_dict()[name]) for name, one in alone.cpu().state_dict().items())


@pytest.mark.parametrize(
    "said", [{"arguments": {"network": {"dropout": 0.3}}}, {"module": "lit_squares:passed_in"}], ids=["usual", "passed"]
)
def test_a_training_that_was_interrupted_ends_where_one_ends_that_was_not(said, tmp_path, monkeypatch):
    monkeypatch.setattr("nas_attn.training.checkpoint.KEEP_EVERY_SECONDS", 0.0)
    task, path = task_of(**said), tmp_path / "base.ckpt"
    whole = trained(task, SE, epochs=3, checkpoint=tmp_path / "other.ckpt")

    def interrupted(done, _epochs):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(task, SE, epochs=3, checkpoint=path, on_epoch=interrupted)
    assert path.exists()
    rest = trained(task, SE, epochs=3, checkpoint=path)
    assert rest[2] == whole[2][-3:]  # the third epoch alone
    assert rest[0].validation == whole[0].validation
    assert rest[0].learning_curve == whole[0].learning_curve
    curve = read_curve(whole[0].learning_curve)
    assert (curve["epoch"], [*curve]) == ([1, 2, 3], ["epoch", "train_loss", "iou", "loss"])
    assert curve["iou"][-1] == pytest.approx(whole[0].validation["iou"], rel=5e-3)
    assert len({*curve["loss"]}) > 1
    assert all(torch.equal(one, rest[1][name]) for name, one in whole[1].items())
    drop_checkpoint(path)
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("base")] == []


def test_callbacks_and_schedules_of_the_module_are_its_own():
    seen = trained(task_of(arguments={"patience": 1, "learning_rate": 5.0}), epochs=12)[2]
    assert 6 <= len(seen) < 36  # EarlyStopping ended it


def test_prices_are_those_of_the_part_with_attention():
    task = task_of()
    for architecture in (Architecture(), SE):
        module = task.build(architecture, task.backbone, 0)
        alone = build(architecture, task.backbone, in_channels=3, classes=0)
        assert count(module.net, task.image) == count(alone, task.image)
    se = 2 * 4 * 2  # from 4 channels to 2 and back
    assert count(task.build(parse("stage1.block0.block=se(reduction=2)"), task.backbone, 0).net, task.image).params == (
        sum(one.numel() for one in LitSquares().net.parameters()) + se
    )


def test_attention_on_a_skip_connection_is_gated_by_the_decoder():
    task = task_of()
    backbone = task.backbone.model_copy(update={"modules": ("up.skip",)})
    gated = task.build(parse("stage1.block0.block=gate"), backbone, 0).net
    gate = gated.attentions["stage1_block0_block"]
    assert (gate.from_features[0].in_channels, gate.from_signal[0].in_channels) == (4, 8)
    given = []
    gate.register_forward_pre_hook(lambda _module, inputs: given.append([tuple(one.shape) for one in inputs]))
    gated(torch.rand(2, 3, 16, 16))
    assert given == [[(2, 4, 16, 16), (2, 8, 8, 8)]]


def test_the_last_convolution_gives_scores_and_is_no_place():
    found = plan(task_of().backbone, in_channels=3, classes=0)
    assert found.remarks == ("After head: no place, for it gives the output",)
    assert {place.point.module for place in found.places} == {"down1.2", "down2.2", "up.conv.2"}


def test_what_is_not_logged_is_refused_with_what_is():
    task = task_of(monitor={"map_50": "max"})
    with pytest.raises(InputError, match=r"'map_50' is not among what it logs in validation; allowed: .*val/iou"):
        trained(task, epochs=1)


@pytest.mark.parametrize(
    ("said", "name", "expected"),
    [
        ({"val/map_50": 0.3}, "map_50", 0.3),
        ({"valid_map_50": 0.3, "train_map_50": 0.9}, "map_50", 0.3),
        ({"map_50": 0.1, "val_map_50": 0.3}, "map_50", 0.1),
        ({"metrics/mAP50(B)": 0.3, "x": 1}, "x", 1.0),
        ({"Val/MAP_50": torch.tensor(0.25)}, "map_50", 0.25),
    ],
)
def test_a_number_is_known_by_its_name_or_by_what_alone_ends_in_it(said, name, expected):
    (one,) = OwnModule(module="a:B", monitor={name: "max"}).monitor.values()
    assert monitored(said, {name: one}, "a:B") == {name: pytest.approx(expected)}


def test_two_that_end_in_a_name_are_refused():
    monitor = OwnModule(module="a:B", monitor={"loss": "min"}).monitor
    with pytest.raises(InputError, match="loss may be any of val_loss, valid/loss; say which"):
        monitored({"val_loss": 1.0, "valid/loss": 2.0}, monitor, "a:B")


def test_a_wide_network_keeps_its_dictionary_of_arguments():
    task = task_of(arguments={"network": {"width": 8}})
    assert task.build(Architecture(), task.backbone, 0).net.down1[0].out_channels == 8
    assert {place.site.channels for place in plan(task.backbone, in_channels=3, classes=0).places} == {8, 16}


def test_a_compiled_network_is_taken_out_of_its_wrapper_and_all_else_of_the_module_stays(caplog):
    task = task_of(module="lit_squares:LitCompiled")
    module = task.build(SE, task.backbone, 0)
    assert "the network: torch.compile is taken off" in caplog.text
    assert type(module.net).__name__ == "UNet"
    assert type(module.average).__name__ == "AveragedModel"
    plain = plan(task_of().backbone, in_channels=3, classes=0)
    assert plan(task.backbone, in_channels=3, classes=0).places == plain.places
    assert 0 < task.train(module, Training(Recipe(epochs=1), 0)).validation["loss"] < 9


def test_weights_that_no_optimiser_has_are_named_attention_first(caplog):
    task = task_of(module="lit_squares:LitForgetful")
    trained(task, SE, epochs=1)
    assert "weights that could learn are in no optimiser, net.attentions.stage1_block0_block" in caplog.text
    caplog.clear()
    trained(task_of(), SE, epochs=1)
    assert "in no optimiser" not in caplog.text


def test_the_test_part_is_scored_by_what_the_module_logs_of_it():
    task = task_of(monitor={"iou": {"better": "max", "logged": "val/iou"}, "loss": "min"})
    module = task.build(SE, task.backbone, 0)
    found, _ = task.test(module, 64, {})
    images, masks = (torch.cat(part) for part in zip(*map(dict.values, SquaresData().test_dataloader()), strict=True))
    with torch.inference_mode():
        expected = torch.nn.functional.cross_entropy(module.eval()(images), masks)
    assert found == {"loss": pytest.approx(float(expected), rel=1e-5)}  # it logs no IoU there


def test_without_a_step_or_a_loader_for_a_test_there_is_none():
    listed = task_of(OfTask(), module="lit_squares:LitListed", monitor={"score": "max"}, network="model.backbone")
    assert listed.test(listed.build(PLAIN, listed.backbone, 0), 64, {}) == ({}, 0)


IN_THE_NEWER_PACKAGE = """
    import sys
    from test_tasks_own_module import task_of, trained
    task = task_of(module="lit_newer:LitSquares")
    print(trained(task)[0].validation)
    import lightning as L, pytorch_lightning
    from lightning.pytorch.callbacks import EarlyStopping
    assert L.Trainer is pytorch_lightning.Trainer and EarlyStopping is pytorch_lightning.callbacks.EarlyStopping
    try:
        import lightning.nothing
    except ModuleNotFoundError as error:
        assert error.name == "lightning.nothing"
"""


def test_a_module_of_the_package_lightning_trains_as_one_of_pytorch_lightning(tmp_path):
    here = Path(__file__).parent
    written = (here / "lit_squares.py").read_text()
    newer = written.replace("import pytorch_lightning as pl", "import lightning.pytorch as pl\nimport lightning as L")
    newer = newer.replace("class LitSquares(pl.LightningModule)", "class LitSquares(L.LightningModule)")
    assert newer.count("L.LightningModule") == 1
    (tmp_path / "lit_newer.py").write_text(newer)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(here), str(here.parents[1])])}
    command = [sys.executable, "-c", textwrap.dedent(IN_THE_NEWER_PACKAGE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(trained(task_of())[0].validation)
    assert "lightning is read as pytorch_lightning" in done.stderr


def test_a_callback_that_needs_a_logger_is_refused_without_one_and_runs_with_one(tmp_path):
    task, how = task_of(module="lit_squares:LitMonitored"), Training(Recipe(epochs=1), 0)
    with pytest.raises(TrainingFailed, match="no logger"):
        task.try_iteration(task.build(PLAIN, task.backbone, 0), how)
    logged = Training(Recipe(epochs=1), 0, trainer={"logger": "csv", "default_root_dir": str(tmp_path)})
    assert task.train(task.build(PLAIN, task.backbone, 0), logged).validation["loss"] > 0
    assert "lr-AdamW" in next(tmp_path.rglob("metrics.csv")).read_text()


def test_a_network_without_places_is_refused_with_another_part_as_the_cure():
    task = task_of(module="lit_squares:LitFlat")
    with pytest.raises(InputError, match=r"say another network = in \[task\] than 'net', or name the modules"):
        plan(task.backbone, in_channels=3, classes=0)
