"""Writes ``src/kinema/cli/options.json``, of which ``--help`` and the completion of shells are made.

    python scripts/options.py

It makes the parser of every verb, method, protocol and data set, which takes some seconds; a test compares.
"""

from __future__ import annotations

from kinema.cli.catalogue import FILE
from kinema.cli.describing import catalogue_text

if __name__ == "__main__":
    FILE.write_text(catalogue_text(), encoding="utf-8")
    print(f"{FILE.name}: {FILE.stat().st_size / 1000:.0f} kB")
