"""A loop without Lightning: embeddings of digits 0 to 5, judged by how well they rank digits 6 to 9, never seen."""

import torch
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy, normalize
from torchmetrics.functional.retrieval import retrieval_average_precision


def train(network, seed, *, epochs, device, temperature=0.1, batch=128):
    digits = load_digits()
    images = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32, device=device)
    labels = torch.tensor(digits.target, device=device)
    seen = labels < 6
    optimizer = torch.optim.AdamW(network.parameters(), 0.003)
    steps = epochs * int(seen.sum() // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps)
    for _ in range(epochs):
        order = torch.randperm(int(seen.sum()), device=device)
        for chosen in order[: len(order) // batch * batch].split(batch):
            one, other = (normalize(network(noisy)) for noisy in noisy_pairs(images[seen][chosen]))
            alike = (labels[seen][chosen][:, None] == labels[seen][chosen]).float()
            loss = cross_entropy(one @ other.T / temperature, alike / alike.sum(1, keepdim=True))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        vectors = normalize(network(images[~seen]))
    return {"map": ranked(vectors @ vectors.T, labels[~seen])}


def noisy_pairs(images):
    return (images + 0.3 * torch.randn_like(images) for _ in range(2))


def ranked(likeness, labels):
    found = []
    for number, row in enumerate(likeness):
        others = torch.arange(len(labels), device=labels.device) != number
        found.append(retrieval_average_precision(row[others], labels[others] == labels[number]))
    return float(torch.stack(found).mean())
