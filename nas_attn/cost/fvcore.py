"""fvcore, imported without the warnings that torch gives about it."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it scripts a loss as soon as it is imported
    from fvcore.nn import FlopCountAnalysis
    from fvcore.nn.jit_handles import einsum_flop_jit

__all__ = ["FlopCountAnalysis", "einsum_flop_jit"]
