"""The same network with fewer channels, for networks that take a `width`."""

from inspect import Parameter, signature

from nas_attn.settings import Backbone, is_named_object, named_object
from nas_attn.space import InputError

from .builtin import BACKBONES


def narrowed(backbone: Backbone, share: float) -> Backbone:
    """The backbone with this share of its `width`: a whole number of channels, or a factor, as it takes it.

    Raises `InputError` where it takes none, or none that can be shared.
    """
    if share == 1:
        return backbone
    usual = _usual_width(backbone)
    width = dict(backbone.arguments).get("width", usual)
    if isinstance(width, bool) or not isinstance(width, int | float):
        raise InputError(f"width: found {share:g}; {backbone.name} takes no `width` that a share could be taken of")
    narrow = max(1, round(share * width)) if isinstance(width, int) else share * width
    return backbone.model_copy(
        update={"arguments": tuple(sorted({**dict(backbone.arguments), "width": narrow}.items()))}
    )


def _usual_width(backbone: Backbone) -> object:
    if backbone.name in BACKBONES:
        made = BACKBONES[backbone.name].func
    elif is_named_object(backbone.name) and not backbone.name.startswith(("timm:", "torchvision:")):
        made = named_object(backbone.name)
    else:
        return None
    parameter = signature(made).parameters.get("width")
    return None if parameter is None or parameter.default is Parameter.empty else parameter.default
