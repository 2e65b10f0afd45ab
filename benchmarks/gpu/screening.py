"""Placements of a ResNet-18 screened by a supernet, and the best of them refined: a tenth of a study, and the whole."""

import time
from collections.abc import Iterator

import nas_attn
from nas_attn.chain import Watch
from nas_attn.results import Evaluation
from nas_attn.settings import Step

from .bench import Bench
from .images import BATCH, kind_of_images, side, source
from .resnets import RESNET18
from .rows import Row

GOAL_MINUTES = 15
SCREENED, REFINED, SUPERNET_EPOCHS = 300, 30, 20
"""Of the whole study; a tenth of each is measured."""

_TENTH = 10
_IMAGES, _SMALL_IMAGES = 50_000, 300
_REFINING_EPOCHS = 1

_SPACE = """
backbone = "{backbone}"
image = [3, {side}, {side}]

[kinds.se]
reduction = [8, 16]
[kinds.eca]
[kinds.cbam]
reduction = 16
kernel_size = [3, 7]
[kinds.coordinate]
reduction = 16
[kinds.gate]
"""

_STUDY = """
space = "space.toml"
objectives = ["accuracy", "flops"]
chain = [
    {{proxy = "supernet", epochs = {supernet_epochs}, networks = {screened}}},
    {{proxy = "inherit", weights = "supernet", epochs = {refining_epochs}, networks = {refined}}},
]

[data]
{source}

[recipe]
epochs = 20
batch_size = {batch}
learning_rate = 0.1
horizontal_flip = true
crop_padding = 4

[latency]
calls = 50
"""


class _Clock:
    """When each stage of a study ended last."""

    def __init__(self) -> None:
        self.ended: dict[str, float] = {}

    def _note(self, stage: str) -> None:
        self.ended[stage] = time.perf_counter()

    def watch(self) -> Watch:
        """What tells it."""

        def on_row(row: Evaluation, _trained: int) -> None:
            self._note("refined")

        def on_step(step: Step) -> None:
            self._note(f"before {step.proxy}")

        return Watch(
            on_step=on_step,
            on_pretrained=lambda _what, _done, _epochs: self._note("trained"),
            on_screened=lambda _done, _total: self._note("screened"),
            on_row=on_row,
        )


def screened_and_refined(bench: Bench) -> Iterator[Row]:
    """The supernet is trained once, whatever is screened, and its time is that of its epochs; all else is linear."""
    tenth = {"screened": SCREENED // _TENTH, "refined": REFINED // _TENTH, "supernet_epochs": SUPERNET_EPOCHS // _TENTH}
    if bench.small:
        tenth = {"screened": 6, "refined": 2, "supernet_epochs": 2}
    clock, began = _Clock(), time.perf_counter()
    study = nas_attn.open_study(_written(bench, tenth))
    study.run(watch=clock.watch())
    at = clock.ended
    spent = {
        "opening": at["before supernet"] - began,
        "supernet": at["trained"] - at["before supernet"],
        "screening": at["screened"] - at["trained"],
        "refining": at["refined"] - at["before inherit"],
    }
    factors = (1, SUPERNET_EPOCHS / tenth["supernet_epochs"], SCREENED / tenth["screened"], REFINED / tenth["refined"])
    minutes = sum(factor * seconds for factor, seconds in zip(factors, spent.values(), strict=True)) / 60
    measured = {f"{name}_seconds": seconds for name, seconds in spent.items()}
    what = (
        f"ResNet-18, {kind_of_images(bench)}: supernet of {SUPERNET_EPOCHS} epochs, {SCREENED} placements screened, "
        f"{REFINED} refined for {_REFINING_EPOCHS} epoch; extrapolated from {tenth['supernet_epochs']} epochs, "
        f"{tenth['screened']} and {tenth['refined']} placements"
    )
    yield Row(what, {"whole_minutes": minutes} | measured, goal=f"< {GOAL_MINUTES} min", met=minutes < GOAL_MINUTES)


def _written(bench: Bench, tenth: dict[str, int]) -> str:
    folder = bench.folder / "study"
    folder.mkdir()
    said = source(bench, _SMALL_IMAGES if bench.small else _IMAGES).model_dump(exclude_defaults=True)
    lines = "\n".join(f"{name} = {value!r}" for name, value in {"kind": "parquet", **said}.items())
    options = {**tenth, "refining_epochs": _REFINING_EPOCHS, "source": lines, "batch": BATCH}
    (folder / "study.toml").write_text(_STUDY.format(**options))
    (folder / "space.toml").write_text(_SPACE.format(backbone=RESNET18.name, side=side(bench)))
    return str(folder)
