"""Parts of the labelled videos: some recordings held out, or a few labels of each class.

Videos cut from one recording are nearly copies of one another. Who chooses a setting on some of them and fits on their
siblings chooses the setting that remembers best. Whole recordings are therefore held out, never single videos.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from kinema.core.errors import ConfigError, DataError, ShapeError
from kinema.core.seeds import generator_at


def hold_out(labels: Tensor, sources: Tensor, share: float, seed: int = 0) -> Tensor:
    """Holds whole recordings out, of each class about a share of its videos.

    Classes with few recordings choose first; each takes recordings in an order drawn from the seed as long as that
    brings it nearer to its share, and at least one where it can. No recording is taken that would leave a class
    without a video, so a class of a single recording is never held out, and one whose recordings show other classes too
    may not be.

    Args:
        labels: int64 [N].
        sources: int64 [N], the recording of each video.
        share: of each class's videos, between 0 and 1.
        seed: of the order.

    Returns:
        bool [N], the videos held out; none where no recording can be spared.

    Raises:
        ConfigError: the share is not between 0 and 1.
        ShapeError: labels and sources differ in number.
    """
    if not 0 < share < 1:
        raise ConfigError(f"The share to hold out is {share}; it must lie between 0 and 1.")
    if len(labels) != len(sources):
        raise ShapeError(f"There are {len(labels)} labels and {len(sources)} sources.")
    _, columns = torch.unique(labels, return_inverse=True)
    _, rows = torch.unique(sources, return_inverse=True)
    shows: dict[int, Counter[int]] = {}  # recording to the number of its videos by class
    for group, c in zip(rows.tolist(), columns.tolist(), strict=True):
        shows.setdefault(group, Counter())[c] += 1
    order = torch.randperm(len(shows), generator=generator_at(seed, "hold out")).tolist()
    of_class: dict[int, list[int]] = {}
    for group in order:
        for c in shows[group]:
            of_class.setdefault(c, []).append(group)
    total = Counter(columns.tolist())
    taken: set[int] = set()
    held: Counter[int] = Counter()

    def take(group: int) -> bool:
        """Holds a recording out, unless a class would be left without a video."""
        free = group not in taken and all(held[c] + n < total[c] for c, n in shows[group].items())
        if free:
            taken.add(group)
            held.update(shows[group])
        return free

    for c in sorted(of_class, key=lambda c: (len(of_class[c]), c)):
        wanted = share * total[c]
        for group in of_class[c]:
            if abs(held[c] + shows[group][c] - wanted) < abs(held[c] - wanted):
                take(group)
        smallest_first = sorted(of_class[c], key=lambda group, c=c: shows[group][c])  # type: ignore[misc]
        while held[c] == 0 and smallest_first:
            take(smallest_first.pop(0))
    return torch.tensor([group in taken for group in rows.tolist()], dtype=torch.bool)


def few(labels: Tensor, share: float, seed: int = 0) -> Tensor:
    """Draws as many videos of each class, together about a share of all, at least one a class.

    Of a class that has fewer than its part, all are drawn.

    Args:
        labels: int64 [N].
        share: of all videos, above 0 and at most 1.
        seed: of the draw.

    Returns:
        int64 [n], the rows that were drawn, rising.

    Raises:
        ConfigError: the share is out of range.
        DataError: there is no video.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"The share of the labels is {share}; it must be above 0 and at most 1.")
    if len(labels) == 0:
        raise DataError("There is no video to draw from.", "Choose a training part with videos.")
    classes = torch.unique(labels)
    each = max(1, round(share * len(labels) / len(classes)))
    generator = generator_at(seed, "few labels")
    drawn = []
    for c in classes:
        rows = (labels == c).nonzero()[:, 0]
        drawn.append(rows[torch.randperm(len(rows), generator=generator)[:each]])
    return torch.cat(drawn).sort().values
