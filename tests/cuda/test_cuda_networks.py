"""Networks of others on one device, with attention attached by hooks."""

from pathlib import Path

import pytest
import torch
from placing import installed
from small_protocol import row

from nas_attn.assembly import load_space
from nas_attn.evaluation import TrainingProtocol
from nas_attn.settings import Backbone, Recipe
from nas_attn.tasks import ImageTask
from nas_attn.training import train

pytestmark = [pytest.mark.cuda, pytest.mark.filterwarnings("default")]
KINDS = "[kinds.se]\nreduction = 4\n[kinds.gate]\n[kinds.spatial]\n"
HAND_WRITTEN = [f"foreign_nets:{name}" for name in ("basic", "pre_activation", "two_sums", "parallel", "chunks")]


@pytest.fixture(autouse=True)
def _at_hand(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "backbones")


@pytest.mark.parametrize("name", [*HAND_WRITTEN, "timm:resnet10t", "torchvision:resnet18"])
def test_they_train_there_with_attention_buffers_and_all(name, data, device, trainer, tmp_path):
    library = name.partition(":")[0]
    if name not in HAND_WRITTEN and not installed(library):
        pytest.skip(f"{library} is not installed, or not for this torch")
    (tmp_path / "space.toml").write_text(f'backbone = "{name}"\nper = "stage"\n{KINDS}')
    space = load_space(tmp_path / "space.toml")[1]
    protocol = TrainingProtocol(
        Backbone(name=name), ImageTask(data), Recipe(epochs=1, learning_rate=0.02), "scratch", trainer
    )
    for architecture in space.baselines()[1:3]:
        trained, where = protocol.build(architecture, 0), set()
        before = {key: value.clone() for key, value in trained.state_dict().items()}

        def note(module, inputs, output, where=where):
            tensors = (*module.parameters(), *module.buffers(), *inputs, output)
            where |= {tensor.device for tensor in tensors}

        trained.register_forward_hook(note)
        result = train(trained, data, protocol.recipe, 0, trainer=trainer)
        assert where == {device}
        after = trained.state_dict()
        assert {value.device.type for value in after.values()} == {"cpu"}
        moved = {key for key, value in after.items() if not torch.equal(value, before[key])}
        assert {key for key in after if "running_" in key} <= moved
        assert any(key.startswith("attentions.") for key in moved)
        again = protocol.train(row(str(architecture)))
        assert (again.state, again["loss"]) == ("complete", pytest.approx(result.validation["loss"], rel=0.3))
