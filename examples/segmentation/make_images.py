"""Scanned digits on a noisy canvas, with masks: 1 is the ink of even ones, 2 that of odd ones, 255 its edges."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

digits, rng = load_digits(), np.random.default_rng(0)
for part, images, first, end in (("train", 300, 0, 1000), ("val", 150, 1000, 1400), ("test", 150, 1400, 1797)):
    folders = [Path("data") / part / kind for kind in ("images", "masks")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for number in range(images):
        canvas, mask = rng.uniform(0, 8, (32, 32)), np.zeros((32, 32), "uint8")
        for quarter, digit in enumerate(rng.integers(first, end, 4)):
            y, x = np.array(divmod(quarter, 2)) * 16 + rng.integers(0, 9, 2)
            ink = digits.images[digit]
            canvas[y : y + 8, x : x + 8] += ink
            mask[y : y + 8, x : x + 8] = np.select([ink > 8, ink > 3], [1 + digits.target[digit] % 2, 255])
        for folder, pixels in zip(folders, ((10 * canvas).astype("uint8"), mask), strict=True):
            Image.fromarray(pixels).save(folder / f"{number:03}.png")
