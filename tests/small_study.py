"""A study that is searched in seconds."""

SPACE = """
backbone = "resnet8"
image = [1, 8, 8]

[kinds.se]
reduction = [4, 8]

[kinds.spatial]
kernel_size = 3
"""

STUDY = """
space = "space.toml"

[data]
kind = "digits"

[recipe]
epochs = 1
batch_size = 128

[search]
trials = 3
"""
