"""A network made ready to be timed: on its device, in its number format and layout, by its runtime."""

import copy
import io
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from importlib import import_module

import torch
from torch import nn

from nas_attn.settings import LatencyTarget
from nas_attn.space import InputError

Pass = Callable[[], object]
"""One forward pass."""


class Unrunnable(InputError):
    """A network cannot run on a target; the message says why. Another network may well run there."""


def prepare(network: nn.Module, image: tuple[int, int, int], target: LatencyTarget, device: torch.device) -> Pass:
    """A forward pass of a copy of the network, in evaluation mode, on one fixed batch of images.

    The pass has run once, so that whatever is compiled is compiled, and is to run under `torch.inference_mode`.

    Raises `Unrunnable` where the network cannot run so, and `InputError` where the runtime is not installed; running
    out of memory goes through.
    """
    layout = torch.channels_last if target.channels_last else torch.contiguous_format
    images = torch.rand((target.batch, *image), generator=torch.Generator().manual_seed(0))
    images = images.to(device=device, dtype=getattr(torch, target.dtype)).contiguous(memory_format=layout)
    runnable = copy.deepcopy(network).to(device=device, dtype=images.dtype, memory_format=layout).eval()  # type: ignore[call-overload]
    try:
        with torch.inference_mode(), warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # of what compilers and exporters say of themselves
            one_pass = _RUNTIMES[target.runtime](runnable, images, target)
            one_pass()
    except (InputError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # runtimes refuse in many ways
        if "memory" in str(error).lower():
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise Unrunnable(f"latency: the network cannot run as {target.described}: {reason}") from error
    return one_pass


def _eager(network: nn.Module, images: torch.Tensor, target: LatencyTarget) -> Pass:
    return partial(network, images)


def _compiled(network: nn.Module, images: torch.Tensor, target: LatencyTarget) -> Pass:
    """Forgets what was compiled before, because after eight networks of a class the next would run uncompiled."""
    torch.compiler.reset()
    return partial(torch.compile(network, dynamic=False), images)


def _in_onnxruntime(network: nn.Module, images: torch.Tensor, target: LatencyTarget) -> Pass:
    try:
        import_module("onnxscript")
        import_module("onnxruntime")
    except ImportError as error:
        raise InputError(
            f"latency.runtime: found 'onnxruntime', but {error.name} is not installed; "
            "it comes with pip install 'nas-attn[onnx]'"
        ) from None
    program = torch.onnx.export(network, (images,), dynamo=True, verbose=False)
    if program is None:
        raise Unrunnable("latency: the network cannot be exported to ONNX")
    return onnx_pass(program.model_proto.SerializeToString(), images, target.threads)


def onnx_pass(model: bytes, images: torch.Tensor, threads: int) -> Pass:
    """A forward pass of an ONNX model by onnxruntime on the CPU, which must be installed."""
    runtime = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return partial(session.run, None, {session.get_inputs()[0].name: images.numpy()})


_RUNTIMES: dict[str, Callable[[nn.Module, torch.Tensor, LatencyTarget], Pass]] = {
    "eager": _eager,
    "compile": _compiled,
    "onnxruntime": _in_onnxruntime,
}
