"""Ground floor: the values of the subject. What may be chosen, what was chosen, and how it is spelt."""

from .architecture import NONE, POSITIONS, Architecture, Attention, Placement, Site, former_key, present_key
from .errors import InputError, allowed, first_line, in_a_line, quoted, reported
from .files import make_folder, stray_files, write_whole
from .ranges import fold, natural
from .searchspace import Choice, Choose, Kind, SearchSpace, Slot
from .secrets import without_password, without_passwords, without_secrets
from .text import parse
from .values import Value, is_kind, is_word, spell_value
