"""Made-up questions on disk: clips of four stretches, with subtitles and features that both tell what is done."""

import json
from pathlib import Path

import numpy as np

THINGS = ("jump", "turn", "bow", "kick", "wave", "sit")
PLACES = ("kitchen", "garden", "street", "hall")
COLOURS = ("red", "blue", "green", "grey", "pink", "brown", "white", "black")
SECONDS = 2.0
"""Of each of the four stretches."""


def things_of(video):
    """What is done in the four stretches of a video, by its number."""
    return [THINGS[(video * 5 + place * (1 + video % 2) + video // 6) % len(THINGS)] for place in range(len(PLACES))]


def place_of(video, place):
    """Where that is done; of the first eight videos no two have a place in common."""
    return f"{COLOURS[video % len(COLOURS)]} {PLACES[place]}"


def made_row(video=0, place=0, count=4, **changes):
    """A question about one stretch of a video, as a line of questions.jsonl holds it; None takes a key away."""
    true = things_of(video)[place]
    answer = (video + place) % count
    others = [thing for thing in THINGS if thing != true][: count - 1]
    row = {
        "id": f"v{video}-{place}",
        "video": f"v{video}",
        "question": f"What do they do in the {place_of(video, place)}?",
        "options": [*others[:answer], true, *others[answer:]],
        "answer": answer,
        "start": place * SECONDS,
        "end": (place + 1) * SECONDS,
        "type": "said" if place % 2 else "seen",
        "difficulty": str(1 + place // 2),
    } | changes
    return {key: value for key, value in row.items() if value is not None}


def write_rows(folder, rows):
    """A questions.jsonl of such rows."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def made_lines(video=0):
    """(start, end, text) of the subtitles of a video."""
    return [
        (place * SECONDS, (place + 1) * SECONDS, f"in the {place_of(video, place)} they {thing}")
        for place, thing in enumerate(things_of(video))
    ]


def write_lines(folder, name, lines, form="srt"):
    """Subtitles as .srt, .vtt or .json."""
    path = Path(folder) / "subtitles" / f"{name}.{form}"
    path.parent.mkdir(parents=True, exist_ok=True)
    if form == "json":
        text = json.dumps([{"start": start, "end": end, "text": text} for start, end, text in lines])
    else:
        mark = "," if form == "srt" else "."
        cues = [f"{_clock(start, mark)} --> {_clock(end, mark)}\n{text}\n" for start, end, text in lines]
        text = ("WEBVTT\n\n" if form == "vtt" else "") + "\n".join(cues)
    path.write_text(text, "utf-8")
    return path


def write_objects(folder, name, records):
    """Labels of objects as a .json."""
    path = Path(folder) / "objects" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records), "utf-8")
    return path


def made_features(video=0, width=6, rate=2.0):
    """Features of a video's frames, float32 [F, width]: a direction for each thing, with noise."""
    looks = np.random.default_rng(0).standard_normal((len(THINGS), width))
    each = round(SECONDS * rate)
    shown = [looks[THINGS.index(thing)] for thing in things_of(video) for _ in range(each)]
    noise = np.random.default_rng(video + 1).standard_normal((len(shown), width))
    return (np.stack(shown) + 0.1 * noise).astype(np.float32)


def write_features(folder, name, array, rate=2.0):
    """Features as a .npy, and features.json beside it; without one where ``rate`` is None."""
    path = Path(folder) / "features" / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    if rate is not None:
        (path.parent / "features.json").write_text(json.dumps({"frames_a_second": rate, "run": "", "view": "rgb"}))
    return path


def write_questions(folder, videos=8, options=4, splits=("train", "train", "train", "test"), *, form="srt", width=6):
    """A folder of questions, four a video, with subtitles and features of each; splits are given to videos in turn.

    ``form`` is that of the subtitles, None for none; ``width`` the features of a frame, 0 for none; ``splits`` may be
    empty.
    """
    rows = []
    for video in range(videos):
        split = splits[video % len(splits)] if splits else None
        rows += [made_row(video, place, options, split=split) for place in range(len(PLACES))]
        if form:
            write_lines(folder, f"v{video}", made_lines(video), form)
        if width:
            write_features(folder, f"v{video}", made_features(video, width))
    write_rows(folder, rows)
    return Path(folder)


def _clock(seconds, mark):
    whole, milli = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{mark}{milli:03d}"
