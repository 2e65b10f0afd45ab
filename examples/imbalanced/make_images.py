"""Scanned digits under noise, a folder a class: 178 zeros, and of each further digit a quarter less."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

digits, rng = load_digits(), np.random.default_rng(0)
for label in range(10):
    folder = Path("images") / str(label)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = digits.images[digits.target == label][: int(178 * 0.75**label)]
    for number, image in enumerate(chosen):
        noisy = np.kron(np.pad(image, 1), np.ones((2, 2))) + rng.uniform(0, 9, (20, 20))
        Image.fromarray((10 * noisy).astype("uint8")).save(folder / f"{number:03}.png")
