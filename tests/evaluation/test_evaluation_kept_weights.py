"""Trained weights that were damaged or exchanged are never read in silence."""

import pytest
import torch
from safetensors.torch import load_file
from small_protocol import RECIPE, STUDY, keeping, row

import nas_attn
from nas_attn.evaluation import PretrainedStore, read_weights, weights_file
from nas_attn.evaluation.protocol import write_weights
from nas_attn.settings import Backbone
from nas_attn.space import Architecture, InputError, parse

SE = "stage1.block0.branch=se(reduction=4)"


@pytest.fixture
def protocol(tmp_path):
    return keeping(tmp_path)


DAMAGES = {
    "a flipped bit": lambda content: content[:-5] + bytes([content[-5] ^ 16]) + content[-4:],
    "a third zeroed": lambda content: (
        content[: -len(content) // 3] + bytes(len(content) - len(content[: -len(content) // 3]))
    ),
    "cut short": lambda content: content[:-100],
    "empty": lambda content: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_weights_are_not_read(protocol, damage):
    found = protocol.train(row(SE))
    path = weights_file(protocol.keeps, found.key, 0)
    read_weights(protocol.build(parse(SE), 0), path, found.weights_sha256)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(InputError, match=f"{path.name}: holds no weights of this network: .*{found.weights_sha256}"):
        read_weights(protocol.build(parse(SE), 0), path, found.weights_sha256)


def test_weights_of_another_seed_under_this_name_are_not_exported(make_study, tmp_path):
    study = nas_attn.open_study(make_study(STUDY.replace("trials = 3", "trials = 1")))
    study.run()
    found = study.folder.pick("best")
    path = weights_file(study.folder.path / "weights", found.key, found.seed)
    plain = study.network(found.key)
    with torch.no_grad():
        plain.head.bias.add_(1.0)
    write_weights(plain, path)
    with pytest.raises(InputError, match=found.weights_sha256):
        study.export(tmp_path / "out", "best")
    assert not (tmp_path / "out").exists()


def test_a_trained_base_that_was_damaged_is_trained_again(protocol, tmp_path, caplog):
    store = PretrainedStore(tmp_path / "trained", Backbone(name="resnet8"), protocol.task, {}, 0, lambda *_: None)
    kept = store.base(RECIPE)
    whole = kept.path.read_bytes()
    assert store.base(RECIPE) == kept
    for damage in DAMAGES.values():
        kept.path.write_bytes(damage(whole))
        store.base(RECIPE)
        assert load_file(kept.path).keys() == protocol.build(Architecture(), 0).state_dict().keys()
        assert all(torch.equal(one, load_file(kept.path)[name]) for name, one in nas_weights(whole, tmp_path).items())
    assert "other numbers than were written" in caplog.text


def nas_weights(content, folder):
    (folder / "whole.safetensors").write_bytes(content)
    return load_file(folder / "whole.safetensors")


def test_a_row_without_a_digest_is_read_and_its_export_says_so(make_study, tmp_path, monkeypatch, forked_proofs):
    with monkeypatch.context() as patched:  # as 0.1.0 wrote rows
        patched.setattr("nas_attn.evaluation.protocol.write_weights", lambda *args: write_weights(*args) and "")
        study = nas_attn.open_study(make_study(STUDY.replace("trials = 3", "trials = 1")))
        study.run()
    _, notes = study.export(tmp_path / "out", "best")
    assert any("weights cannot be checked" in note for note in notes)
