"""One to three scanned digits on a noisy canvas, with a table of which ones are there; no digit is in two parts."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits

digits, rng, rows = load_digits(), np.random.default_rng(0), []
for part, images, first, end in (("train", 600, 0, 1000), ("val", 400, 1000, 1400), ("test", 400, 1400, 1797)):
    (Path("images") / part).mkdir(parents=True, exist_ok=True)
    for number in range(images):
        chosen = rng.choice(np.arange(first, end), rng.integers(1, 4), replace=False)
        canvas = rng.uniform(0, 8, (20, 20))
        for quarter, digit in zip(rng.permutation(4), chosen, strict=False):
            y, x = np.array(divmod(quarter, 2)) * 10 + rng.integers(0, 3, 2)
            canvas[y : y + 8, x : x + 8] += digits.images[digit]
        file = f"{part}/{number:03}.png"
        Image.fromarray((10 * canvas).astype("uint8")).save(Path("images") / file)
        rows.append({"file": file, "digits": "|".join(map(str, sorted(set(digits.target[chosen]))))})
pd.DataFrame(rows).to_csv("labels.csv", index=False)
