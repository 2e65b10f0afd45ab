"""What the options of an attention may be, and the widths and paddings that follow from them."""


def reduced_width(channels: int, reduction: int, *, at_least: int = 1) -> int:
    """Channels of a hidden layer that is `reduction` times narrower, and never narrower than `at_least`.

    >>> reduced_width(64, 16), reduced_width(8, 16), reduced_width(64, 32, at_least=8)
    (4, 1, 8)

    Raises `ValueError` where the reduction is not an integer of at least 1.
    """
    if not _counts(reduction):
        raise ValueError(f"reduction: found {reduction!r}; allowed: an integer of at least 1")
    return max(at_least, channels // reduction)


def same_padding(kernel_size: int) -> int:
    """Pixels of padding at each edge with which a convolution of this kernel size keeps the size of a map.

    >>> same_padding(7)
    3

    Raises `ValueError` where the kernel size is not an odd integer of at least 1.
    """
    if not _counts(kernel_size) or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size: found {kernel_size!r}; allowed: an odd integer of at least 1")
    return kernel_size // 2


def switch(name: str, value: bool) -> bool:
    """An option that is on or off, as it is.

    Raises `ValueError` for anything else, whose truth could surprise: `"false"` is true to Python.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name}: found {value!r}; allowed: true or false")
    return value


def _counts(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
