"""A study that is searched in seconds."""

SPACE = """
backbone = {name = "resnet8", arguments = {width = 8}}
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

[latency]
calls = 50

[search]
trials = 3
"""

CHAIN = """
space = "space.toml"
objectives = ["accuracy", "flops"]
seed = 1
chain = [{proxy = "supernet", epochs = 2, networks = 20, calibration = 64}, \
{proxy = "inherit", epochs = 1, networks = 5}, {proxy = "final", networks = 2, seeds = 2}]

[data]
kind = "digits"

[recipe]
epochs = 2
batch_size = 256

[latency]
calls = 50
"""


def reproducible(rows):
    """What must be the same in two runs: all but the times."""
    return {
        (row.step, row.key, row.seed): (
            row.architecture,
            row["accuracy"],
            row["loss"],
            row["train_loss"],
            row["params"],
            row.state,
        )
        for row in rows
    }
