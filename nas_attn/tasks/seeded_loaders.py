"""Random numbers of a user's own loaders, apart from those of networks, so that all see the same batches."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from pytorch_lightning.utilities import CombinedLoader
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor
from torch.utils._pytree import tree_map

from nas_attn.data import RngState, mixed_seed, seed_generators

_MARK = "_nas_attn_draws_apart"
_STREAMS = {"train_dataloader": 2, "val_dataloader": 3, "test_dataloader": 4}


def seed_loaders(source: Any, epoch: Callable[[], int], seed: int) -> None:
    """Have the loaders of a module draw order, augmentation and the seeds of their workers from seed and epoch alone.

    Training loaders are another random stream in each epoch; those that judge are the same every time.
    """
    for name, stream in _STREAMS.items():
        if is_overridden(name, source):  # what Lightning only announces stays as it is
            setattr(source, name, partial(_made, getattr(source, name), epoch, seed, stream))


def _made(make: Callable[[], Any], epoch: Callable[[], int], seed: int, stream: int) -> Any:
    def seed_of_pass() -> int:
        return mixed_seed(seed, epoch() if stream == _STREAMS["train_dataloader"] else 0, stream)

    def seeded(loader: Any) -> Any:
        return _seeded(loader, seed_of_pass)

    with RngState(mixed_seed(seed, 0, stream)).active():
        loaders = make()
    if isinstance(loaders, CombinedLoader):
        loaders.flattened = [seeded(one) for one in loaders.flattened]
        return loaders
    return tree_map(seeded, loaders)


def _seeded(loader: Any, seed_of_pass: Callable[[], int]) -> Any:
    """The same loader, an instance of its class still, whose passes have a random state of their own."""
    plain = type(loader)
    if isinstance(loader, Tensor) or not hasattr(plain, "__iter__") or hasattr(plain, _MARK):
        return loader

    def passes(self: Any) -> Iterator[Any]:
        seed = seed_of_pass()
        state = RngState(seed)
        with state.active():
            seed_generators(self, seed)
            batches = plain.__iter__(self)
        return _drawn(batches, state)

    try:
        loader.__class__ = type(
            plain.__name__, (plain,), {"__iter__": passes, "__module__": plain.__module__, _MARK: True}
        )
    except TypeError:  # a class of the language's own, such as a list of batches, draws nothing
        return loader
    return loader


def _drawn(batches: Iterator[Any], state: RngState) -> Iterator[Any]:
    nothing = object()
    while True:
        with state.active():
            batch = next(batches, nothing)
        if batch is nothing:
            return
        yield batch
