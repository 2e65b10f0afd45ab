"""One row an architecture, step and seed: what it is, what it costs, how well it does, and how that is known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from nas_attn.settings import Count, Share

State = Literal["priced", "complete", "over_budget", "failed"]
"""`priced`: cost known, not trained; `complete`: trained; `over_budget`: costs more than the budget allows; `failed`:
training gave no result. The last two for the reason that the row gives."""


Slots = Sequence[tuple[str, Sequence[str]]]
"""The slots of a space, each with the names of its sites."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is known of one architecture; a column of the table for every field."""

    key: str
    """The architecture's key: the index of the table."""
    architecture: str
    """Its one spelling."""
    params: int
    """Learnt parameters."""
    macs: int
    """Multiply-accumulates of convolutions, linear layers and matrix products, for one image."""
    flops: int
    """2 x macs + one for every element of every element-wise, reduction and pooling operator, for one image."""
    latency_ms: float
    """Median time of one forward pass of `latency_batch` images."""
    latency_iqr_ms: float
    """The interquartile range of the timed calls; NaN where it is predicted."""
    latency_calls: int
    """How many calls were timed; 0 where it is predicted."""
    latency_device: str
    """The device whose time it is, by its model's name."""
    latency_threads: int
    """Threads that one pass could use."""
    latency_batch: int
    """Images in one pass."""
    latency_dtype: str
    """The number type of the pass: `float32`."""
    latency_ms_low: float = math.nan
    """The lower end of the 95 % interval of `latency_ms`."""
    latency_ms_high: float = math.nan
    """Its upper end."""
    latency_source: Literal["measured", "predicted"] = "measured"
    """Whether this network was timed, or others that have its parts."""
    latency_predicted_ms: float = math.nan
    """What was predicted before it was measured; NaN where nothing was."""
    latency_target: str = ""
    """What the study calls the target."""
    latency_runtime: str = "eager"
    """What runs the pass: `eager`, `compile` or `onnxruntime`."""
    latency_layout: str = "contiguous"
    """How images lie in memory: `contiguous` or `channels_last`."""
    latency_host: str = ""
    """The machine that was timed, under a name that does not tell what it is called."""
    accuracy: Share = math.nan
    """Top-1 on the validation part, 0 to 1; NaN where it is not known."""
    loss: float = math.nan
    """Mean cross-entropy on the validation part; NaN where it is not known."""
    train_loss: float = math.nan
    """Mean cross-entropy over the last epoch of training, as it was trained on; NaN where it is not known."""
    seed: int = 0
    """What fixed initialisation, data order and augmentation; of several seeds the first."""
    seeds: Annotated[Count, Field(ge=1)] = 1
    """How many seeds accuracy and losses are the mean of."""
    accuracy_std: float = math.nan
    """Standard deviation of the accuracy over seeds; NaN where there is one."""
    loss_std: float = math.nan
    """Standard deviation of the loss over seeds; NaN where there is one."""
    step: str = "final"
    """The step of the study's chain that found this out; `final` trains as the winner will be trained."""
    role: Literal["baseline", "search", "rival"] = "search"
    """Whether it was trained to be compared with, proposed by the sampler, or is a plain network of another width."""
    state: State = "priced"
    reason: str = ""
    """Why it is over budget or has failed."""
    train_seconds: float = math.nan
    """Time that training took."""
    device: str = ""
    """The device that trained, by its model's name."""
    versions: str = ""
    """What computed the row: `nas_attn 0.1.0, torch 2.13.0, ...`."""
    weights_sha256: str = ""
    """The SHA-256 of the file of its trained weights, of several seeds the first's; empty where none were kept."""
