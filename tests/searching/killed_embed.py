"""Embeds until a moment that it is told, and is then killed by itself: python killed_embed.py RUN VIDEOS MOMENT."""

import os
import signal
import sys
import threading

from kinema.api import searching as api_search
from kinema.searching import embed, engines


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def main(run, videos, moment):
    commits, commit, encode = [], embed._Embedding._commit, engines.encode_windows
    embed.ROWS = 1

    def committed(self, rows, replaced):
        commits.append(rows)
        if moment == "within a commit" and len(commits) == 3:
            threading.Timer(0.002, die).start()
        commit(self, rows, replaced)
        if moment == "after a commit" and len(commits) == 3:
            die()

    def encoded(*arguments, **settings):
        if moment == "between" and len(commits) == 2:
            die()
        return encode(*arguments, **settings)

    embed._Embedding._commit, engines.encode_windows = committed, encoded
    if moment == "before tidying":
        embed._Embedding.finish = lambda *arguments: die()
    api_search.embed(run, videos, device="cpu", replace=moment == "replacing")
    die()


if __name__ == "__main__":
    main(*sys.argv[1:])
