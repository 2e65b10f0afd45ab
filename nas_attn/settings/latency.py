"""Where and how the time of a forward pass is measured: the `[latency]` of a study."""

import json
import re
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from .table import Settings

_DEVICE = re.compile(r"auto|cpu|cuda(:(0|[1-9]\d*))?", re.ASCII)
_ONNX_NEEDS = {"device": "cpu", "dtype": "float32", "channels_last": False}


class LatencyTarget(Settings):
    """The target whose time counts, and how one forward pass is timed there: the `[latency]` of a study."""

    name: str | None = Field(None, min_length=1)
    """What tables call the target; without it, `described`."""
    source: Literal["measured", "predicted"] = "measured"
    """`measured`: every network is timed before it is trained; `predicted`: at most 60 networks are timed at first, the
    others are predicted from them, and the front is timed at last."""
    device: str = "auto"
    """`auto`: the device that trains; else `cpu`, `cuda` or `cuda:1`."""
    batch: int = Field(1, ge=1, strict=True)
    """Images in one pass."""
    threads: int = Field(1, ge=1, strict=True)
    """Threads that one pass may use on a CPU."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """The number format of weights and images."""
    channels_last: bool = Field(False, strict=True)
    """Whether the channels of a pixel lie side by side in memory."""
    runtime: Literal["eager", "compile", "onnxruntime"] = "eager"
    """`eager`: PyTorch operator by operator; `compile`: `torch.compile`; `onnxruntime`: the extra `nas-attn[onnx]`."""
    calls: int = Field(300, ge=50, strict=True)
    """Passes that are timed one by one, at least; their median counts."""

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if not _DEVICE.fullmatch(device):
            raise ValueError(f"found {device!r}; allowed: auto, cpu, cuda or cuda:N")
        return device

    @field_validator("runtime")
    @classmethod
    def _runs_so(cls, runtime: str, info: ValidationInfo) -> str:
        amiss = [name for name, needed in _ONNX_NEEDS.items() if info.data.get(name, needed) != needed]
        if runtime == "onnxruntime" and amiss:
            found = ", ".join(f"{name} {json.dumps(info.data[name])}" for name in amiss)
            needed = ", ".join(f"{name} = {json.dumps(_ONNX_NEEDS[name])}" for name in amiss)
            raise ValueError(f"found 'onnxruntime' with {found}; allowed with it: {needed}")
        return runtime

    @property
    def described(self) -> str:
        """The target without its device's model, in a word.

        >>> LatencyTarget(device="cpu", batch=8, channels_last=True).described
        'cpu-1thread-batch8-float32-channels_last-eager'
        """
        layout = ["channels_last"] if self.channels_last else []
        return "-".join([self.device, f"{self.threads}thread", f"batch{self.batch}", self.dtype, *layout, self.runtime])
