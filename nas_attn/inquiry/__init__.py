"""One question of a user, answered by training: does this attention, at this place, help this network?

`run` trains and `founding` makes a study, and both need torch; what an answer is and what it says is read without.
"""

from .answer import Answer, Answers, OverWidth
from .foresight import Finding
from .reply import Reply
from .wording import WORDS, explained, screen
