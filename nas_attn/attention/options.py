"""What the options of an attention may be, and the widths and paddings that follow from them."""


def reduced_width(channels: int, reduction: int, *, at_least: int = 1, divisor: int = 1) -> int:
    """Channels of a hidden layer that is `reduction` times narrower, and never narrower than `at_least`.

    >>> reduced_width(64, 16), reduced_width(8, 16), reduced_width(64, 32, at_least=8)
    (4, 1, 8)

    A `divisor` above 1 gives the nearest of its multiples, as MobileNets and timm do: half-way the upper one, and the
    upper one too where the nearest is more than 10 % below channels / reduction. Then the least width is a multiple.

    >>> [reduced_width(channels, 16, divisor=8) for channels in (64, 176, 256, 304)]
    [8, 16, 16, 24]

    Raises `ValueError` where the reduction or the divisor is not an integer of at least 1.
    """
    for name, value in (("reduction", reduction), ("divisor", divisor)):
        if not _counts(value):
            raise ValueError(f"{name}: found {value!r}; allowed: an integer of at least 1")
    if divisor == 1:
        return max(at_least, channels // reduction)
    multiples = (2 * channels + reduction * divisor) // (2 * reduction * divisor)
    if 10 * multiples * divisor * reduction < 9 * channels:
        multiples += 1
    return divisor * max(-(-at_least // divisor), multiples)


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


def count(name: str, value: int) -> int:
    """An option that counts something, as it is.

    Raises `ValueError` where it is not an integer of at least 1.
    """
    if not _counts(value):
        raise ValueError(f"{name}: found {value!r}; allowed: an integer of at least 1")
    return value


def positive(name: str, value: float) -> float:
    """An option that is a number above 0, as a float.

    Raises `ValueError` for anything else, infinity and NaN among it.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < float("inf"):
        raise ValueError(f"{name}: found {value!r}; allowed: a number above 0")
    return float(value)


def choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """An option that is one of a few words, as it is.

    >>> choice("fusion", "add", ("add", "scale"))
    'add'

    Raises `ValueError` for any other.
    """
    if value not in allowed:
        raise ValueError(f"{name}: found {value!r}; allowed: {', '.join(allowed)}")
    return value


def _counts(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
