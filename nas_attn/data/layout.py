"""Layout of a folder of images: sub-folders are classes, or parts of the data that hold classes or images."""

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from nas_attn.space import InputError

from .folder import UNLABELLED, images_in, is_image, sub_folders

_LOG = logging.getLogger(__name__)
_NAMES = {
    "train": {"train", "training"},
    "validation": {"val", "valid", "validation", "dev"},
    "test": {"test", "testing", "eval", "evaluation"},
    "": {*UNLABELLED, "extra"},
}
"""Names of each part, in lower case; and of what is no part, and holds no class."""
_SAYS_NOTHING = {"", "data", "images", "image", "imgs", "img", "seg", "split"}
"""Words beside the name of a part, as in `training_set`, `train_images` or `seg_train`."""
_ROLE = {name: role for role, names in _NAMES.items() for name in names}


def find_parts(path: Path) -> dict[str, Path]:
    """The folders of train, validation and test part, of those that there are; none where the sub-folders are classes.

    A folder is a part by its name, if it holds sub-folders with images and no image beside them, and a train part is
    there. What stands beside parts and has images of no class is passed over, which the log says.

    Raises `InputError` for parts beside classes, for two folders of one part, and without a train part.
    """
    folders = sub_folders(path)
    roles = {folder: role for folder in folders if (role := role_of(folder.name)) is not None}
    parts = {folder: role for folder, role in roles.items() if role and _holds_classes(folder)}
    if "train" not in parts.values():
        _check_parts_without_training(path, folders, roles, list(parts))
        return {}
    others = [folder for folder in folders if folder not in parts and images_in(folder)[0]]
    if strangers := [folder.name for folder in others if folder not in roles]:
        raise InputError(
            f"{path}: {_names(parts)} hold sub-folders as parts do, but {', '.join(strangers)} beside them also hold"
            " images; are they classes, give the nested ones another name; else set path to the folder that trains"
        )
    found: dict[str, Path] = {}
    for folder, role in parts.items():
        if role in found:
            raise InputError(f"{path}: {found[role].name} and {folder.name} are both the {role} part; rename one")
        found[role] = folder
    for folder in others:
        count = len(images_in(folder)[0])
        _LOG.warning("%s: passed over, with %s image%s of no class", folder, f"{count:,}", "s" * (count > 1))
    return {role: found[role] for role in _NAMES if role in found}


def find_image_parts(path: Path, without: Callable[[Path], bool] = lambda folder: False) -> dict[str, Path]:
    """The folders of train, validation and test part that hold images, whatever lies between; none where none trains.

    Where the images of a folder are all in one of its sub-folders, the parts may be there; folders of which
    `without` is true do not count. Raises `InputError` for two folders of one part.
    """
    found: dict[str, Path] = {}
    inner = [folder for folder in sub_folders(path) if not without(folder) and images_in(folder)[0]]
    for folder in inner:
        if role := role_of(folder.name):
            if role in found:
                raise InputError(f"{path}: {found[role].name} and {folder.name} are both the {role} part; rename one")
            found[role] = folder
    if "train" not in found:
        alone = len(inner) == 1 and not any(map(is_image, path.iterdir()))
        return find_image_parts(inner[0], without) if alone else {}
    for folder in inner:
        if folder not in found.values():
            _LOG.warning("%s: passed over, %d images beside those of the parts", folder, len(images_in(folder)[0]))
    return {role: found[role] for role in _NAMES if role in found}


def images_of_parts(parts: Mapping[str, Path]) -> dict[str, list[Path]]:
    """The image files of each part; those in a folder of another part inside of it belong to that."""
    inner = {
        role: [one for one in parts.values() if one != part and one.is_relative_to(part)]
        for role, part in parts.items()
    }
    return {
        role: [image for image in images_in(part)[0] if not any(map(image.is_relative_to, inner[role]))]
        for role, part in parts.items()
    }


def _check_parts_without_training(path: Path, folders: list[Path], roles: dict[Path, str], parts: list[Path]) -> None:
    if folders and len(roles) == len(folders):
        trains = next((folder.name for folder in folders if roles[folder] == "train"), "train")
        raise InputError(
            f"{path}: its sub-folders are {_names(folders)}, which are parts, not classes; give the images of each"
            f" class a sub-folder of its own in {path.name}/{trains}"
        )
    inner = [{role_of(child.name) for child in sub_folders(folder)} for folder in folders]
    if folders and all("train" in found and found & {"validation", "test"} for found in inner):
        _LOG.warning("%s: the parts inside each class are not used; all images of a class are divided anew", path)
    names = {folder.name for folder in folders}
    for folder in parts:
        if twice := sorted(names & {child.name for child in sub_folders(folder)}):
            raise InputError(
                f"{folder}: holds sub-folders {', '.join(twice)}, as the classes beside it are called, so it is a part"
                " of them; move it elsewhere and name it in test_path"
            )


def role_of(name: str) -> str | None:
    """The part that a folder is by its name; empty for a folder without classes, None for any other.

    >>> role_of("Training_Set"), role_of("seg_val"), role_of("extra"), role_of("testimony")
    ('train', 'validation', '', None)
    """
    words = [word.removesuffix("set") for word in re.split(r"[ _.-]+", name.casefold())]
    telling = [word for word in words if word not in _SAYS_NOTHING]
    return _ROLE.get(telling[0]) if len(telling) == 1 else None


def _holds_classes(folder: Path) -> bool:
    """Whether images lie in sub-folders, and none beside them."""
    children = list(folder.iterdir())
    deep = (file for child in children if child.is_dir() for file in child.rglob("*"))
    return not any(map(is_image, children)) and any(map(is_image, deep))


def _names(folders: list[Path] | dict[Path, str]) -> str:
    return ", ".join(folder.name for folder in folders)
