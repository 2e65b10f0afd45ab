"""What chance does on the device that trains, and what torch does there for all."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.distributed as dist


@contextmanager
def own_chance(device: torch.device) -> Iterator[None]:
    """After it torch's chance, on the CPU and on a CUDA device, is as it was before."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield


def seed_chance(device: torch.device, seed: int, epoch: int) -> None:
    """Let torch's chance, on the CPU and on a CUDA device, begin an epoch in a way that seed and epoch fix."""
    mixed = np.random.SeedSequence((seed, epoch), spawn_key=(1,)).generate_state(1, np.uint64)
    torch.default_generator.manual_seed(int(mixed[0]))
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(int(mixed[0]))


@contextmanager
def own_switches() -> Iterator[None]:
    """After it torch's switches that are one for a whole process, and that a trainer may set, are as they were."""
    strict, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warns)
        torch.backends.cudnn.benchmark = benchmark


@contextmanager
def own_process_group() -> Iterator[None]:
    """After it there is no process group of torch's, as strategies for several devices make, that was not before."""
    before = dist.is_available() and dist.is_initialized()
    try:
        yield
    finally:
        if dist.is_available() and dist.is_initialized() and not before:
            dist.destroy_process_group()
