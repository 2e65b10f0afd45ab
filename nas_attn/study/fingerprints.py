"""What has changed about the images of a study, as far as what is remembered of them tells."""

from collections import Counter
from collections.abc import Sequence

from nas_attn.settings import Fingerprint

Seen = tuple[str, str]
"""The part and the class of an image."""


def image_changes(
    before: Fingerprint, now: Fingerprint, classes_before: Sequence[str], classes_now: Sequence[str]
) -> list[str]:
    """One line, or none where images, labels and parts are what they were; files may have other names."""
    parts = [part for part, digest in now.parts.items() if before.parts[part] != digest]
    if not parts:
        return []
    if not (before.sample and now.sample):
        return [f"images: the labels of {', '.join(parts)} are others, or come in another order"]
    end = min(map(_end, (before, now)))
    then, today = _by_image(before, classes_before, end), _by_image(now, classes_now, end)
    counts, labels = Counter[str](), Counter[Seen]()
    for image in {*then, *today}:
        _compare(then.get(image, Counter()), today.get(image, Counter()), counts, labels)
    looked = sum(seen.total() for seen in today.values())
    sampled = "" if end == _NO_END else f", of a sample of {looked:,} of {now.images:,}"
    if not counts.total():
        return [f"images: the {', '.join(parts)} part changed in a few images{sampled}, which shows none of them"]
    return [f"images{sampled}: {_said(counts, labels, before, now)}"]


_NO_END = "~"
"""After every digest."""


def _end(fingerprint: Fingerprint) -> str:
    """The digest from which on not every image is remembered."""
    whole = len(fingerprint.sample) == fingerprint.images
    return _NO_END if whole else fingerprint.sample[-1].partition(" ")[0]


def _by_image(fingerprint: Fingerprint, classes: Sequence[str], end: str) -> dict[str, Counter[Seen]]:
    """Where copies of each image are, and what they are labelled."""
    found: dict[str, Counter[Seen]] = {}
    for entry in fingerprint.sample:
        image, part, label = entry.split(" ")
        if image < end:
            found.setdefault(image, Counter())[part, classes[int(label)]] += 1
    return found


def _compare(then: Counter[Seen], today: Counter[Seen], counts: Counter[str], labels: Counter[Seen]) -> None:
    """Count what became of the copies of one image: as few changes as explain it."""
    gone, come = sorted((then - today).elements()), sorted((today - then).elements())
    for (part, name), (other_part, other_name) in zip(gone, come, strict=False):
        counts["moved"] += part != other_part
        counts["labels"] += name != other_name
        labels[name, other_name] += name != other_name
    counts["gone"] += max(0, len(gone) - len(come))
    counts["new"] += max(0, len(come) - len(gone))


def _said(counts: Counter[str], labels: Counter[Seen], before: Fingerprint, now: Fingerprint) -> str:
    said = []
    if number := counts["labels"]:
        (old, new), most = labels.most_common(1)[0]
        such = f" ({most:,} of them from {old} to {new})" if most < number else f" (from {old} to {new})"
        said.append(f"the label{'s' * (number > 1)} of {_images(number)} changed{such}")
    if number := counts["moved"]:
        said.append(
            f"{_images(number)} {_are(number)} in another part, as files are divided in the order of their names"
        )
    if number := counts["new"]:
        said.append(f"{_images(number)} {_are(number)} new")
    if number := counts["gone"]:
        said.append(f"{_images(number)} {_are(number)} missing")
    if before.reader != now.reader:
        said.append(f"they were read by {before.reader}, and now by {now.reader}, which may give other pixels")
    return "; ".join(said)


def _images(number: int) -> str:
    return f"{number:,} image{'s' * (number > 1)}"


def _are(number: int) -> str:
    return "are" if number > 1 else "is"
