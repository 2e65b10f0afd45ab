"""A bright disc among noise and a bright square, with a table of where the disc lies and how large it is, in pixels."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

rng, rows = np.random.default_rng(0), []
rows_of_pixels, columns = np.mgrid[:20, :20]
Path("images").mkdir(exist_ok=True)
for number in range(1000):
    (x, y), radius = rng.uniform(3, 16, 2), rng.uniform(2, 4)
    canvas, (left, top) = rng.uniform(0, 110, (20, 20)), rng.integers(0, 15, 2)
    canvas[top : top + 6, left : left + 6] += 90
    canvas += 140 * np.clip(radius + 0.5 - np.hypot(columns - x, rows_of_pixels - y), 0, 1)
    Image.fromarray(np.minimum(canvas, 255).astype("uint8")).save(f"images/{number:04}.png")
    rows.append({"file": f"{number:04}.png", "x": x, "y": y, "radius": radius})
pd.DataFrame(rows).round(2).to_csv("discs.csv", index=False)
