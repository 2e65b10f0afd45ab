"""Ground floor: the values of the subject. What may be chosen, what was chosen, and how it is spelt."""

from .architecture import NONE as NONE
from .architecture import POSITIONS as POSITIONS
from .architecture import Architecture as Architecture
from .architecture import Attention as Attention
from .architecture import Placement as Placement
from .architecture import Site as Site
from .errors import InputError as InputError
from .errors import allowed as allowed
from .errors import quoted as quoted
from .files import make_folder as make_folder
from .files import write_whole as write_whole
from .ranges import fold as fold
from .searchspace import Choice as Choice
from .searchspace import Choose as Choose
from .searchspace import Kind as Kind
from .searchspace import SearchSpace as SearchSpace
from .searchspace import Slot as Slot
from .secrets import without_password as without_password
from .secrets import without_passwords as without_passwords
from .secrets import without_secrets as without_secrets
from .text import parse as parse
from .values import Value as Value
from .values import is_kind as is_kind
from .values import is_word as is_word
from .values import spell_value as spell_value
