"""Labels of images from the columns of a table, in the forms in which people write them."""

from .columns import Labels, Table, read_labels
