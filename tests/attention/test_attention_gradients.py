"""Gradients, held against central differences of the papers' equations as NumPy computes them."""

from inspect import signature

import numpy as np
import pytest
from attention_cases import build, images
from test_attention_forward import EQUATIONS

STEP = 1e-6


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("se", {"reduction": 2, "bias": True}),
        ("se", {"reduction": 4, "divisor": 2}),
        ("cbam", {"reduction": 2, "kernel_size": 3}),
        ("cbam", {"reduction": 2, "kernel_size": 3, "bias": False, "divisor": 3}),
        ("coordinate", {"divisor": 3}),
        ("non_local", {"subsample": True}),
        ("non_local", {"scale": True}),
        ("non_local", {"form": "gaussian"}),
        ("non_local", {"form": "gaussian", "scale": True, "subsample": True}),
        ("non_local", {"form": "dot_product"}),
        ("non_local", {"form": "dot_product", "subsample": True}),
        ("non_local", {"form": "concatenation"}),
        ("non_local", {"form": "concatenation", "subsample": True}),
        ("efficient", {"reduction": 2}),
        ("triplet", {"kernel_size": 3}),
        ("ese", {}),
        ("efficient", {"reduction": 1, "heads": 2, "groups": 2}),
    ],
)
def test_gradients_are_the_slopes_of_the_papers_equation(kind, options):
    attention, features, direction = build(kind, 4, **options), images(2, 4, 3, 2), images(2, 4, 3, 2, seed=5)
    equation = EQUATIONS[kind]
    shown = {name: value for name, value in options.items() if name in signature(equation).parameters}
    p = {name: value.numpy().copy() for name, value in attention.state_dict().items()}
    x = features.numpy().copy()

    (attention(features.requires_grad_()) * direction).sum().backward()

    def slopes(values):
        """How the weighted sum of the outputs follows each of these numbers, which the equation reads."""
        found = np.zeros_like(values)
        for index in np.ndindex(values.shape):
            before = values[index]
            sums = []
            for value in (before + STEP, before - STEP):
                values[index] = value
                sums.append((equation(p, x, **shown) * direction.numpy()).sum())
            values[index] = before
            found[index] = (sums[0] - sums[1]) / (2 * STEP)
        return found

    np.testing.assert_allclose(features.grad.numpy(), slopes(x), rtol=1e-6, atol=1e-7)
    for name, parameter in attention.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), slopes(p[name]), rtol=1e-6, atol=1e-7, err_msg=name)
