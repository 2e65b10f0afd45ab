"""The process of one part: `python -m gpu.child FUNCTION ROWS SECONDS DEVICE FOLDER [IMAGES]`.

It prints every row and adds it to the file ROWS, a line of JSON each, as soon as it is known.
"""

import importlib
import json
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from .bench import Bench
from .rows import Skipped, stored

OPTIONAL = ("pytest", "timm", "torchvision")


def main(function: str, rows: str, seconds: str, device: str, folder: str, images: str = "") -> int:
    """Run it, and write down what came of it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what it has begun is ended
    bench = Bench(device, time.monotonic() + float(seconds), Path(folder), Path(images) if images else None)

    def note(**line: Any) -> None:
        with Path(rows).open("a") as file:
            file.write(json.dumps(line) + "\n")

    module, _, name = function.partition(":")
    try:
        for row in getattr(importlib.import_module(module), name)(bench):
            print(f"  {row}", flush=True)
            note(row=stored(row))
    except Skipped as reason:
        note(skipped=str(reason))
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name in OPTIONAL:
            note(skipped=f"{error.name} is not installed")
            return 0
        traceback.print_exc()
        note(failed=f"{type(error).__name__}: {error}".partition("\n")[0])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
