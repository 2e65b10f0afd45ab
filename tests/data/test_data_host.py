"""A data module's hooks, which Lightning calls for every batch, and its trainer, which it may ask at any time."""

import gc
import pickle

import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn

from nas_attn.data import batches_in_order, load_data, quiet, training_batches
from nas_attn.settings import DataModule, Recipe
from nas_attn.space import InputError
from nas_attn.training import recalibration, score, train

SOURCE = """
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

CALLS = []

def labelled(count):
    labels = torch.arange(count) % 3
    return TensorDataset((100 * labels).to(torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 8, 8).contiguous(), labels)

class Hooked(pl.LightningDataModule):
    num_classes = 3

    def note(self, what, **more):
        trainer = self.trainer
        stage = [name for name in ("training", "validating", "testing") if getattr(trainer, name)]
        CALLS.append((what, *stage, trainer.state.fn.value, trainer.world_size, *more.values()))

    def prepare_data(self):
        self.note("prepare_data")

    def setup(self, stage):
        self.note("setup " + getattr(stage, "value", stage))

    def teardown(self, stage):
        CALLS.append(("teardown " + getattr(stage, "value", stage),))

    def loader(self, name, count, size):
        self.note(name)
        return DataLoader(labelled(count), size // self.trainer.world_size, shuffle=name == "train")

    def train_dataloader(self):
        return self.loader("train", 40, 7)

    def val_dataloader(self):
        return self.loader("val", 12, 5)

    def test_dataloader(self):
        return self.loader("test", 9, 4)

    def on_before_batch_transfer(self, batch, dataloader_idx):
        self.note("before", index=dataloader_idx)
        images, labels = batch
        assert images.dtype == torch.uint8
        return {"image": images, "label": labels, "name": "anything"}

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        self.note("transfer", index=dataloader_idx)
        assert self.trainer.strategy.root_device == device
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def on_after_batch_transfer(self, batch, dataloader_idx):
        self.note("after", index=dataloader_idx)
        images = batch["image"] / 100 - 1
        return images + 10 if self.trainer.training else images, batch["label"]

class Broken(Hooked):
    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch["picture"], batch["label"]

class Plain(Hooked):
    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch["image"], batch["label"]

class Stubborn(Hooked):
    def teardown(self, stage):
        raise OSError("nothing to tear down")
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    name = f"hooked_data_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.fixture
def load(home, tmp_path):
    return lambda name="Hooked": load_data(DataModule(module=f"{home}:{name}"), tmp_path)


@pytest.fixture
def calls(home):
    return __import__(home).CALLS


def levels(batches):
    return sorted({round(level) for images, _ in batches for level in images.unique().tolist()})


class AnyNetwork(pl.LightningModule):
    """What Lightning itself trains with a data module, to see what it asks."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))

    def training_step(self, batch, index):
        images, labels = batch
        return F.cross_entropy(self.network(images), labels)

    def validation_step(self, batch, index):
        assert batch[0].max() < 2

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters())


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_module_gets_the_calls_of_lightning_in_training(load, home, calls, small_network):
    """Per epoch and batch, in the same stages; but preparing and setting up are once for all trainings."""
    options = {"max_epochs": 2, "num_sanity_val_steps": 0, "logger": False, "enable_checkpointing": False}
    shown = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    with quiet():
        trainer = pl.Trainer(check_val_every_n_epoch=2, reload_dataloaders_every_n_epochs=1, **options, **shown)
        trainer.fit(AnyNetwork(), datamodule=__import__(home).Hooked())
    expected = list(calls)
    calls.clear()
    data = load()
    opened = [call[0] for call in calls]
    calls.clear()
    train(small_network(), data, Recipe(epochs=2), seed=0)
    once = {"prepare_data", "setup fit", "teardown fit"}
    assert sorted(calls) == sorted(call for call in expected if call[0] not in once)
    assert [call[0] for call in expected if call[0] in once] == ["prepare_data", "setup fit", "teardown fit"]
    assert opened[:3] == ["prepare_data", "setup fit", "setup test"]
    assert "teardown fit" not in opened


def test_what_a_hook_does_while_training_is_done_in_training_alone(load):
    data = load()
    assert levels(training_batches(data.train, Recipe(), 0, 0)) == [9, 10, 11]
    for part in (data.train, data.validation, data.test):
        assert levels(batches_in_order(part, 64)) == [-1, 0, 1]


def test_test_images_are_read_by_a_trainer_that_tests(load, calls):
    data = load()
    for part, stage in ((data.train, "validating"), (data.validation, "validating"), (data.test, "testing")):
        calls.clear()
        list(batches_in_order(part, 64))
        assert {call[1] for call in calls} == {stage}


def test_images_are_what_hooks_make_of_them(load):
    """Pixels that a hook turns into numbers around 0 are no pixels any more: neither mean nor std is taken off."""
    data = load()
    assert (data.mean, data.std) == ((0.0,), (1.0,))
    assert data.image == (1, 8, 8)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [40, 12, 9]


def test_mean_and_std_are_of_pixels_as_hooks_leave_them(load):
    assert load("Plain").mean == pytest.approx((100 * sum(row % 3 for row in range(40)) / 40 / 255,))


def test_a_network_is_trained_scored_and_recalibrated_through_the_hooks(load, small_network, calls):
    class Seen(nn.Module):
        def __init__(self):
            super().__init__()
            self.levels, self.inside = set(), small_network()

        def forward(self, images):
            self.levels.update(round(level) for level in images.unique().tolist())
            return self.inside(images)

    data, network = load(), Seen()
    train(network, data, Recipe(epochs=1), seed=0)
    assert network.levels == {9, 10, 11, -1, 0, 1}
    for use in (
        lambda: score(network, data.test, data, 64),
        lambda: score(network, data.validation, data, 64),
        lambda: recalibrated(network, data),
    ):
        network.levels.clear()
        use()
        assert network.levels == {-1, 0, 1}


def recalibrated(network, data):
    with recalibration(network, data, images=40, batch_size=8, seed=0, device=torch.device("cpu")) as scored:
        scored()


def test_a_process_that_trains_too_gets_the_module_without_a_trainer(load, small_network, calls):
    data = load()
    train(small_network(), data, Recipe(epochs=1), seed=0)
    copy = pickle.loads(pickle.dumps(data))
    assert copy.train.host.module.trainer is None
    assert levels(training_batches(copy.train, Recipe(), 0, 0)) == [9, 10, 11]
    calls.clear()
    del copy
    gc.collect()
    assert calls == []


def test_a_module_tears_down_once_nothing_uses_it(load, calls):
    data = load()
    part = data.near(torch.device("cpu")).test
    del data
    gc.collect()
    assert ("teardown fit",) not in calls
    del part
    gc.collect()
    assert calls.count(("teardown fit",)) == 1


def test_a_module_that_fails_in_tearing_down_is_reported_and_harms_nothing(load, caplog):
    load("Stubborn")
    gc.collect()
    assert "Stubborn: teardown failed: OSError: nothing to tear down" in caplog.text


def test_a_hook_that_fails_is_reported_before_anything_is_trained(load, home):
    with pytest.raises(
        InputError, match=f"{home}:Broken: a hook for batches of train_dataloader failed: KeyError: 'pic"
    ):
        load("Broken")
