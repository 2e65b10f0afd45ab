"""What was chosen: which attention stands at which site of a network."""

import hashlib
import re
from dataclasses import dataclass
from itertools import groupby

from .ranges import fold, natural
from .values import Value, is_kind, is_word, spell_value

_LETTERS = str.maketrans("0123456789", "ghijklmnop")
_DIGITS = str.maketrans("ghijklmnop", "0123456789")

NONE = "none"
"""The answer that leaves a slot empty, and the spelling of the architecture without any attention."""

POSITIONS = ("branch", "inner", "pre", "identity", "block", "stage")
"""Where in a block a site may be: at the end of the residual branch, before the addition (`branch`); before the
branch's last convolution, after the activation (`inner`); before everything in the branch (`pre`); on the shortcut
(`identity`); after the addition and its activation (`block`); and after the last block of a stage (`stage`)."""

_NAME = re.compile(r"\w+(\.\w+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Site:
    """One place in a network where an attention may stand."""

    name: str
    """Dotted and unique in its network: `stage2.block0.branch`."""
    stage: str
    """The stage it belongs to: `stage2`."""
    block: str
    """The block it belongs to: `stage2.block0`."""
    position: str
    """Where in the block: one of `POSITIONS`."""
    channels: int
    """Channels of the feature map that passes there."""
    signal_channels: int | None = None
    """Channels of the gating signal there, the block's input; without a number, as many as the feature map has."""
    module: str = ""
    """The module whose output, or with a `<` before it whose input, it is, in a network that does not ask by itself."""

    def widths(self, gated: bool) -> tuple[int, ...]:
        """What a module is built with that stands here: its channels and, for a gated one, those of its signal.

        >>> Site("stage1.block0.branch", "stage1", "stage1.block0", "branch", 16).widths(gated=True)
        (16, 16)
        """
        return (self.channels, self.signal_channels or self.channels) if gated else (self.channels,)


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """A kind of attention with its options. Attentions are equal where their spellings are: `1` is not `true`.

    >>> print(Attention("cbam", (("reduction", 8), ("kernel_size", 7))))
    cbam(kernel_size=7,reduction=8)

    Raises `ValueError` for a name that cannot be spelt, an option that is given twice, and a value that cannot be.
    """

    kind: str
    """Its name in the table of kinds, such as `se`, or where a user's own is, as `my_package.blocks:MyAttention`."""
    options: tuple[tuple[str, Value], ...] = ()
    """Option names with their values; kept sorted, so that equal choices are equal values."""

    def __post_init__(self) -> None:
        if not is_kind(self.kind):
            raise ValueError(
                f"{self.kind!r} cannot name a kind: letters, digits and _ only, or a class as package.module:Name"
            )
        names = [name for name, _ in self.options]
        for word in names:
            if not is_word(word):
                raise ValueError(f"{word!r} cannot name an option: letters, digits and _ only")
            if names.count(word) > 1:
                raise ValueError(f"{self.kind}: the option {word!r} is given twice")
        for _, value in self.options:
            spell_value(value)
        object.__setattr__(self, "options", tuple(sorted(self.options)))

    def __str__(self) -> str:
        if not self.options:
            return self.kind
        return f"{self.kind}({','.join(f'{name}={spell_value(value)}' for name, value in self.options)})"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, Attention) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))


@dataclass(frozen=True, slots=True)
class Placement:
    """An attention at a site."""

    site: str
    """The site's name."""
    attention: Attention
    """What stands there."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.site):
            raise ValueError(f"{self.site!r} cannot name a site: words joined by dots only")


@dataclass(frozen=True, slots=True)
class Architecture:
    """The placements of one network. Sites that are not listed have no attention.

    Equal choices have one spelling, whatever order they were made in:

    >>> se = Attention("se", (("reduction", 8),))
    >>> print(Architecture((Placement("stage2.block1.branch", se), Placement("stage2.block0.branch", se))))
    stage2.block0-1.branch=se(reduction=8)
    >>> print(Architecture())
    none
    """

    placements: tuple[Placement, ...] = ()
    """Kept in the natural order of their sites."""

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.placements, key=lambda placement: natural(placement.site)))
        for site, group in groupby(ordered, key=lambda placement: placement.site):
            if len(list(group)) > 1:
                raise ValueError(f"{site}: has more than one attention")
        object.__setattr__(self, "placements", ordered)

    def __str__(self) -> str:
        sites: dict[Attention, list[str]] = {}
        for placement in self.placements:
            sites.setdefault(placement.attention, []).append(placement.site)
        parts = [
            (natural(names), f"{names}={attention}") for attention, group in sites.items() for names in fold(group)
        ]
        return " ".join(text for _, text in sorted(parts)) or NONE

    @property
    def key(self) -> str:
        """A letter and nine hexadecimal digits that name this architecture: the index of every table.

        >>> Architecture().key
        'h40bedbf9c'
        """
        return present_key(hashlib.sha256(str(self).encode()).hexdigest()[:10])


def present_key(key: str) -> str:
    """A key of version 0.1.0, ten hexadecimal digits, as it is today; any other text as it is.

    It begins with a letter, so that no spreadsheet takes it for a number.

    >>> present_key("63118925e1"), present_key("width=1.5")
    ('m3118925e1', 'width=1.5')
    """
    return key.translate(_LETTERS)[0] + key[1:] if re.fullmatch("[0-9][0-9a-f]{9}", key) else key


def former_key(key: str) -> str:
    """A key as version 0.1.0 had it, under which files and readings of that version are kept.

    >>> former_key("m3118925e1")
    '63118925e1'
    """
    return key.translate(_DIGITS)[0] + key[1:] if re.fullmatch("[g-p][0-9a-f]{9}", key) else key
