"""The device of these tests, how a trainer is told of it, and arithmetic that can be compared."""

import os

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read at a process's first product of matrices, if at all

import pytest
import torch
from coloured import coloured_data
from of_device import CPU, SMALL


def pytest_runtest_setup():
    if not SMALL and not torch.cuda.is_available():
        pytest.skip("no CUDA device is at hand; with NAS_ATTN_GPU_DEVICE=cpu the same tests run on the CPU")


@pytest.fixture(scope="session")
def device():
    return CPU if SMALL else torch.device("cuda", 0)


@pytest.fixture(scope="session")
def trainer(device):
    """The `[trainer]` that trains there; on a GPU it need not say so."""
    return {"accelerator": "cpu"} if device == CPU else {}


@pytest.fixture(scope="session")
def exact(trainer):
    """The same, with float32 throughout, and the same end each time."""
    return {**trainer, "precision": "32-true", "deterministic": True}


@pytest.fixture
def no_tf32():
    """Convolutions in float32 that are no TensorFloat-32; matrix products are none unless that is asked for."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


@pytest.fixture(scope="session")
def data():
    return coloured_data()
