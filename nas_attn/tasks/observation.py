"""What goes into a network while a user's own module judges its first validation batch."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pytorch_lightning as pl
from torch import Tensor, nn

from nas_attn.space import InputError
from nas_attn.training import run_module


def observed_image(
    module: pl.LightningModule, data: pl.LightningDataModule | None, part: str, trainer: Mapping[str, Any], name: str
) -> tuple[int, int, int]:
    """Channels, height and width of what goes into a part of a module in its first validation batch.

    Raises `InputError` where the module fails, does not use the part, or gives it anything but one tensor
    (B, C, H, W); then the message names the parts that get one.
    """
    seen: dict[str, list[tuple[tuple[Any, ...], Mapping[str, Any]]]] = {}

    def note(path: str, _module: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        seen.setdefault(path, []).append((inputs, named))

    hooks = [
        inner.register_forward_pre_hook(partial(note, path), with_kwargs=True) for path, inner in module.named_modules()
    ]
    try:
        run_module(module, data, trainer, stage="validate")
    finally:
        for hook in hooks:
            hook.remove()
    where = f"{name}: in validation"
    if part not in seen:
        raise InputError(f"{where} {part!r} is not called as a module; {_others(module, seen)}")
    inputs, named = seen[part][0]
    if not _is_images(inputs, named):
        raise InputError(f"{where} {part!r} gets {_described(inputs, named)}; {_others(module, seen)}")
    channels, height, width = map(int, inputs[0].shape[1:])
    return channels, height, width


def _is_images(inputs: Sequence[Any], named: Mapping[str, Any]) -> bool:
    return len(inputs) == 1 and not named and isinstance(inputs[0], Tensor) and inputs[0].ndim == 4


def _described(inputs: Sequence[Any], named: Mapping[str, Any]) -> str:
    words = [_word(one) for one in inputs] + [f"{name} = {_word(one)}" for name, one in named.items()]
    return ", ".join(words) or "nothing"


def _word(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, list | tuple | dict) else "")


def _others(module: nn.Module, seen: Mapping[str, list[tuple[tuple[Any, ...], Mapping[str, Any]]]]) -> str:
    """The outermost modules that get images alone, and have convolutions."""
    modules, found = dict(module.named_modules()), list[str]()
    for path, calls in seen.items():
        inside = any(path.startswith(f"{other}.") for other in found)
        if path and not inside and _is_images(*calls[0]) and _convolves(modules[path]):
            found.append(path)
    listed = ", ".join(found) or "none"
    return f"allowed: a module that is called with images alone, one tensor (B, C, H, W), such as {listed}"


def _convolves(module: nn.Module) -> bool:
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return not isinstance(module, kinds) and any(isinstance(one, kinds) for one in module.modules())
