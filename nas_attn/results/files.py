"""How this room writes its files: whole or not at all."""

from nas_attn.space.files import write_whole

__all__ = ["write_whole"]
