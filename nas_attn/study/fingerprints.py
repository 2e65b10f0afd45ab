"""Changes of the images of a study, as far as a fingerprint shows them."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from nas_attn.settings import Fingerprint

_NO_END = "~"
"""After every digest."""


def image_changes(
    before: Fingerprint, now: Fingerprint, classes_before: Sequence[str], classes_now: Sequence[str]
) -> list[str]:
    """One line, or none where images, labels and parts are what they were; files may have other names."""
    parts = [part for part, digest in now.parts.items() if before.parts.get(part) != digest]
    if not parts:
        return []
    if not (before.sample and now.sample):
        return [f"images: the labels of {', '.join(parts)} are others, or come in another order"]
    end = min(map(_end, (before, now)))
    then, today = _copies(before, classes_before, end), _copies(now, classes_now, end)
    sampled = "" if end == _NO_END else f", of a sample of {today.total():,} of {now.images:,}"
    changes = _changes(then, today)
    if not changes:
        return [f"images: the {', '.join(parts)} part changed in a few images{sampled}, which shows none of them"]
    if before.reader != now.reader:
        changes.append(f"they were read by {before.reader}, and now by {now.reader}, which may give other pixels")
    return [f"images{sampled}: {'; '.join(changes)}"]


def _end(fingerprint: Fingerprint) -> str:
    """The digest from which on not every image is in the sample."""
    whole = len(fingerprint.sample) == fingerprint.images
    return _NO_END if whole else fingerprint.sample[-1].partition(" ")[0]


def _copies(fingerprint: Fingerprint, classes: Sequence[str], end: str) -> Counter[tuple[str, str, str]]:
    """How often each image is in a part with a class: digest, part, class; or other labels, which follow a `=`."""
    entries = (entry.split(" ", 2) for entry in fingerprint.sample)
    return Counter((image, part, _named(label, classes)) for image, part, label in entries if image < end)


def _named(label: str, classes: Sequence[str]) -> str:
    return label[1:] if label.startswith("=") else classes[int(label)]


def _changes(then: Counter[tuple[str, str, str]], today: Counter[tuple[str, str, str]]) -> list[str]:
    """What became of the images, in words; of the copies of one image, as few changes as explain it."""
    differing: dict[str, tuple[list[list[str]], list[list[str]]]] = defaultdict(lambda: ([], []))
    for side, copies in enumerate((then - today, today - then)):
        for image, *seen in sorted(copies.elements()):
            differing[image][side].append(seen)
    moved, gone, new, labels = 0, 0, 0, Counter[tuple[str, str]]()
    for lost, come in differing.values():
        for (part, name), (other_part, other_name) in zip(lost, come, strict=False):
            moved += part != other_part
            labels.update([(name, other_name)] if name != other_name else [])
        gone += max(0, len(lost) - len(come))
        new += max(0, len(come) - len(lost))
    found = []
    if number := labels.total():
        (old, other), most = labels.most_common(1)[0]
        such = f"{most:,} of them from" if most < number else "from"
        found.append(f"the label{'s' * (number > 1)} of {_images(number)} changed ({such} {old} to {other})")
    elsewhere = "in another part, as files were added, removed or, where split_by is 'order', renamed"
    for number, what in ((moved, elsewhere), (new, "new"), (gone, "missing")):
        if number:
            found.append(f"{_images(number)} {'are' if number > 1 else 'is'} {what}")
    return found


def _images(number: int) -> str:
    return f"{number:,} image{'s' * (number > 1)}"
