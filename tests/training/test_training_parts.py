"""A batch that needs more memory than there is passes in parts, and a lack of memory is known by its many names."""

import errno
import os

import numpy as np
import pytest
import torch
from torch import nn

from nas_attn.settings import Recipe
from nas_attn.training import OutOfMemory, train
from nas_attn.training.failure import memory_faults_reported, networks_own

RECIPE = Recipe(epochs=2, batch_size=100, learning_rate=0.05)  # whose last batch of an epoch has 37 images
"""Without batch normalisation parts change nothing but the last digits."""


class Double(nn.Module):
    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 10)).double()
        self.sizes = []

    def forward(self, images):
        self.sizes.append((len(images), self.training))
        return self.layers(images.double())


def trained(digits, parts, recipe=RECIPE, **trainer):
    network = Double()
    found = train(network, digits, recipe, 3, parts=parts, trainer=trainer)
    return found, network


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize(
    ("more", "trainer"),
    [
        ({}, {}),
        ({"optimizer": "adamw", "learning_rate": 0.01, "ema_decay": 0.9}, {"gradient_clip_val": 0.1}),
        ({"warmup_epochs": 1, "schedule": "CosineAnnealingLR"}, {"accumulate_grad_batches": 3}),
        ({"mixup": 0.3}, {}),
    ],
    ids=["usual", "clipped and averaged", "accumulated by the user", "mixed"],
)
def test_gradients_of_parts_add_up_to_that_of_the_batch(digits, parts, more, trainer):
    recipe = RECIPE.model_copy(update=more)
    (whole, one), (divided, other) = (trained(digits, count, recipe, **trainer) for count in (1, parts))
    for name, value in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=1e-4, atol=1e-6)
    assert divided.train_loss == pytest.approx(whole.train_loss, rel=1e-4)
    assert divided.validation["accuracy"] == pytest.approx(whole.validation["accuracy"], abs=0.01)
    assert max(size for size, _ in one.sizes) == 100
    assert max(size for size, _ in other.sizes) == -(-100 // parts)
    assert min(size for size, training in other.sizes if training) > 1


def allocate_too_much():
    torch.empty(10**15)


def count_too_far():
    np.empty(10**17)


def fork_too_often():
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


SPELT = [
    "CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 7.93 GiB total capacity; 130.35 MiB already allocated)",
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call",
    "HIP out of memory. Tried to allocate 2.00 GiB",
    "MPS backend out of memory (MPS allocated: 9.05 GB, other allocations: 1.01 GB, max allowed: 10.20 GB).",
    "UR error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "cuFFT error: CUFFT_ALLOC_FAILED",
    "[enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "132426121216 bytes. Error code 12 (Cannot allocate memory)",
    "[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.",
    "unable to mmap 1024 bytes from file <filename not specified>: Cannot allocate memory (12)",
    "std::bad_alloc",
]


@pytest.mark.parametrize("text", SPELT)
def test_a_lack_of_memory_is_known_however_it_is_spelt(text):
    with pytest.raises(OutOfMemory, match=r"^out of memory: "), memory_faults_reported(), networks_own():
        raise RuntimeError(text)


@pytest.mark.parametrize("need", [allocate_too_much, count_too_far, fork_too_often])
def test_a_lack_of_memory_is_known_that_torch_numpy_or_the_system_raise(need):
    with pytest.raises(OutOfMemory, match=r"^out of memory: "), memory_faults_reported(), networks_own():
        need()


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA error: an illegal memory access was encountered"), OSError(5, "io")]
)
def test_other_faults_are_no_lack_of_memory(error):
    with pytest.raises(type(error)), memory_faults_reported():
        raise error
