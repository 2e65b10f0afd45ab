"""What tasks of the user's own have in common: images that are not ours to read, change or remember."""

import hashlib
from collections.abc import Mapping
from typing import Any, TypeVar

from torch import nn

from nas_attn.settings import Fingerprint, Settings
from nas_attn.space import InputError

from .code import code_digest

T = TypeVar("T", bound="OwnTask")


class OwnTask:
    """A task whose images are the affair of the user's own code."""

    def made_by(self) -> Mapping[str, Settings]:
        """What trains and what brings the images, by the names of their objects."""
        raise NotImplementedError

    @property
    def digest(self) -> str:
        """The SHA-256 of the files of that code, and what it is called with."""
        parts = [(code_digest(name), said.model_dump()) for name, said in self.made_by().items()]
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @property
    def divisible(self) -> bool:
        """False: its batches are made by the user's own code."""
        return False

    def fingerprint(self) -> Fingerprint:
        """Nothing: no image is known."""
        return Fingerprint({}, 0, (), "")

    def reduced(self: T, share: float, resolution: float) -> T:
        """The same task; raises `InputError` where it is to have fewer or smaller images."""
        if share == resolution == 1:
            return self
        raise InputError("data_share and resolution: found one of them with a task of the user's own; leave it out")

    def test(self, network: nn.Module, batch_size: int, trainer: Mapping[str, Any]) -> tuple[Mapping[str, float], int]:
        """Nothing, where no test part is known."""
        return {}, 0
