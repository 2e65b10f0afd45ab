"""One question of a user, answered by training: whether this attention, at this place, helps this network.

`run` trains and `founding` makes a study, and both need torch; what an answer is and what it says is read without.
"""

from .answer import Answer, Answers, OverWidth
from .foresight import Finding
from .meaning import explained
from .reply import Reply
from .wording import screen
