"""What the oldest versions that are allowed cannot do, in one place: why a test is skipped there."""

from importlib.metadata import version
from importlib.util import find_spec

import pytest

ONNX = ("onnx", "onnxruntime", "onnxscript")


def older(package, than):
    """Whether an installed package is of an earlier version than this one."""
    return [*map(int, version(package).split("+")[0].split(".")[:3])] < [*map(int, than.split("."))]


def needs_onnx(test):
    """Marks a test that makes an ONNX program."""
    test = pytest.mark.skipif(not all(map(find_spec, ONNX)), reason="needs nas-attn[onnx]")(test)
    return pytest.mark.skipif(older("torch", "2.8"), reason="today's onnxscript converts nothing of torch before 2.8")(
        test
    )


OF_OLD_VERSIONS = (
    ("pillow", "12.0", "'mode' parameter is deprecated:DeprecationWarning"),
    ("torch", "2.8", "The epoch parameter in `scheduler.step:UserWarning"),  # of its own schedulers
)
"""Warnings of a package older than this."""
TIMM_HAS_COORDINATE = pytest.mark.skipif(older("timm", "1.0.23"), reason="timm has it from 1.0.23 on")
TIMM_JOINS_DPN = pytest.mark.skipif(
    older("timm", "1.0.31"), reason="timm up to 1.0.25 hands two maps on between blocks"
)
TORCH_EXPORTS_ON_META = pytest.mark.skipif(older("torch", "2.8"), reason="torch 2.6 exports nothing on the meta device")
TORCH_FREES_FEWER_SIZES = older("torch", "2.8")
"""torch.export of 2.6 fixes the height and width of what it pools with a stride, which an export says."""
PILLOW_READS_ITS_YCBCR = pytest.mark.skipif(
    older("pillow", "13.0"), reason="Pillow 12.0 reads no TIFF of YCbCr of its own"
)
