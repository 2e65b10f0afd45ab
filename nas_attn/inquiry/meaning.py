"""What each word of a screen means."""

import textwrap
from collections.abc import Mapping

_WIDE = 100  # letters of a line

WORDS: Mapping[str, str] = {
    "helps": """the whole interval of the gain over the plain backbone lies above 0, and so does that over every
        width-matched baseline; where there is none of those, it is said why.""",
    "helps no more than width": """it beats the plain backbone, but the interval over a width-matched baseline
        ends below one standard deviation of the seed noise: the same price, spent on a wider network, gives as
        much.""",
    "does not help": """a finding too: even the upper end of the interval of its gain is below one standard
        deviation of the seed noise. Where the whole interval lies below 0, it does harm.""",
    "not known yet": """none of these three: an interval lies neither above 0 nor below the seed noise.""",
    "gain": """how much better than the plain backbone a network is, judged on the images for validation, in
        points (hundredths) of accuracy or in the unit of what judges; in brackets its interval. Below 0 it is
        worse.""",
    "images": """how far the interval reaches because of the seeds, and because of the images that validate: by so
        much other ones may change the gain. The squares of both add up. Where the images count for more, more
        seeds will not tell, and more images for validation would. Where nothing is known of single images,
        intervals hold for these alone.""",
    "over width": """the same over a width-matched baseline: the plain backbone, made wider until it has the
        same FLOPs or the same latency; that is one width=, or what lies between two of them, which are named.""",
    "price": """what it costs: FLOPs (operations for one image, k is a thousand, M a million, G a billion) more
        than the plain backbone, counted exactly, and the time in ms (milliseconds) that one pass of a batch
        takes on the named device, with a thread of it or several threads, with its interval, where the plain
        backbone takes its own; or it is not timed.""",
    "why": """what the answer rests on. An attention that cannot be trained, or costs more than the study's
        budget, has no answer, and where no width that was trained costs as much (the widest costs less), none
        over width: more seeds would not tell.""",
    "more": """the time, a second, seconds, a minute or hours, and the number of more seeds that would most likely
        tell: in at least half of all futures that what is known leaves open, there is an answer by then. Two
        seeds of each network are the least that may tell, before noise is known; not even 64 times as many are
        tried.""",
    "paper start": """attention begins with the initial weights of its paper, and changes at once what the
        network computes.""",
    "identity start": """attention begins as the identity, which changes nothing, and learns how much of it is
        wanted. Both are trained, since the start often decides more than the place.""",
    "plain backbone": """the network without any attention that was put there; what it does is what all else is
        compared with; until it is trained there is nothing to compare.""",
    "seed": """one training of each network. It fixes initial weights, the order of images and augmentation, the
        same for all networks, so that their seeds are paired: what it does to all alike is no noise.""",
    "seed noise": """what a seed does to one network and not to all, as one standard deviation: by so much one
        training differs from the next where nothing else does.""",
    "interval": """from the lower to the upper end in brackets; the intervals of all comparisons hold at once with a
        probability of 95 %, after any number of seeds, so that it may stop as soon as it knows. Several spellings
        share one correction; the more there are, the wider they are.""",
    "stopped": """after so many minutes and trainings, either because all is known (that can be), or because the
        time is over. The same command goes on.""",
    "page": """all of this in one file that can be sent to a colleague and opens without anything else.""",
}
"""What the words of a screen mean, in the order in which they come."""


def explained() -> str:
    """Each word of a screen with its meaning."""
    indent = " " * 4
    return "\n".join(
        f"{word}\n{textwrap.fill(' '.join(meaning.split()), _WIDE, initial_indent=indent, subsequent_indent=indent)}"
        for word, meaning in WORDS.items()
    )
