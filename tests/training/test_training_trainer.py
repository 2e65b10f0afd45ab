"""A study's `[trainer]`, handed to Lightning's."""

import json
import math
from importlib.util import find_spec
from typing import ClassVar

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping

from nas_attn.results import read_curve
from nas_attn.settings import Recipe
from nas_attn.space import InputError
from nas_attn.training import check_trainer, score, train, training_device

RECIPE = Recipe(epochs=3, batch_size=256, label_smoothing=0.1)
ON_CPU = training_device().type == "cpu"


class Listener(pl.Callback):
    """Notes what it hears, in a list that all of its kind share."""

    reported: ClassVar = []

    def __init__(self, name="plain"):
        self.name = name

    def on_fit_start(self, trainer, pl_module):
        self.reported.append((self.name, trainer))

    def on_train_epoch_end(self, trainer, pl_module):
        self.reported.append({name: float(value) for name, value in trainer.callback_metrics.items()})


class Unhappy(pl.Callback):
    def __init__(self):
        raise LookupError("I was not made")


@pytest.fixture
def reported(monkeypatch):
    monkeypatch.setattr(Listener, "reported", [])
    return Listener.reported


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_epochs", 3),
        ("max_steps", 3),
        ("limit_train_batches", 0.5),
        ("reload_dataloaders_every_n_epochs", 0),
        ("num_sanity_val_steps", 2),
        ("check_val_every_n_epoch", 1),
        ("use_distributed_sampler", True),
        ("enable_checkpointing", True),
        ("barebones", True),
        ("fast_dev_run", True),
        ("num_nodes", 2),
    ],
)
def test_what_a_recipe_or_a_seed_says_cannot_be_set_again(name, value):
    with pytest.raises(InputError, match=rf"^trainer\.{name}: cannot be set; "):
        check_trainer({name: value})


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"precison": 16}, r"trainer: unknown 'precison'; did you mean 'precision'\? allowed: accelerator, .*strategy"),
        ({"precision": "17-mixed"}, r"trainer: Precision '17-mixed' is invalid"),
        ({"accelerator": "abacus"}, r"trainer: You selected an invalid accelerator name"),
        ({"accelerator": "cpu", "devices": 2}, r"trainer\.devices: found 2; one network trains .* on one device: 1"),
        ({"accelerator": "cpu", "strategy": "ddp_spawn"}, r"trainer\.strategy: found 'ddp_spawn', which starts"),
        ({"logger": "cvs"}, r"trainer\.logger: found 'cvs'; did you mean 'csv'\? allowed: csv, tensorboard, wandb"),
        ({"logger": True}, r"trainer\.logger: found 'True'; allowed: csv"),
        ({"logger": {"save_dir": "."}}, r"trainer\.logger: has no class; allowed: csv"),
        (
            {"logger": {"class": "csv", "colour": "red"}},
            r"trainer\.logger: csv: .*unexpected keyword argument 'colour'",
        ),
        ({"callbacks": ["nowhere.at_all:Thing"]}, r"nowhere\.at_all:Thing: nowhere\.at_all cannot be imported"),
        ({"callbacks": [f"{__name__}:Listner"]}, r"has no 'Listner'; did you mean 'Listener'\?"),
        (
            {"callbacks": ["EarlyStopping"]},
            r"trainer\.callbacks\[0\]: found 'EarlyStopping'; allowed: package\.module:C",
        ),
        ({"callbacks": [f"{__name__}:Unhappy"]}, r"trainer\.callbacks\[0\]: .*Unhappy: I was not made"),
        (
            {
                "callbacks": [
                    {"class": "pytorch_lightning.callbacks:GradientAccumulationScheduler", "scheduling": {2: 2}}
                ]
            },
            r"trainer\.callbacks: found GradientAccumulationScheduler; batches and rates are the recipe's",
        ),
    ],
)
def test_a_fault_is_reported_before_anything_is_trained(trainer, message):
    with pytest.raises(InputError, match=message):
        check_trainer(trainer)


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_a_logger_that_is_not_installed_says_what_to_install(name):
    if find_spec(name) or (name == "tensorboard" and find_spec("tensorboardX")):
        pytest.skip(f"{name} is installed")
    with pytest.raises(InputError, match=rf"trainer\.logger: {name} needs a package .*: pip install {name}$"):
        check_trainer({"logger": name})


def test_what_lightning_takes_is_no_fault_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_trainer(None)
    check_trainer({"logger": "csv", "profiler": "simple", "deterministic": True, "precision": "bf16-mixed"})
    check_trainer({"accelerator": "cpu", "devices": "1", "gradient_clip_val": 1.0, "accumulate_grad_batches": 2})
    assert list(tmp_path.iterdir()) == []
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_trainer_may_ask_for_the_cpu(digits, small_network, reported):
    settings = {"accelerator": "cpu", "devices": 1}
    assert training_device(settings) == torch.device("cpu")
    train(small_network(), digits, RECIPE, 0, trainer={**settings, "callbacks": Listener()})
    assert reported[0][1].strategy.root_device == torch.device("cpu")


def test_callbacks_and_values_reach_the_trainer(digits, small_network, reported):
    settings = {
        "callbacks": [{"class": f"{__name__}:Listener", "name": "mine"}, f"{__name__}:Listener"],
        "gradient_clip_val": 0.25,
        "precision": "bf16-mixed",
    }
    train(small_network(), digits, RECIPE, 0, trainer=settings)
    assert [name for name, _ in reported[:2]] == ["mine", "plain"]
    assert reported[0][1].gradient_clip_val == 0.25
    assert reported[0][1].precision == "bf16-mixed"


@pytest.mark.skipif(not ON_CPU, reason="an accelerator may add in another order")
def test_who_listens_changes_nothing(digits, small_network, reported, tmp_path):
    def run(trainer):
        network = small_network(dropout=0.5)
        result = train(network, digits, RECIPE, 0, trainer=trainer)
        return (result.validation["accuracy"], result.validation["loss"], result.train_loss), network.state_dict()

    alone, weights = run(None)
    heard, same_weights = run({"callbacks": f"{__name__}:Listener", "logger": "csv", "default_root_dir": str(tmp_path)})
    assert alone == heard
    assert all(torch.equal(weights[name], same_weights[name]) for name in weights)
    assert reported[-1]["val_loss"] == pytest.approx(alone[1], rel=1e-6)


def test_each_epoch_reaches_the_logger(digits, small_network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = train(small_network(), digits, RECIPE, 0, trainer={"logger": {"class": "csv", "save_dir": "logs"}})
    (file,) = tmp_path.rglob("*.csv")
    assert file.is_relative_to(tmp_path / "logs")
    table = pd.read_csv(file).groupby("epoch").first()
    assert list(table.index) == [0, 1, 2]
    assert not table[["train_loss", "val_loss", "val_accuracy", "learning_rate"]].isna().any(axis=None)
    last = table.loc[2]
    assert last[["train_loss", "val_loss", "val_accuracy"]].tolist() == pytest.approx(
        [result.train_loss, result.validation["loss"], result.validation["accuracy"]], rel=1e-5
    )
    assert table["learning_rate"].iloc[-1] < table["learning_rate"].iloc[0] < RECIPE.learning_rate
    curve = read_curve(result.learning_curve)
    assert curve.pop("epoch") == [1, 2, 3]
    logged = {"train_loss": "train_loss", "loss": "val_loss", "accuracy": "val_accuracy"}
    assert curve.keys() == logged.keys()
    for name, column in logged.items():
        assert curve[name] == pytest.approx(table[column].tolist(), rel=5e-3)


def test_logs_lie_in_the_root_folder_where_they_are_given_no_other(digits, small_network, tmp_path):
    trainer = {"logger": "csv", "profiler": "simple", "default_root_dir": str(tmp_path)}
    train(small_network(), digits, RECIPE, 0, trainer=trainer)
    assert [file.name for file in tmp_path.rglob("metrics.csv")] == ["metrics.csv"]
    assert "optimizer_step" in (tmp_path / "fit-profile.txt").read_text()


def test_a_callback_may_end_training_and_the_score_is_that_of_the_end(digits, small_network):
    epochs = []
    network = small_network()
    stopper = EarlyStopping("val_loss", stopping_threshold=10.0)  # the first epoch is good enough
    result = train(network, digits, RECIPE, 0, lambda done, of: epochs.append(done), trainer={"callbacks": [stopper]})
    assert epochs == [1]
    tolerance = 1e-5 if ON_CPU else 0.02
    assert score(network, digits.validation, digits, 64) == pytest.approx(result.validation, rel=tolerance)


class Rates(pl.Callback):
    """Notes the rate of each iteration of the optimiser."""

    def __init__(self):
        self.rates = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.rates.append(optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize("accumulated", [1, 2, 5])
def test_the_rate_makes_one_cycle_however_many_batches_make_an_iteration(digits, small_network, accumulated):
    watcher = Rates()
    recipe = Recipe(epochs=4, batch_size=64)
    settings = {"callbacks": watcher, "accumulate_grad_batches": accumulated}
    train(small_network(), digits, recipe, 0, trainer=settings)
    batches = math.ceil(len(digits.train) / 64)
    assert len(watcher.rates) == 4 * math.ceil(batches / accumulated)
    peak = watcher.rates.index(max(watcher.rates)) / len(watcher.rates)
    assert peak == pytest.approx(0.3, abs=0.1)
    assert max(watcher.rates) == pytest.approx(recipe.learning_rate, rel=0.05)
    assert watcher.rates[-1] < recipe.learning_rate / 1000


@pytest.mark.parametrize("precision", ["64-true", "bf16-true", "bf16-mixed"])
def test_a_network_comes_back_in_float32_whatever_it_was_trained_in(digits, small_network, precision):
    network = small_network()
    assert train(network, digits, RECIPE, 0, trainer={"precision": precision}).validation["accuracy"] > 0.5
    assert {tensor.dtype for tensor in network.state_dict().values() if tensor.is_floating_point()} == {torch.float32}
    assert score(network, digits.test, digits, 64)["accuracy"] > 0.5


@pytest.mark.parametrize("switch", ["deterministic", "benchmark"])
def test_switches_that_a_trainer_sets_are_set_back(digits, small_network, switch):
    before = torch.backends.cudnn.benchmark
    train(small_network(), digits, RECIPE, 0, trainer={switch: True})
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.benchmark == before


def test_a_trainer_is_spelt_as_a_file_spells_it():
    settings = json.loads('{"logger": [{"class": "csv", "save_dir": "logs"}], "callbacks": [], "precision": "32-true"}')
    check_trainer(settings)


def test_a_fault_that_shows_in_training_is_reported_too(digits, small_network):
    settings = {"callbacks": ["pytorch_lightning.callbacks:LearningRateMonitor"]}
    with pytest.raises(InputError, match=r"trainer: Cannot use `LearningRateMonitor` .* no logger"):
        train(small_network(), digits, RECIPE, 0, trainer=settings)


def test_a_users_own_checkpoints_are_written_where_he_says(digits, small_network, tmp_path):
    kept = {
        "class": "pytorch_lightning.callbacks:ModelCheckpoint",
        "dirpath": str(tmp_path / "new"),
        "filename": "last",
    }
    network = small_network()
    train(network, digits, RECIPE, 0, trainer={"callbacks": [kept]})
    (file,) = (tmp_path / "new").iterdir()
    state = torch.load(file, weights_only=True)["state_dict"]
    assert all(torch.equal(value, state[f"network.{name}"]) for name, value in network.state_dict().items())


@pytest.mark.skipif(not ON_CPU, reason="an accelerator may add in another order")
def test_a_strategy_for_many_devices_trains_on_one_and_leaves_no_group(digits, small_network):
    alone = train(small_network(), digits, RECIPE, 0)
    for _ in range(2):
        found = train(small_network(), digits, RECIPE, 0, trainer={"strategy": "ddp"})
        assert found.validation == pytest.approx(alone.validation)
        assert not torch.distributed.is_initialized()
