"""All that would end or spoil a search is found before it, in one run, each thing with its cure."""

import sys

import pytest
from bad_studies import LOADERS, NETWORK, SPACE, STUDY, draw_parts

import nas_attn
from nas_attn import cli

DIGITS = 'kind = "digits"'


@pytest.fixture
def make_bad(make_study, tmp_path, monkeypatch):
    """Writes a study whose network, kinds and loaders are of a module of its own."""
    name = f"bad_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(NETWORK)
    (tmp_path / f"{name}_data.py").write_text(LOADERS)
    monkeypatch.syspath_prepend(tmp_path)

    def make(data=DIGITS, make="tied", kinds=("se",), more="", recipe="batch_size = 8"):
        tables = "".join(f'[kinds."{name}:{kind}"]\n' if kind[0].isupper() else f"[kinds.{kind}]\n" for kind in kinds)
        space = SPACE.format(name=name, make=make, kinds=tables, more=more)
        return make_study(STUDY.format(data=data.format(data=f"{name}_data"), recipe=recipe), space)

    return make


@pytest.fixture
def findings():
    """What a check finds, as `state what: text; cure`."""
    return lambda folder: [f"{one.state} {one}" for one in nas_attn.open_study(folder).check().findings]


def lines_with(found, *starts):
    return [[line for line in found if line.startswith(start)] for start in starts]


def test_a_study_that_is_bad_in_every_way_is_known_in_one_run(make_bad, tmp_path, forked_proofs, findings):
    draw_parts(tmp_path / "photos")
    data = f'kind = "folder"\npath = "{tmp_path}/photos"\nchannels = 1'
    folder = make_bad(data, kinds=("Ends", "Unpriced"), more=", auxiliary_weight = 0.4")
    found = findings(folder)
    tied, scores, batches, copies, prices = lines_with(
        found,
        "coped with tied weights: one.shared.weight is two.shared.weight",
        "coped with auxiliary scores: in training it gives auxiliary scores, and each counts 0.4",
        "coped with batches: with batch_size = 8 the last batch of an epoch has one image",
        "warning copies: 1 image is in more than one part: train and test; remove the copies",
        "fault prices: ",
    )
    assert list(map(len, (tied, scores, batches, copies))) == [1, 1, 1, 1], found
    assert len(prices) == 1
    assert "special_bessel_j0" in prices[0]
    assert prices[0].endswith("or leave it out there, by slots or position")
    assert not (folder / "checked.json").exists()


def test_what_the_package_copes_with_is_no_fault(make_bad, forked_proofs, findings):
    found = findings(make_bad(kinds=("Ends",), more=", auxiliary_weight = 0.4"))
    assert not [line for line in found if line.startswith(("fault", "warning"))]
    (in_place,) = [line for line in found if line.startswith("coped with in place: ")]
    assert "after one.norm, two.norm" in in_place


def test_labels_beyond_the_classes_a_single_image_and_a_network_that_gives_two_scores(make_bad, findings):
    module = 'kind = "module"\nmodule = "{data}:Module"\narguments = {{first = 1}}'
    found = findings(make_bad(module, recipe=""))
    labels, space, networks = lines_with(found, "fault labels of the", "fault space: ", "warning networks: not tried")
    assert [line.partition("labels from")[0] for line in labels] == [
        f"fault labels of the {part} loader: Module: found " for part in ("train", "validation")
    ]
    assert all("allowed: from 0 to 2; give each label a class" in line for line in labels)
    assert len(space) == 1
    assert "auxiliary_weight = 0.4" in space[0]
    assert len(networks) == 1


def test_one_image_in_the_last_batch_of_a_loader_that_cannot_be_normalised(make_bad, monkeypatch, findings):
    monkeypatch.setattr("nas_attn.preflight.run.leaving", lambda chain: [])
    module = 'kind = "module"\nmodule = "{data}:Module"\narguments = {{count = %d}}'
    (one,) = lines_with(findings(make_bad(module % 33, make="deep", recipe="")), "fault plain backbone: ")
    assert len(one) == 1
    assert "Expected more than 1 value per channel" in one[0]
    assert "let the train loader leave it out: drop_last=True" in one[0]
