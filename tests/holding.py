"""Holds a study as a search on another machine would, and says so: `FOLDER URL [renews]`; what is typed is answered."""

import sys
from functools import partial
from pathlib import Path

from nas_attn.space import InputError
from nas_attn.study import hold, identity, lease

say = partial(print, flush=True)


def main():
    folder, url, *renews = sys.argv[1:]
    lease.machine = identity.machine = lambda: "elsewhere"
    lease.RENEWED_EVERY_S = 0.1 if renews else 3600
    with hold(Path(folder), url) as check_hold:
        say("locked")
        for _ in sys.stdin:
            try:
                check_hold()
                say("still locked")
            except InputError as error:
                say(error)


if __name__ == "__main__":
    main()
