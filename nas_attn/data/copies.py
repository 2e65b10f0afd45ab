"""Copies of one image among the images of a source, and between it and images that stand apart."""

import logging
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from .gallery import Gallery

_LOG = logging.getLogger(__name__)
_DIFFERING = {
    "classification": "more than one class",
    "multilabel": "more than one set of labels",
    "segmentation": "more than one mask",
    "regression": "more than one value",
}


def report_copies(gallery: Gallery, apart: Mapping[str, Gallery]) -> None:
    """Say in the log how many images are copies: of others, of others with other labels, and of other parts.

    A copy is a file of the same bytes. Where files are not known, nothing is said.
    """
    if gallery.contents is None:
        return
    rows = defaultdict(list)
    for row, content in enumerate(gallery.contents):
        rows[content].append(row)
    several = [equal for equal in rows.values() if len(equal) > 1]
    if several:
        count, (first, second) = sum(len(equal) - 1 for equal in several), map(gallery.named, several[0][:2])
        _LOG.warning(
            "%s: %d images are copies of others (%s, %s); copies stay in one part", gallery.where, count, first, second
        )
    labels = gallery.labels if gallery.mask_digests is None else gallery.mask_digests
    if torn := [equal for equal in several if len(np.unique(labels[equal], axis=0)) > 1]:
        which, what, shown = gallery.named(torn[0][0]), _DIFFERING[gallery.task], ""
        if gallery.task == "classification":
            shown = ": " + ", ".join(gallery.class_names[label] for label in np.unique(gallery.labels[torn[0]]))
        _LOG.warning("%s: images with %s: %d (%s%s)", gallery.where, what, len(torn), which, shown)
    for role, other in apart.items():
        if shared := [row for row, content in enumerate(other.contents or ()) if content in rows]:
            first, same = other.named(shared[0]), gallery.named(rows[(other.contents or [])[shared[0]]][0])
            _LOG.warning(
                "%s: %d images of the %s part are copies of others in %s (%s is %s); they are left there",
                *(other.where, len(shared), role, gallery.where, first, same),
            )
