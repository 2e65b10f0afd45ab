"""Check of a study's recipes, before any of its networks is tried."""

from collections.abc import Iterator

from nas_attn.chain import Chain
from nas_attn.space import InputError
from nas_attn.tasks import ImageTask
from nas_attn.training import try_recipe

from .findings import Finding


def recipes(chain: Chain) -> Iterator[Finding]:
    """Whether an iteration can be taken by `[recipe]` and `[base]`; a task of the user's own decides that by itself."""
    file = chain.folder.file
    if not isinstance(chain.task, ImageTask):
        return
    for table, recipe in {"recipe": file.recipe, "base": file.base}.items():
        if recipe is None:
            continue
        try:
            try_recipe(chain.task.data, recipe, file.trainer)
        except InputError as error:
            yield Finding(table, "fault", str(error).replace("recipe.", f"{table}.", 1))
        else:
            yield Finding(table, "ok", f"{recipe.optimizer}, {recipe.schedule} and {recipe.loss} take an iteration")
