"""A CUDA device that is not there: tensors that say they lie on it, whose numbers lie in the host's memory.

Every operator computes on the CPU, so that results are right. What a GPU refuses is refused: operands on two devices, a
generator of the other device, NumPy. Every time that the host would wait for the device is written down.
"""

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

GPU = torch.device("cuda", 0)
CPU = torch.device("cpu")
NAME = "Pretended GPU"
MEMORY_BYTES = 2**33

_aten = torch.ops.aten
_COPIES = {_aten._to_copy.default, _aten.copy_.default}
_COMPARES_TYPES = _aten._has_compatible_shallow_copy_type.default
_INDEXING = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default, _aten._index_put_impl_.default}
_READ_BY_THE_HOST = {_aten._local_scalar_dense.default, _aten.equal.default}
_AUTOCAST = {
    torch.conv1d,
    torch.conv2d,
    torch.nn.functional.linear,
    torch.matmul,
    torch.Tensor.matmul,
    torch.Tensor.__matmul__,
    torch.mm,
    torch.bmm,
    torch.baddbmm,
    torch.addmm,
}


class OnDevice(torch.Tensor):
    """A tensor on the device; to autograd it is one of torch's own device without memory."""

    @staticmethod
    def __new__(cls, held):
        strides, offset = held.stride(), held.storage_offset()
        return torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=strides, storage_offset=offset, dtype=held.dtype, device="meta"
        )

    def __init__(self, held):
        self.held = held

    device = property(lambda _: GPU)
    is_cuda = property(lambda _: True)
    is_meta = property(lambda _: False)
    is_cpu = property(lambda _: False)

    def __tensor_flatten__(self):
        return ["held"], None

    @classmethod
    def __tensor_unflatten__(cls, inner, _context, _size, _stride):
        return cls(inner["held"])

    def __reduce_ex__(self, protocol):
        return self.cpu().__reduce_ex__(protocol)

    def __repr__(self, **_):
        return f"OnDevice({self.held!r})"

    def tolist(self):
        return self.cpu().tolist()

    def numpy(self, **_):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    @classmethod
    def __torch_dispatch__(cls, operator, _types, args=(), kwargs=None):
        raise AssertionError(f"{operator} reached a pretended tensor outside its pretended GPU")


@dataclass
class PretendedGPU(TorchDispatchMode):
    """The device at work, in this thread."""

    waits: list[str] = field(default_factory=list)
    """What the host waited for the device for: operator and place."""
    free_bytes: float = MEMORY_BYTES
    emptied: int = 0
    """How often the memory kept for reuse was given back."""
    generator: torch.Generator = field(default_factory=torch.Generator)
    pinned: set[int] = field(default_factory=set)

    def __post_init__(self):
        super().__init__()

    def __torch_dispatch__(self, operator, _types, args=(), kwargs=None):
        if torch.is_inference_mode_enabled():  # where torch hands on whole what is made of other operators
            with self:
                if (composed := operator.decompose(*args, **(kwargs or {}))) is not NotImplemented:
                    return composed
        kwargs = dict(kwargs or {})
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        there = [tensor for tensor in tensors if isinstance(tensor, OnDevice)]
        target = torch.device(kwargs["device"]) if kwargs.get("device") is not None else GPU if there else CPU
        if target.type == "meta" and there:
            target = GPU  # as autograd calls it
        if target.type not in ("cpu", "cuda"):
            return operator(*args, **kwargs)
        self._refuse(operator, args, kwargs, tensors, target)
        self._note_wait(operator, tensors, there, target, kwargs)
        if "device" in kwargs:
            kwargs["device"] = CPU
        kwargs.pop("pin_memory", None)
        with self._random_states(operator, target):
            plain_args, plain_kwargs = tree_map(_held, (args, kwargs))
            if operator is _aten._to_copy.default and "memory_format" not in plain_kwargs:
                plain_kwargs["memory_format"] = torch.preserve_format
            found = operator(*plain_args, **plain_kwargs)
        if not there and target == CPU:
            return found
        wrap = OnDevice if target == GPU else (lambda tensor: tensor)
        found = tree_map(lambda leaf: wrap(leaf) if isinstance(leaf, torch.Tensor) else leaf, found)
        return return_and_correct_aliasing(operator, args, kwargs, found) if target == GPU else found

    def _refuse(self, operator, args, kwargs, tensors, target):
        """What CUDA refuses."""
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, torch.Generator) and leaf.device.type != target.type:
                raise RuntimeError(
                    f"Expected a '{target.type}' device type for generator but found '{leaf.device.type}'"
                )
        if operator in _COPIES or operator is _COMPARES_TYPES:
            return
        if operator in _INDEXING:
            tensors = [args[0]]  # indices may lie in the host's memory
        devices = {str(one.device) for one in tensors if one.dim() or isinstance(one, OnDevice)}
        if len(devices) > 1:
            found = " and ".join(sorted(devices))
            raise RuntimeError(f"Expected all tensors to be on the same device, but found {found} in {operator}")

    def _note_wait(self, operator, tensors, there, target, kwargs):
        """The host waits where it reads what the device computes, and where it sends what is not pinned."""
        reads = there and (
            operator in _READ_BY_THE_HOST
            or (torch.Tag.dynamic_output_shape in operator.tags and operator not in _INDEXING)
            or (operator in _COPIES and (target == CPU or not isinstance(tensors[0], OnDevice)))
            or (operator in _INDEXING and any(one.dtype in (torch.bool, torch.uint8) for one in tensors[1:]))
        )
        sends = (target == GPU and operator is not _COMPARES_TYPES) and any(
            one.dim() and not isinstance(one, OnDevice) and id(one) not in self.pinned for one in tensors
        )
        if reads or sends:
            self.waits.append(f"{operator} at {_place()}")

    @contextmanager
    def _random_states(self, operator, target):
        """The device draws from a generator of its own."""
        if target == CPU or torch.Tag.nondeterministic_seeded not in operator.tags:
            yield
            return
        outside = torch.get_rng_state()
        torch.set_rng_state(self.generator.get_state())
        yield
        self.generator.set_state(torch.get_rng_state())
        torch.set_rng_state(outside)


class _Functions(TorchFunctionMode):
    """What torch does before any operator: products in the type that `torch.autocast` names, tensors of numbers."""

    def __torch_function__(self, function, _types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            return function(*args, **{**kwargs, "device": None}).to(kwargs["device"])
        if function in _AUTOCAST and torch.is_autocast_enabled("cuda"):
            low = torch.get_autocast_dtype("cuda")
            args, kwargs = tree_map(lambda leaf: leaf.to(low) if _castable(leaf) else leaf, (args, kwargs))
        return function(*args, **kwargs)


class _Event:
    def __init__(self, enable_timing=False):
        self.timing, self.at, self.waited = enable_timing, None, False

    def record(self, stream=None):
        self.at = time.perf_counter()

    def synchronize(self):
        self.waited = True

    def elapsed_time(self, end):
        if not (self.timing and end.timing and end.waited):
            raise RuntimeError("Both events must be recorded with timing and completed")
        return 1e3 * (end.at - self.at)


@contextmanager
def pretended_gpu(patch) -> Iterator[PretendedGPU]:
    """Context in which torch has one CUDA device, for this thread; `patch` is pytest's."""
    gpu = PretendedGPU()

    def empty_cache():
        gpu.emptied += 1

    functions = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "is_bf16_supported": lambda *_, **__: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": lambda _device: None,
        "get_device_name": lambda _device=None: NAME,
        "get_device_capability": lambda _device=None: (9, 0),
        "mem_get_info": lambda _device=None: (gpu.free_bytes, MEMORY_BYTES),
        "memory_reserved": lambda _device=None: 0,
        "memory_allocated": lambda _device=None: 0,
        "empty_cache": empty_cache,
        "synchronize": lambda _device=None: gpu.waits.append(f"synchronize at {_place()}"),
        "manual_seed": gpu.generator.manual_seed,
        "manual_seed_all": gpu.generator.manual_seed,
        "get_rng_state": lambda _device="cuda": gpu.generator.get_state(),
        "set_rng_state": lambda state, _device="cuda": gpu.generator.set_state(state),
        "Event": _Event,
        "device": lambda _device: nullcontext(),
        "_lazy_init": lambda: None,
    }
    for name, function in functions.items():
        patch.setattr(torch.cuda, name, function)
    patch.setattr(torch.Tensor, "pin_memory", lambda tensor, _device=None: _pinned(gpu, tensor))
    patch.setattr(torch.utils, "swap_tensors", _swap)
    torch.__future__.set_swap_module_params_on_conversion(True)  # a parameter that moves stays the same object
    try:
        with _Functions(), gpu:
            yield gpu
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)


def _swap(one, other):
    """As torch's own, also where a graph that has ended still knows one of them."""
    one.__class__, other.__class__ = other.__class__, one.__class__
    one.__dict__, other.__dict__ = other.__dict__, one.__dict__
    torch._C._swap_tensor_impl(one, other)


def _pinned(gpu, tensor):
    copy = tensor.clone()
    gpu.pinned.add(id(copy))
    _KEPT.append(copy)  # another tensor must not get this one's id
    return copy


_KEPT: list[torch.Tensor] = []


def _castable(leaf):
    return isinstance(leaf, OnDevice) and leaf.dtype == torch.float32


def _held(leaf):
    return leaf.held if isinstance(leaf, OnDevice) else leaf


def _place():
    """The innermost line of the package on the stack."""
    frames = [frame for frame in traceback.extract_stack() if "/nas_attn/" in frame.filename]
    return f"{frames[-1].filename.rpartition('/nas_attn/')[2]}:{frames[-1].lineno}" if frames else "another package"
