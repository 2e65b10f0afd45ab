"""The answer that a page begins with: whether attention pays, at what price, and what would decide what is open."""

from nas_attn.results import Front
from nas_attn.settings import listed, measure
from nas_attn.statistics import Estimate
from nas_attn.verdict import Conclusion
from nas_attn.verdict.words import ahead, interval

_NO_BREAK = "\N{NO-BREAK SPACE}"


def answer(said: Conclusion | None, front: Front, study: str) -> tuple[str, str]:
    """One sentence with gain, interval and price, and one on what would decide what is open."""
    if said is None:
        open_yet = (
            f"Whether that is more than seed noise is not known: `nas-attn verdict {study}` trains what it takes."
        )
        return _without_verdict(front), open_yet if len(front.rows) > 1 else f"`nas-attn search {study}` trains others."
    return _finding(said, front), _ahead(said, study)


def price(front: Front, key: str | None) -> str:
    """What a network costs, in multiples of the plain backbone; empty where that is not known."""
    keys = [*map(str, front.rows.index)]
    if front.plain is None or key not in keys:
        return ""
    counted = [one for one in map(measure, front.objectives) if one.source != "learnt"]
    here, there = (
        {one: float(row[one.name]) for one in counted} for row in (front.rows.iloc[keys.index(key)], front.plain)
    )
    times = f"{_NO_BREAK}\N{MULTIPLICATION SIGN} its "
    return listed([f"{here[one] / there[one]:.3g}{times}{one.word}" for one in counted if there[one] > 0])


def _finding(said: Conclusion, front: Front) -> str:
    found, leader = said.comparison, said.leader
    if leader is None or found.leader is None:
        return said.sentences[0]
    gain = next(one.gain for one in found.networks if one.what == leader)
    parts = listed(found.parts[found.leader])
    costs = price(front, leader)
    at = f", for {costs}" if costs else ""
    match said.finding:
        case "pays":
            opening = "Attention pays"
        case "pays no more than width":
            opening = "Attention pays, but no more than a wider backbone of the same price"
        case "pays nothing":
            return said.sentences[0]
        case _:
            beaten = ", as a width-matched baseline is not surely beaten" if said.winner else ""
            opening = f"Whether attention pays is not known yet{beaten}"
    own = f"{leader} ({parts}) gains {interval(found.measure, gain)} over the plain backbone"
    return f"{opening}: {own}{_sure(said, gain)}{at}."


def _sure(said: Conclusion, gain: Estimate) -> str:
    """Of a network that is known by what it has rather than by itself, what that adds."""
    found = said.comparison
    if said.winner is None or gain.positive or found.leader is None:
        return ""
    sure = [one for one in found.effects if one.gain.positive and one.what in found.parts[found.leader]]
    effect = max(sure, key=lambda one: one.gain.low)
    return f", as {effect.what} surely adds {interval(found.measure, effect.gain)} to all that have it"


def _ahead(said: Conclusion, study: str) -> str:
    sentences = [*ahead(said.comparison, said.lookahead)]
    if sentences:
        return " ".join(sentences)
    if said.finding == "not known yet":
        return f"More seeds would decide it: `nas-attn verdict {study} --seeds N`."
    return "Nothing is left open that more seeds of these networks would decide."


def _without_verdict(front: Front) -> str:
    if front.best.empty:
        return "No network has been trained to the end, so there is no answer yet."
    leading = measure(next(iter(front.objectives)))
    best = front.best.iloc[0]
    key = str(front.best.index[0])
    value = leading.spell(float(best[leading.name]))
    if front.plain is None:
        return f"{key} has the best {leading.word}, {value}; the plain backbone was not trained, so it is not compared."
    gain = leading.sign * (float(best[leading.name]) - float(front.plain[leading.name]))
    if len(front.rows) == 1:
        return f"Only the plain backbone is trained yet, to {value} {leading.word}."
    if key == str(front.plain.name):
        return f"No network does better than the plain backbone, which has {value} {leading.word}."
    costs = price(front, key)
    return (
        f"{key} has the best {leading.word}, {value}: {leading.difference(gain)} {leading.gain} over the plain backbone"
        f"{f', for {costs}' if costs else ''}."
    )
