"""What the options of an attention may be, and the widths and paddings that follow from them.

Each raises `ValueError` for a value that cannot be, which says what is allowed.
"""

import math


def reduced_width(channels: int, reduction: int, *, at_least: int = 1, divisor: int = 1) -> int:
    """Channels of a hidden layer that is `reduction` times narrower, and never narrower than `at_least`.

    >>> reduced_width(64, 16), reduced_width(8, 16), reduced_width(64, 32, at_least=8)
    (4, 1, 8)

    A `divisor` above 1 gives the nearest of its multiples, as MobileNets and timm do: half-way the upper one, and the
    upper one too where the nearest is more than 10 % below channels / reduction. Then the least width is a multiple.

    >>> [reduced_width(channels, 16, divisor=8) for channels in (64, 176, 256, 304)]
    [8, 16, 16, 24]
    """
    if count("reduction", reduction) and count("divisor", divisor) == 1:
        return max(at_least, channels // reduction)
    multiples = (2 * channels + reduction * divisor) // (2 * reduction * divisor)
    if 10 * multiples * divisor * reduction < 9 * channels:
        multiples += 1
    return divisor * max(-(-at_least // divisor), multiples)


def same_padding(kernel_size: int) -> int:
    """Pixels of padding at each edge with which a convolution of this kernel size keeps the size of a map.

    >>> same_padding(7)
    3
    """
    odd = _is_count(kernel_size) and kernel_size % 2 == 1
    _see("kernel_size", kernel_size, odd, "an odd integer of at least 1")
    return kernel_size // 2


def common_groups(groups: int, channels: int) -> int:
    """Into how many groups channels are cut: the greatest common divisor of the groups that are wanted and of them.

    >>> common_groups(64, 256), common_groups(64, 48), common_groups(8, 7)
    (64, 16, 1)
    """
    return math.gcd(count("groups", groups), channels)


def switch(name: str, value: bool) -> bool:
    """An option that is on or off, and nothing else, whose truth could surprise: `"false"` is true to Python."""
    _see(name, value, isinstance(value, bool), "true or false")
    return value


def count(name: str, value: int) -> int:
    """An option that is an integer of at least 1."""
    _see(name, value, _is_count(value), "an integer of at least 1")
    return value


def positive(name: str, value: float) -> float:
    """An option that is a finite number above 0, as a float."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    _see(name, value, number and 0 < value < float("inf"), "a number above 0")
    return float(value)


def choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """An option that is one of a few words."""
    _see(name, value, value in allowed, ", ".join(allowed))
    return value


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _see(name: str, value: object, fits: bool, allowed: str) -> None:
    if not fits:
        raise ValueError(f"{name}: found {value!r}; allowed: {allowed}")
