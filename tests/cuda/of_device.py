"""Which device the tests of one device run on, and what only a GPU can show."""

import os

import pytest
import torch

CPU = torch.device("cpu")
SMALL = os.environ.get("NAS_ATTN_GPU_DEVICE") == "cpu"
"""Whether the same tests run on the CPU."""


def only_cuda(reason):
    """Skips a test of which the CPU has no form."""
    return pytest.mark.skipif(SMALL, reason=f"not on the CPU: {reason}")


def named(device):
    """What a study's `[latency]` calls a device."""
    return "cpu" if device == CPU else str(device)
