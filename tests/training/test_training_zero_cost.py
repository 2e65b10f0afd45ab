"""Zero-cost scores: what their papers' formulas say, and a network that is left as it was."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nas_attn.attention import ATTENTIONS, IdentityStart
from nas_attn.training import gradnorm, jacob_cov, synflow

SCORES = {
    "synflow": lambda network, images, labels: synflow(network, tuple(images.shape[1:])),
    "jacob_cov": lambda network, images, labels: jacob_cov(network, images),
    "gradnorm": gradnorm,
}


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 1, 8, 8, generator=generator), torch.randint(0, 10, (8,), generator=generator)


def with_attention(kind, start, channels=8):
    made = ATTENTIONS[kind]
    attention = made(channels)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, channels, 3, padding=1), nn.BatchNorm2d(channels)
            self.attention = IdentityStart(attention) if start == "identity" else attention
            self.head = nn.Linear(channels, 10)

        def forward(self, images):
            features = F.relu(self.norm(self.conv(images)))
            signal = (features,) if getattr(made, "gated", False) else ()
            return self.head(self.attention(features, *signal).mean((2, 3)))

    return Net()


def test_synflow_of_a_linear_network_is_its_layers_times_the_product_of_its_positive_weights():
    network = nn.Sequential(nn.Flatten(), *(nn.Linear(a, b, bias=False) for a, b in ((12, 5), (5, 4), (4, 3))))
    one, two, three = (np.abs(layer.weight.detach().double().numpy()) for layer in network[1:])
    product = np.ones(3) @ three @ two @ one @ np.ones(12)
    # each layer's |w dR/dw| sum up to R
    assert synflow(network, (3, 2, 2)) == pytest.approx(math.log10(3 * product), rel=1e-12)


def test_synflow_sees_batch_normalisation_as_the_identity():
    conv, head = nn.Conv2d(1, 4, 3, bias=False), nn.Linear(16, 2, bias=False)
    norms = [nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False), nn.BatchNorm2d(4, track_running_stats=False)]
    with torch.no_grad():
        norms[0].running_mean.fill_(3.0)
        norms[0].weight.fill_(-2.0)
        norms[0].bias.fill_(7.0)
    without = synflow(nn.Sequential(conv, nn.Flatten(), head), (1, 4, 4))
    for norm in norms:
        assert synflow(nn.Sequential(conv, norm, nn.Flatten(), head), (1, 4, 4)) == pytest.approx(without, rel=1e-12)


def test_synflow_does_not_depend_on_the_signs_of_weights():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    before = synflow(network, (1, 8, 8))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.neg_()
    assert synflow(network, (1, 8, 8)) == before


def test_synflow_is_a_number_where_it_is_beyond_a_float32_and_nan_where_there_is_none():
    layers = [nn.Linear(4, 4, bias=False) for _ in range(20)]
    for layer in layers:
        nn.init.constant_(layer.weight, 1e5)
    network = nn.Sequential(nn.Flatten(), *layers)
    # each layer multiplies by 4e5, and the last sum is over 4 scores of ones
    assert synflow(network, (1, 2, 2)) == pytest.approx(20 * math.log10(4e5) + math.log10(4) + math.log10(20))
    for weight in (0.0, 1e30):
        for layer in layers:
            nn.init.constant_(layer.weight, weight)
        assert math.isnan(synflow(network, (1, 2, 2)))


def test_jacob_cov_is_what_its_formula_says_in_numpy(batch):
    images, _ = batch
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first, last = nn.Linear(64, 16), nn.Linear(16, 10)
    weights, bias = first.weight.detach().double().numpy(), first.bias.detach().double().numpy()
    flat = images.double().flatten(1).numpy()
    active = flat @ weights.T + bias > 0
    jacobians = (active * last.weight.detach().double().numpy().sum(0)) @ weights
    values = np.linalg.eigvals(np.corrcoef(jacobians)).real
    expected = -np.sum(np.log(values + 1e-5) + 1 / (values + 1e-5))
    assert jacob_cov(nn.Sequential(nn.Flatten(), first, nn.ReLU(), last), images) == pytest.approx(expected, rel=1e-6)


def test_jacob_cov_of_a_linear_network_is_that_of_images_seen_as_one(batch):
    images, _ = batch
    # every image has the same Jacobian: eigenvalues n, and n - 1 times 0
    n, k = len(images), 1e-5
    expected = -(math.log(n + k) + 1 / (n + k) + (n - 1) * (math.log(k) + 1 / k))
    assert jacob_cov(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), images) == pytest.approx(expected, rel=1e-6)


def test_jacob_cov_is_nan_where_nothing_depends_on_an_image(batch):
    images, _ = batch
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 10))
    nn.init.constant_(network[1].bias, -1e3)
    assert math.isnan(jacob_cov(network, images))


def test_gradnorm_sums_the_norms_of_what_autograd_gives(batch, small_network):
    images, labels = batch
    network = small_network()
    copied = small_network().double().train()
    F.cross_entropy(copied(images.double()), labels).backward()
    norms = [copied[index].weight.grad.norm().item() for index in (0, 4, 9)]
    assert gradnorm(network, images, labels) == pytest.approx(sum(norms), rel=1e-9)


@pytest.mark.parametrize("score", SCORES)
def test_a_score_leaves_the_network_as_it_was(score, batch, small_network):
    network = small_network(dropout=0.5).train()
    network[0].weight.requires_grad_(False)
    network[9].bias.grad = torch.ones(10)
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    SCORES[score](network, *batch)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert [module.training for module in network] == [index != 1 for index in range(10)]
    assert [parameter.requires_grad for parameter in network.parameters()] == [False] + [True] * 7
    assert [parameter.grad is None for parameter in network.parameters()] == [True] * 7 + [False]
    assert torch.equal(network[9].bias.grad, torch.ones(10))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("score", SCORES)
def test_a_score_is_the_same_again_whatever_the_mode_and_the_random_state(score, batch, small_network):
    network = small_network(dropout=0.5)
    first = SCORES[score](network.train(), *batch)
    torch.rand(3)
    assert SCORES[score](network.eval(), *batch) == first


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("start", ["paper", "identity"])
@pytest.mark.parametrize("kind", ATTENTIONS)
def test_a_score_is_finite_for_every_kind(kind, start, score, batch):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = with_attention(kind, start)
    assert math.isfinite(SCORES[score](network, *batch))
