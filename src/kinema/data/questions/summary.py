"""What was read of questions, as plain values and as a table that a person reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.text import Text

from kinema.core.printing import Table
from kinema.data.questions.table import Questions

_FIRST, _SHOWN = 20, 5


@dataclass(frozen=True)
class QuestionsSummary:
    """What there is of questions about videos.

    Args:
        table: the questions.
        counts: of questions: how many there are, are 'answered', 'timed' and 'left_out'.
        clips: of clips: how many there are, and have 'subtitles', 'objects', 'features' and a 'duration'.
        types: how many questions each type has.
        difficulties: likewise.
        splits: likewise; 'none' of questions without.
    """

    table: Questions
    counts: Mapping[str, int]
    clips: Mapping[str, int]
    types: Mapping[str, int]
    difficulties: Mapping[str, int]
    splits: Mapping[str, int]

    @classmethod
    def of(cls, table: Questions) -> QuestionsSummary:
        """That of a table."""
        rows, videos = table.rows, table.videos
        kinds = {video: {line.kind for line in table.lines(video)} for video in videos}
        counts = {
            "questions": len(rows),
            "answered": sum(row.answer >= 0 for row in rows),
            "timed": sum(row.timed for row in rows),
            "left_out": len(table.lost),
        }
        clips = {
            "clips": len(videos),
            "subtitles": sum("subtitle" in found for found in kinds.values()),
            "objects": sum("object" in found for found in kinds.values()),
            "features": sum(table.frames(video) is not None for video in videos),
            "duration": sum(table.duration(video) is not None for video in videos),
        }
        named = [Counter(getattr(row, key) or "none" for row in rows) for key in ("type", "difficulty", "split")]
        types, difficulties, splits = (dict(each.most_common()) for each in named)
        return cls(table, counts, clips, types, difficulties, splits)

    def plain(self, seconds: float) -> dict[str, Any]:
        """As one JSON object.

        Args:
            seconds: how long the reading took.

        Returns:
            The ``counts``, each by its name; ``options`` of a question; ``clips``, how many there are and have what;
            ``types``, ``difficulties`` and ``splits`` with their counts; ``frames``, their ``features`` and
            ``frames_a_second``; ``first_left_out``, twenty with name and reason; ``groups``, ``digest``, ``seconds``.
        """
        table = self.table
        return {
            **self.counts,
            "options": table.count,
            "clips": dict(self.clips),
            "types": dict(self.types),
            "difficulties": dict(self.difficulties),
            "splits": dict(self.splits),
            "frames": {"features": table.frame_width, "frames_a_second": table.rate},
            "first_left_out": [{"name": row.id, "reason": why} for row, why in table.lost[:_FIRST]],
            "groups": len(set(table.source_ids())),
            "layout": table.layout,
            "digest": table.digest,
            "seconds": seconds,
        }

    def shown(self) -> Group:
        """A summary, and below it the first questions that are left out."""
        table, counts, clips = self.table, self.counts, self.clips
        title = Text(f"{len(table)} questions in {table.root}")
        summary = Table(title=title, title_justify="left", show_header=False)
        summary.add_row("options", f"{table.count}; the answer is known of {counts['answered']:,} questions")
        summary.add_row("stretches", f"known of {counts['timed']:,} questions")
        summary.add_row("clips", f"{clips['clips']:,} of {len(set(table.source_ids())):,} groups")
        for what in ("subtitles", "objects", "features"):
            about = f" of {table.frame_width} numbers, {table.rate:g} frames a second" if what == "features" else ""
            summary.add_row(what, f"of {clips[what]:,} clips{about if clips[what] else ''}")
        for name, values in (("types", self.types), ("difficulties", self.difficulties), ("splits", self.splits)):
            if set(values) != {"none"}:
                summary.add_row(name, Text(", ".join(f"{value} ({count:,})" for value, count in values.items())))
        if not table.lost:
            return Group(summary)
        listed = Table("question", "reason", title=f"Left out: {len(table.lost):,} questions", title_justify="left")
        for row, why in table.lost[:_SHOWN]:
            listed.add_row(Text(row.id), Text(f"{why} ({row.where})"))
        return Group(summary, listed)
