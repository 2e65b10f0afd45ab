"""The base of every table of a file."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A table of a file, checked and then never changed; an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __hash__(self) -> int:
        return hash(tuple(value for _, value in self if not isinstance(value, Mapping)))
