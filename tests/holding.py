"""Works on a study as on another machine, in a process of its own, and answers whether it still has its lease."""

from nas_attn.space import InputError
from nas_attn.study import identity, lease, shared


def hold(line, folder, url, how, *items):
    """Say `locked` through a connection once the items are reserved; its lease `renews` or `sleeps`."""
    lease.machine = identity.machine = lambda: "elsewhere"
    lease.RENEWED_EVERY_S = 0.1 if how == "renews" else 3600
    with shared(folder, url, artifacts="there") as reservations:
        for item in items:
            assert reservations.take(item)
        line.send("locked")
        while line.recv():
            try:
                reservations.check()
                line.send("still locked")
            except InputError as error:
                line.send(str(error))
