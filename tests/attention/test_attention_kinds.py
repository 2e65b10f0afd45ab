import inspect
from pathlib import Path

import pytest
import torch
from attention_cases import CASES, build, images, inputs, too_small
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nas_attn.attention
from nas_attn.attention import ATTENTIONS, describe

ROOM = Path(nas_attn.attention.__file__).parent
ADDING = ("non_local", "efficient", "global_context", "bam", "selective_kernel")
SHUFFLING = ("shuffle",)
sizes = st.integers(1, 9)


@pytest.mark.parametrize(("kind", "options"), CASES)
@pytest.mark.parametrize("shape", [(2, 8, 1, 1), (1, 8, 1, 7), (1, 8, 7, 1), (3, 8, 5, 3), (1, 8, 8, 8)])
def test_the_shape_of_a_map_is_kept(kind, options, shape):
    shape = (2, 8, 1, 2) if too_small(kind, shape) else shape
    attention = build(kind, 8, **options)
    assert attention(*inputs(attention, *shape)).shape == shape


@pytest.mark.parametrize(("kind", "options"), CASES)
@settings(max_examples=15, deadline=None)
@given(batch=st.integers(1, 3), channels=st.integers(1, 20), height=sizes, width=sizes)
def test_any_map_of_any_width_gives_finite_features_of_its_shape(kind, options, batch, channels, height, width):
    shape = (batch, channels, height, width)
    assume(not too_small(kind, shape))
    attention = build(kind, channels, **options)
    weighed = attention(*inputs(attention, *shape))
    assert weighed.shape == shape
    assert weighed.isfinite().all()


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_images_of_a_batch_do_not_see_each_other(kind, options):
    attention = build(kind, 8, **options)
    batch = inputs(attention, 3, 8, 5, 4)
    alone = torch.cat([attention(*(features[n : n + 1] for features in batch)) for n in range(3)])
    torch.testing.assert_close(attention(*batch), alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_gradients_reach_the_features_and_every_parameter(kind, options):
    attention = build(kind, 16, **options)
    given_maps = [features.requires_grad_() for features in inputs(attention, 2, 16, 6, 5)]
    (attention(*given_maps) * images(2, 16, 6, 5, seed=9)).sum().backward()
    # a bias of phi adds the same to all scores of a row, one of the keys or of the mask to all positions: the softmax
    # takes it away
    unheard = {("non_local", "phi.bias"), ("efficient", "keys.bias"), ("global_context", "mask.bias")}
    parameters = {name: p.grad for name, p in attention.named_parameters() if (kind, name) not in unheard}
    silent = [name for name, gradient in parameters.items() if gradient is None or gradient.abs().max() < 1e-9]
    assert not silent
    assert all(features.grad.abs().max() > 1e-9 for features in given_maps)


@pytest.mark.parametrize("kind", [kind for kind in ATTENTIONS if kind not in (*ADDING, *SHUFFLING)])
def test_every_weight_of_a_weighing_kind_lies_between_zero_and_one(kind):
    attention = build(kind, 16)
    features, *signal = inputs(attention, 2, 16, 6, 5)
    weights = attention(features, *signal) / features
    assert weights.min() > 0
    assert weights.max() < 1


@pytest.mark.parametrize("kind", ["cbam", "non_local", "gate", "bam", "triplet"])
def test_a_single_position_in_a_batch_of_one_cannot_train_where_positions_are_normalised(kind):
    attention = build(kind, 8).train()
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        attention(*inputs(attention, 1, 8, 1, 1))


@pytest.mark.parametrize("kind", ["se", "coordinate", "spatial", "efficient", "eca", "global_context", "scse", "ese"])
def test_a_single_position_in_a_batch_of_one_can_train_elsewhere(kind):
    attention = build(kind, 8).train()
    assert attention(*inputs(attention, 1, 8, 1, 1)).shape == (1, 8, 1, 1)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_channels_come_first_and_every_option_has_a_name_and_a_default(kind):
    parameters = list(inspect.signature(ATTENTIONS[kind]).parameters.values())
    channels = ["channels", "signal_channels"][: 2 if kind == "gate" else 1]
    assert [parameter.name for parameter in parameters[: len(channels)]] == channels
    options = parameters[len(channels) :]
    assert all(option.kind is option.KEYWORD_ONLY for option in options)
    assert all(option.default is not option.empty for option in options)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_only_the_gate_asks_for_a_gating_signal(kind):
    arguments = list(inspect.signature(ATTENTIONS[kind].forward).parameters)
    assert getattr(ATTENTIONS[kind], "gated", False) == (kind == "gate")
    assert arguments == ["self", "features", "gating_signal"][: 3 if kind == "gate" else 2]


def test_every_file_of_the_room_is_in_the_table():
    of_no_kind = {
        "__init__.py",
        "catalogue.py",
        "kinds.py",
        "options.py",
        "own.py",
        "programs.py",
        "signature.py",
        "start.py",
        "trial.py",
    }
    files = {path.name for path in ROOM.glob("*.py")} - of_no_kind
    assert sorted(files) == sorted(Path(inspect.getfile(attention)).name for attention in ATTENTIONS.values())


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_every_file_names_its_paper_and_year_and_links_to_it(kind):
    title, _, link = inspect.getdoc(inspect.getmodule(ATTENTIONS[kind])).splitlines()
    assert title.endswith((", 2017.", ", 2018.", ", 2019.", ", 2020.", ", 2021.", ", 2023.", ", 2024."))
    published = "https://proceedings.mlr.press/" if kind == "simam" else "https://arxiv.org/abs/"
    assert published in link


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_every_kind_says_where_it_comes_from_and_what_it_weighs(kind):
    known = describe(ATTENTIONS[kind])
    assert known.name
    assert known.paper.endswith(tuple(f"({year})" for year in range(2010, 2030)))
    assert known.link.startswith("https://")
    assert known.parameters
    given = ("channels", "signal_channels")
    named = [name for name in inspect.signature(ATTENTIONS[kind]).parameters if name not in given]
    assert [name for name, _, _ in known.options] == named
    assert all(meaning for _, _, meaning in known.options)


def test_a_kind_without_a_paper_is_told():
    class Homemade(torch.nn.Module):
        pass

    with pytest.raises(ValueError, match="Homemade: its docstrings lack the paper"):
        describe(Homemade)
