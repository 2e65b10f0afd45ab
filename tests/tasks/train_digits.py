"""A training that is not Lightning's: a loop of the user's own."""

import random

import torch
from sklearn.datasets import load_digits
from torch import nn

DRAWN = []


def train(network, seed, *, epochs, device, rows=200):
    digits = load_digits()
    images, labels = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32), torch.tensor(digits.target)
    DRAWN.append((seed, random.random(), float(torch.rand(()))))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for _ in range(epochs):
        for chosen in torch.randperm(rows).split(50):
            loss = nn.functional.cross_entropy(network(images[chosen].to(device)), labels[chosen].to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()
    with torch.no_grad():
        found = network(images[rows:600].to(device)).argmax(1).cpu()
    return {"recall": (found == labels[rows:600]).double().mean(), "rows": rows, "note": "a text"}


def words(network, seed, *, epochs, device):
    return "0.9"


def diverging(network, seed, *, epochs, device):
    return {"recall": float("nan")}


def narrow(network, seed):
    return {"recall": 1.0}
