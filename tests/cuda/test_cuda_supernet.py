"""A supernet on one device: trained, recalibrated and screened as on the CPU; and what inherits from it."""

import random
import warnings

import pytest
import torch
from coloured import BACKBONE, network
from of_device import CPU, only_cuda
from small_protocol import row

from nas_attn.assembly import load_space
from nas_attn.evaluation import TrainingProtocol, screened
from nas_attn.evaluation.supernet import build_supernet, variants
from nas_attn.settings import Recipe
from nas_attn.space import Architecture
from nas_attn.tasks import ImageTask
from nas_attn.training import recalibration, score, train

pytestmark = [pytest.mark.cuda, pytest.mark.filterwarnings("default")]
SPACE = """
backbone = {name = "resnet8", arguments = {width = 8}}
per = "stage"
[kinds.se]
reduction = [4, 8]
[kinds.gate]
[kinds.non_local]
position = "block"
"""
RECIPE = Recipe(epochs=6, batch_size=32)


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    file = tmp_path_factory.mktemp("space") / "space.toml"
    file.write_text(SPACE)
    return load_space(file)[1]


def trained_supernet(space, data, recipe, trainer):
    supernet = build_supernet(space, BACKBONE, in_channels=3, classes=data.classes)
    sampled = variants(supernet, space, 0, sandwich=(Architecture(),))
    return supernet, train(supernet, data, recipe, 0, variants=sampled, trainer=trainer)


@pytest.fixture(scope="module")
def supernet(space, data, trainer):
    return trained_supernet(space, data, RECIPE, trainer)[0]


def screen(supernet, data, architectures, device):
    scoring = recalibration(supernet, data, images=128, batch_size=64, seed=5, device=device)
    return list(screened(supernet, scoring, architectures))


def test_it_learns_there_what_it_learns_on_the_cpu(space, data, exact, no_tf32):
    short = RECIPE.model_copy(update={"epochs": 1, "learning_rate": 0.01})
    there, here = (trained_supernet(space, data, short, asked)[1] for asked in (exact, {**exact, "accelerator": "cpu"}))
    assert there.train_loss == pytest.approx(here.train_loss, rel=1e-3)
    assert there.validation["loss"] == pytest.approx(here.validation["loss"], rel=1e-2)


def test_networks_are_screened_there_as_on_the_cpu(space, supernet, data, device, no_tf32):
    rng = random.Random(0)
    architectures = [*space.baselines(), *(space.sample(rng) for _ in range(4))]
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    there, here = (screen(supernet, data, architectures, where) for where in (device, CPU))
    for found, expected in zip(there, here, strict=True):
        assert found.validation["loss"] == pytest.approx(expected.validation["loss"], rel=1e-3)
        assert found.validation["accuracy"] == pytest.approx(expected.validation["accuracy"], abs=0.02)
        assert found.train_loss == pytest.approx(expected.train_loss, rel=1e-3)
    assert there[0].validation["accuracy"] > 0.9
    assert len({found.validation["loss"] for found in there}) > len(there) // 2
    after = supernet.state_dict()
    assert [name for name, value in before.items() if not torch.equal(value, after[name])] == []
    assert {value.device.type for value in after.values()} == {"cpu"}


def test_a_network_inherits_what_was_learnt_there(space, supernet, data, trainer):
    recipe = Recipe(epochs=1, batch_size=64, learning_rate=1e-4)
    protocol = TrainingProtocol(BACKBONE, ImageTask(data), recipe, "inherit", trainer, supernet.weights_of)
    for architecture in space.baselines():
        built = protocol.build(architecture, 0)
        assert score(built, data.validation, data, 64, trainer=trainer)["loss"] < 1
        inherited = protocol.train(row(str(architecture)))
        assert (inherited.state, inherited["accuracy"] > 0.9) == ("complete", True)


@only_cuda("nothing waits for it")
def test_the_host_waits_no_more_often_for_a_network_with_more_normalisations(data, device):
    def waits(built):
        with recalibration(built, data, 128, 64, 0, device) as scored:
            scored()
            torch.cuda.set_sync_debug_mode("warn")
            try:
                with warnings.catch_warnings(record=True) as told:
                    warnings.simplefilter("always")
                    scored()
            finally:
                torch.cuda.set_sync_debug_mode("default")
        return sum("synchroniz" in str(warning.message) for warning in told)

    assert 0 < waits(network()) == waits(network("stage1.block0.branch=gate stage2.block0.branch=gate"))
