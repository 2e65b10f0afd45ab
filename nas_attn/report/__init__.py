"""The report of a study: one page that loads nothing, and a picture of the front."""

from .headline import headline
