"""What a device asks of a network, and torch's random states and switches, which a training leaves as they were."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
import torch.distributed as dist
from torch import nn

from nas_attn.data import mixed_seed, quiet


def lay_out(network: nn.Module, device: torch.device) -> None:
    """Lay the weights of 2-D convolutions out as a device prefers them: on CUDA with channels last.

    `Module.to` would refuse a network that has weights of five dimensions.
    """
    for tensor in chain(network.parameters(), network.buffers()) if device.type == "cuda" else ():
        if tensor.ndim == 4:
            tensor.data = tensor.data.to(memory_format=torch.channels_last)


@contextmanager
def forked_rng(device: torch.device) -> Iterator[None]:
    """Context in which a CUDA device is the current one.

    After it torch's random states, of the CPU and of this device, and the current device are as they were before.
    """
    if device.type != "cuda":
        with torch.random.fork_rng([]):
            yield
    else:
        with torch.cuda.device(device), torch.random.fork_rng([device]):
            yield


def seed_rng(device: torch.device, seed: int, epoch: int) -> None:
    """Derive torch's random states, of the CPU and of this CUDA device, from seed and epoch."""
    mixed = mixed_seed(seed, epoch, stream=1)
    torch.default_generator.manual_seed(mixed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(mixed)


@contextmanager
def guest(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Context of a training that is not this package's own, with random states that are forked.

    After it the network is on the CPU, in eval mode, and has no gradients.
    """
    try:
        with quiet(), own_switches(), forked_rng(device):
            yield
    finally:
        network.zero_grad(set_to_none=True)
        network.to("cpu").eval()


@contextmanager
def own_switches() -> Iterator[None]:
    """Context of a trainer, after which torch's switches are as before, and no new process group is left."""
    strict, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    grouped = dist.is_available() and dist.is_initialized()
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warns)
        torch.backends.cudnn.benchmark = benchmark
        if dist.is_available() and dist.is_initialized() and not grouped:
            dist.destroy_process_group()
