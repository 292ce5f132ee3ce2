"""Finds the videos below a folder, and says what was passed over."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from kinema.data.video.files import claims_video, numbered_pictures
from kinema.data.video.manifest import Overlooked
from kinema.data.walking import Walk, walk

FEWEST_PICTURES = 8
"""So many numbered pictures in a folder are a video; fewer are pictures."""
_MANY = 4
"""Folders of pictures are what is meant if there are so many times as many of them as of videos."""


def videos_below(folder: Path, others: Collection[str] = ()) -> tuple[list[str], Overlooked]:
    """The files below a folder whose names end like a video's, in all depths, without hidden files and folders.

    Args:
        folder: where to look.
        others: paths of files that are no videos and yet are read, such as lists of labels.

    Returns:
        Paths below the folder with forward slashes, sorted, and what was passed over. A link that leads nowhere is
        among them if it ends like a video. A folder of numbered pictures is a video, by the pattern of their names; but
        beside more than a few videos they are taken for what was drawn out of those, and passed over.
    """
    found = walk(folder)
    videos = [path for path in [*found.files, *found.dangling] if claims_video(path)]
    named = {pattern: each for pattern, each in numbered_pictures(found.files).items() if len(each) >= FEWEST_PICTURES}
    if len(named) < _MANY * len(videos):
        return sorted(videos), replace(overlooked(found, {*videos, *others}), pictures=len(named))
    used = {path for each in named.values() for path in each}
    return sorted([*videos, *named]), overlooked(found, {*videos, *used, *others})


def overlooked(found: Walk, used: Collection[str]) -> Overlooked:
    """What of a folder was not looked at.

    Args:
        found: what is in it.
        used: paths that are read.
    """
    links = {path: f"the link leads nowhere: {reason}" for path, reason in found.dangling.items() if path not in used}
    endings = Counter(os.path.splitext(path)[1].lower() for path in found.files if path not in used)
    return Overlooked(
        unlisted=dict(sorted({**found.unlisted, **links}.items())),
        endings=dict(sorted(endings.items(), key=lambda item: (-item[1], item[0]))),
        links=found.links,
        special=dict(sorted(Counter(found.special.values()).items())),
        misnamed=found.misnamed,
    )


def counted(missed: Overlooked) -> str:
    """The files that were passed over, for instance '3 files passed over: .txt 2, .xyz 1'; empty for none.

    Args:
        missed: what a scan did not look at.
    """
    count = sum(missed.endings.values())
    if not count:
        return ""
    each = [f"{ending or 'without ending'} {number}" for ending, number in missed.endings.items()]
    more = f" and {len(each) - 12} other endings" if len(each) > 12 else ""
    return f"{count} file{'s' * (count > 1)} passed over: {', '.join(each[:12])}{more}"


def unlisted(missed: Overlooked, most: int = 5) -> str:
    """The folders that could not be listed, for instance "2 folders could not be listed: 'a' (Permission denied), …".

    And what was left out because its name is not UTF-8.

    Args:
        missed: what a scan did not look at.
        most: how many are named.

    Returns:
        The sentence without its full stop; empty where all could be listed.
    """
    closed = list(missed.unlisted.items())
    if not closed:
        return misnamed(missed, most)
    named = ", ".join(f"'{path}' ({reason})" for path, reason in closed[:most])
    more = f" and {len(closed) - most} more" if len(closed) > most else ""
    return f"{len(closed)} folder{'s' * (len(closed) > 1)} could not be listed: {named}{more}" + (
        f"; {misnamed(missed, most)}" if missed.misnamed else ""
    )


def misnamed(missed: Overlooked, most: int = 5) -> str:
    """What was left out because its name is not UTF-8, in words; empty for nothing.

    Args:
        missed: what a scan did not look at.
        most: how many are named.
    """
    names = missed.misnamed
    if not names:
        return ""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    said = ", ".join(f"'{name}'" for name in names[:most]) + more
    whose = "1 name is" if len(names) == 1 else f"{len(names)} names are"
    return f"{whose} not UTF-8 and left out: {said}"


def passed_over(missed: Overlooked) -> str:
    """All that was passed over, in words: files by ending, links, pipes, sockets and devices; empty for none.

    Args:
        missed: what a scan did not look at.
    """
    words = [counted(missed)] if missed.endings else []
    if missed.links:
        plural = "s whose targets are" if missed.links > 1 else " whose target is"
        words.append(f"{missed.links} link{plural} there already")
    words += [f"{count} {word}{'s' * (count > 1)}" for word, count in missed.special.items()]
    if missed.pictures:
        plural = "s" * (missed.pictures > 1)
        words.append(
            f"{missed.pictures} folder{plural} of numbered pictures, which count as videos where they are alone"
        )
    return "; ".join(words)
