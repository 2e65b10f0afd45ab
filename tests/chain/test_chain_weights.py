"""A backbone with a part of a file of weights goes through every step, also those that begin with other weights."""

from pathlib import Path

import torch

import nas_attn
from nas_attn.settings import Backbone

STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops"]
chain = [{proxy = "inherit", networks = 1, epochs = 1}, {proxy = "final", networks = 1}]
final = "inherit"
[data]
kind = "digits"
[recipe]
epochs = 1
batch_size = 512
[latency]
calls = 50
"""
SPACE = """
image = [1, 8, 8]
backbone = {{name = "net01:make_net", weights = "{weights}", weights_key = "ema"}}
[kinds.se]
"""


def test_a_study_inherits_from_a_base_that_began_with_a_part_of_a_file(make_study, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "case_networks")
    network = __import__("net01").make_net(1, 10)
    weights = {name: tensor.float() + 1 for name, tensor in network.state_dict().items()}
    torch.save({"model": network.state_dict(), "ema": weights}, tmp_path / "w.pth")
    study = nas_attn.open_study(make_study(STUDY, SPACE.format(weights=tmp_path / "w.pth")))
    assert study.run() == "1 of 1 networks are trained"


def test_other_weights_are_taken_whole():
    backbone = Backbone(name="net01:make_net", weights="w.pth", weights_key="ema")
    assert backbone.untrained == Backbone(name="net01:make_net")
    assert backbone.with_weights("base.safetensors") == Backbone(name="net01:make_net", weights="base.safetensors")
