"""A network to be shown: in a notebook, on a screen, or in a file."""

from dataclasses import dataclass
from pathlib import Path

from nas_attn.space import Architecture, InputError, write_whole

from .outline import Outline
from .svg import drawing_svg
from .text import drawing_lines


@dataclass(frozen=True, repr=False, slots=True)
class Drawing:
    """Drawing of an architecture in the outline of its backbone; as text it has a line a place."""

    outline: Outline
    architecture: Architecture

    @property
    def svg(self) -> str:
        """The drawing as SVG."""
        return drawing_svg(self._whole, self.architecture)

    def save(self, path: Path | str) -> None:
        """Write it as an SVG file, whole or not at all; raises `InputError` for another ending."""
        if Path(path).suffix != ".svg":
            raise InputError(f"{path}: found the ending {Path(path).suffix!r}; allowed: .svg")
        write_whole(Path(path), self.svg.encode())

    @property
    def lines(self) -> list[tuple[str, str, str, str]]:
        """Where, the size of the map there, what stands there, and what that adds."""
        return drawing_lines(self._whole, self.architecture)

    @property
    def _whole(self) -> Outline:
        return self.outline.offering(placement.site for placement in self.architecture.placements)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        lines = self.lines
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )
