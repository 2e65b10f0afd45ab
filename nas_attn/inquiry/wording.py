"""What an answer says, on one screen."""

import math
import textwrap
from collections.abc import Iterator
from typing import Any

from nas_attn.results import spell_cell
from nas_attn.settings import Measure, duration, listed, measure
from nas_attn.space import Architecture
from nas_attn.statistics import Estimate

from .answer import Answer, Answers, OverWidth

_PLAIN_KEY = Architecture().key
_WIDE = 100  # letters of a line
_FEW = 3  # answers that are shown at length
_LABEL = 12  # letters


def screen(found: Answers) -> list[str]:
    """Lines that say every answer with what it rests on, and at last what they share."""
    lines: list[str] = []
    for one in found.answers:
        lines.append(f"{title(one)}: {one.finding}")
        parts = dict(details(found, one))
        if len(found.answers) > _FEW:
            parts = {name: text for name, text in parts.items() if name != "why" or one.reason}
        for name, text in parts.items():
            lines += textwrap.wrap(
                text, _WIDE, initial_indent=f"  {name:<{_LABEL}}", subsequent_indent=" " * (_LABEL + 2)
            )
    return [*lines, "", *shared(found)]


def title(one: Answer) -> str:
    """A spelling with its start."""
    return f"{one.candidate.spelling}, {one.candidate.start} start"


def details(found: Answers, one: Answer) -> Iterator[tuple[str, str]]:
    """What is known of one answer, by the word that stands before it."""
    if math.isfinite(one.gain.value):
        seeds = f"{one.seeds} paired {'seed' if one.seeds == 1 else 'seeds'}"
        yield "gain", f"{gained(found.measure, one.gain)} over the plain backbone, {seeds}"
    if math.isfinite(one.seeds_reach):
        yield "images", _images(found, one)
    for each in one.widths:
        yield "over width", f"{gained(found.measure, each.gain)}, {_matched(each)}"
    if price := priced(found, one):
        yield "price", price
    yield "why", reason(found, one)
    if one.open:
        yield "more", _more(one)


def gained(judged: Measure, gain: Estimate) -> str:
    """A gain with its unit, and its interval where it is known."""
    known = math.isfinite(gain.low)
    ends = f" ({judged.difference(gain.low)} to {judged.difference(gain.high)})" if known else ""
    return f"{judged.difference(gain.value)} {judged.gain}{ends}"


def _images(found: Answers, one: Answer) -> str:
    seeds, images = (found.measure.difference(reach, signed=False) for reach in (one.seeds_reach, one.images))
    text = f"other seeds may change the gain by {seeds} {found.measure.points}".rstrip()
    more = "images for validation" if one.images > one.seeds_reach and found.share == 1 else "seeds"
    return f"{text}, other validation images by {images}" + f": more {more} would tell more" * one.open


def _matched(each: OverWidth) -> str:
    where = f"between {listed(each.baselines)}" if len(each.baselines) > 1 else f"that is {each.baselines[0]}"
    less = ", which costs less" if each.cheaper else ""
    names = where.replace(_PLAIN_KEY, "the plain backbone")
    return f"at the same {measure(each.price).word} ({names}{less})"


def priced(found: Answers, one: Answer) -> str:
    """What a network costs more than the plain backbone; empty where that is not known."""
    if one.row is None or found.plain is None:
        return ""
    here, there = float(one.row["flops"]), float(found.plain["flops"])
    flops = f"{here - there:+,.0f} FLOPs ({100 * (here / there - 1):+.1f} %)"
    if math.isnan(one.row.latency.ms) or math.isnan(found.plain.latency.ms):
        return flops
    return f"{flops}; {_ms(one.row)} a pass, where the plain backbone takes {_ms(found.plain)}"


def _ms(row: Any) -> str:
    return spell_cell("latency_ms", row)


def reason(found: Answers, one: Answer) -> str:
    """What an answer rests on."""
    noise = f"{found.measure.difference(found.noise, signed=False)} {found.measure.points}".rstrip()
    sigma = f"{noise}, one standard deviation of the seed noise"
    if one.reason:
        return one.reason
    match one.finding:
        case "helps" if not one.widths:
            return f"the whole interval lies above 0. {found.matching}".rstrip()
        case "helps":
            return "the whole interval lies above 0, and so does that over width"
        case "helps no more than width":
            return f"the gain is above 0, but over width its upper end is below {sigma}"
        case "does not help":
            harm = "; it does harm, as the whole interval lies below 0" if one.gain.negative else ""
            return f"even the upper end of the interval is below {sigma}{harm}"
    if math.isnan(one.gain.low):
        return "noise is not known before two seeds of each network are trained"
    above = "above 0" if not one.gain.positive else "above 0 over width"
    return f"the interval lies neither {above} nor below {sigma}"


def _more(one: Answer) -> str:
    if math.isnan(one.more):
        return "two seeds of each network are the least that may tell"
    if math.isinf(one.more):
        return "not even 64 times as many seeds would most likely tell"
    seeds = f"{one.more:.0f} more {'seed' if one.more == 1 else 'seeds'}"
    if math.isnan(one.minutes):
        return f"{seeds} would most likely tell"
    return f"{duration(60 * one.minutes)} more ({seeds}) would most likely tell"


def shared(found: Answers) -> Iterator[str]:
    """What all answers share: plain backbone, noise, correction and device."""
    judged, plain = found.measure, found.plain
    if plain is None:
        yield "plain backbone: not trained yet, so that there is nothing to compare with"
        return
    mean = "" if math.isnan(found.plain_mean) else f"{judged.word} {judged.spell(found.plain_mean)}, "
    yield f"plain backbone: {mean}{measure('flops').spell(plain['flops'])} FLOPs, {_device(plain)}"
    if not math.isnan(found.noise):
        noise = f"{judged.difference(found.noise, signed=False)} {judged.points}".rstrip()
        yield f"seed noise: {noise} of {judged.word}; 95 % intervals of {found.comparisons} comparisons at once"
        some = any(math.isfinite(one.images) for one in found.answers)
        others = "others like them where an answer says so" if some else "these alone"
        images = f"{found.images:,} and for others like them" if found.images else others
        yield f"images for validation: intervals hold for {images}"


def _device(row: Any) -> str:
    latency = row.latency
    if math.isnan(latency.ms):
        return "not timed"
    threads = f"{latency.threads} {'thread' if latency.threads == 1 else 'threads'}"
    return f"{_ms(row)} on {latency.device} ({threads}, batch {latency.batch})"
