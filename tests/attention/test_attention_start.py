"""An attention that starts as the identity, or as a part of what it will be."""

import pytest
import torch
from attention_cases import CASES, build, inputs

from nas_attn.attention import ATTENTIONS, IdentityStart


def untrained(kind, **options):
    """An attention with the initial weights of its paper."""
    torch.manual_seed(0)
    return ATTENTIONS[kind](8, **options).double().eval()


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_identity_start_gives_exactly_the_features(kind, options):
    attention = IdentityStart(untrained(kind, **options)).double()
    features, *signal = inputs(attention, 2, 8, 5, 4)
    assert torch.equal(attention(features, *signal), features)


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_gamma_leads_from_the_features_to_the_attention(kind, options):
    plain = build(kind, 8, **options)
    attention = IdentityStart(plain).double()
    features, *signal = inputs(attention, 2, 8, 5, 4)
    for gamma in (0.25, 1.0):
        torch.nn.init.constant_(attention.gamma, gamma)
        expected = (1 - gamma) * features + gamma * plain(features, *signal)
        torch.testing.assert_close(attention(features, *signal), expected)


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_something_is_learnt_from_the_first_step(kind, options):
    attention = IdentityStart(untrained(kind, **options)).double()
    features, *signal = inputs(attention, 2, 8, 5, 4)
    attention(features, *signal).square().sum().backward()
    assert any(parameter.grad is not None and parameter.grad.abs().any() for parameter in attention.parameters())


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_gamma_is_one_where_the_attention_is_the_identity_by_itself(kind, options):
    plain = untrained(kind, **options)
    features, *signal = inputs(plain, 2, 8, 5, 4)
    assert IdentityStart(plain).gamma.item() == torch.equal(plain(features, *signal), features)


def test_it_has_one_parameter_more_and_asks_for_a_gating_signal_where_the_kind_does():
    for kind, gated in (("se", False), ("gate", True)):
        plain = build(kind, 8)
        attention = IdentityStart(plain)
        assert attention.gated is gated
        count = sum(parameter.numel() for parameter in plain.parameters())
        assert sum(parameter.numel() for parameter in attention.parameters()) == count + 1
