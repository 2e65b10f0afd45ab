"""Images and a network for tests in which something is trained."""

import pytest
import torch
from torch import nn

from nas_attn.data import load_data
from nas_attn.settings import Digits


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    return load_data(Digits(), tmp_path_factory.getbasetemp())


@pytest.fixture
def small_network():
    """A maker of the same small CNN, again and again: 8 x 8 pixels of one channel to ten classes."""

    def make(dropout=0.0):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1, bias=False),
                nn.BatchNorm2d(8),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(8, 16, 3, padding=1, bias=False),
                nn.BatchNorm2d(16),
                nn.ReLU(),
                nn.Flatten(),
                nn.Dropout(dropout),
                nn.Linear(256, 10),
            )

    return make
