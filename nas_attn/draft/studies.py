"""Study file of a draft, with a comment on what is worth knowing or changing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nas_attn.settings import toml_comment, toml_lines, usual_measures

from .images import Found

_TITLES = {
    "classification": "Which attention, at which place, tells these images apart at what cost?",
    "multilabel": "Which attention, at which place, finds the labels of these images at what cost?",
    "segmentation": "Which attention, at which place, segments these images at what cost?",
    "regression": "Which attention, at which place, reads numbers off these images at what cost?",
}


@dataclass(frozen=True)
class StudyText:
    """The text of a study file."""

    found: Found
    data: Mapping[str, Any]
    budget: Mapping[str, float | int]
    weights: bool
    """Whether the backbone begins with trained weights."""
    flip: bool
    device: str

    def __str__(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        found = self.found
        yield f"# {_TITLES[found.task]}"
        yield "# `nas-attn plan` says how long it takes, `nas-attn check` what would end it, `nas-attn search` runs it."
        yield 'space = "space.toml"'
        if found.task != "classification":
            yield f'task = "{found.task}"'
        objectives = [usual_measures(found.task)[0].name, "flops", "latency_ms"]
        yield from toml_lines({"objectives": objectives, "seed": 0})
        yield from self._chain()
        yield ""
        yield "[data]"
        yield from map(toml_comment, found.lines)
        yield from toml_lines(self.data)
        yield from self._beside_data()
        yield from self._recipe()
        yield from (
            "",
            "[latency]                # of one image on one thread; batch, threads, dtype, runtime may be others",
        )
        yield f'device = "{"auto" if self.device != "cpu" else "cpu"}"'
        yield from (
            "",
            "[budget]                 # what is over a limit is not trained; max_params, max_flops, ... too",
        )
        yield from toml_lines(self.budget) or ["# max_latency_ms = 2.0"]

    def _chain(self) -> Iterator[str]:
        yield ""
        if self.weights:
            yield "# The plain backbone is tuned once ([base]); attention is inserted as the identity and tuned on."
            yield 'final = "inherit"'
            yield 'chain = [{ proxy = "final", networks = 12, seeds = 3 }]'
            return
        yield "# Short trainings of what the sampler proposes, then full training of the best with several seeds."
        yield "chain = ["
        yield f'    {{ proxy = "scratch", epochs = {max(1, self._epochs // 4)}, networks = 24 }},'
        yield '    { proxy = "final", networks = 6, seeds = 3 },'
        yield "]"

    def _beside_data(self) -> Iterator[str]:
        if self.data["kind"] == "folder" and "labels" not in self.data:
            yield "# groups = '^(patient\\d+)'   # what matches alike stays in one part: patients, videos"
        if self.data["kind"] in ("folder", "parquet"):
            yield "# val_path, test_path: folders of their own; else validation = 0.2 and test = 0.2 of the images"

    def _recipe(self) -> Iterator[str]:
        yield from (
            "",
            "[recipe]                 # docs/recipe.md has the rest: optimizer, schedule, loss, transforms, mixup",
        )
        rate = 0.01 if self.weights else 0.1
        said: dict[str, Any] = {"epochs": self._epochs, "batch_size": self._batch, "learning_rate": rate}
        yield from toml_lines(said | {"horizontal_flip": self.flip})
        side = self.data.get("image_size") or min((min(size) for size in self.found.sizes), default=8)
        yield f"crop_padding = {max(1, side // 16)}"
        if self.found.task == "classification":
            yield '# class_weights = "balanced"     # where classes differ much in size'
        if self.weights:
            yield from ("", "[base]                   # how the plain backbone is tuned from its weights")
            yield from toml_lines(said | {"epochs": 2 * self._epochs, "horizontal_flip": self.flip})

    @property
    def _epochs(self) -> int:
        return 5 if self.weights else 20

    @property
    def _batch(self) -> int:
        """So that an epoch has some iterations."""
        return next(size for size in (128, 64, 32, 16, 8, 4, 2) if size == 2 or self.found.train >= 8 * size)
