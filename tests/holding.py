"""Works on a study as on another machine, and says so: `FOLDER URL renews|sleeps [ITEM]`; what is typed is answered."""

import sys
from functools import partial
from pathlib import Path

from nas_attn.space import InputError
from nas_attn.study import identity, lease, shared

say = partial(print, flush=True)


def main():
    folder, url, how, *items = sys.argv[1:]
    lease.machine = identity.machine = lambda: "elsewhere"
    lease.RENEWED_EVERY_S = 0.1 if how == "renews" else 3600
    with shared(Path(folder), url, artifacts="there") as reservations:
        for item in items:
            assert reservations.take(item)
        say("locked")
        for _ in sys.stdin:
            try:
                reservations.check()
                say("still locked")
            except InputError as error:
                say(error)


if __name__ == "__main__":
    main()
