"""Embeds documents until a moment, and is then killed by itself: python killed_documents.py RUN CORPUS MOMENT."""

import os
import signal
import sys

from kinema.api import searching as api_search
from kinema.searching.documents import embed, encode


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def main(run, corpus, moment):
    kind, embed.ROWS = embed._DocumentEmbedding, 1
    commits, commit, passages = [], kind._commit, encode.TextEncoding.passages

    def committed(self, rows, replaced):
        commits.append(rows)
        commit(self, rows, replaced)
        if moment == "after a commit" and len(commits) == 3:
            die()

    def encoded(self, name, text):
        if moment == "between" and len(commits) == 2:
            die()
        return passages(self, name, text)

    kind._commit, encode.TextEncoding.passages = committed, encoded
    if moment == "before tidying":
        kind.finish = lambda *arguments: die()
    api_search.embed(run, corpus, device="cpu")
    die()


if __name__ == "__main__":
    main(*sys.argv[1:])
