"""What surrounds kinema, made again from a seed: odd films, environments, damaged caches, features that are no good.

Each kind is a generator of attempts as those of ``hostile_state``: a name, and a function without arguments that
returns True where the outcome is right, and a word where it is silently wrong. An error of kinema's own is right too,
for what cannot be done is said; anything else is a crash.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import random
import resource
import shutil
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import torch

SIZES = {"media": 40, "environment": 62, "cache": 11, "numerics": 110}
"""How many of each there are."""

START = "from kinema.cli import main; main()"
FRAMES = 20


def repeated(attempts, count):
    """So many of the attempts, over again where there are fewer."""
    return itertools.islice(itertools.cycle(attempts), count)


# Films whose frames, sizes and times are known.

CODECS = {
    "h264.mp4": ("libx264", {"bf": "2", "g": "8"}),
    "h264.ts": ("libx264", {"g": "6"}),
    "part2.avi": ("mpeg4", {"g": "6"}),
    "pictures.mov": ("mjpeg", {}),
    "vp9.webm": ("libvpx-vp9", {"cpu-used": "8", "g": "8"}),
}
SHAPES = ((96, 64), (16, 1600), (1600, 16), (64, 96))


def film(path, codec, options, shape, ticks):
    """Grey frames that grow brighter by ten each, at these times in hundredths of a second."""
    width, height = shape
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100)
        for number, tick in enumerate(ticks):
            picture = np.full((height, width, 3), 20 + 10 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 100)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def media(state, seed, count):
    """Codecs, shapes and rates: every frame once, in order, as bright as it was; or the file is named as not whole."""
    from kinema.data import decode, scan

    draw = random.Random(seed)
    kinds = list(itertools.product(CODECS, SHAPES, ("constant", "variable")))
    yield "the whole", lambda: True
    for number, (name, shape, rate) in enumerate(repeated(kinds, count)):
        steps = [4] * FRAMES if rate == "constant" or name.endswith("avi") else draw.choices((2, 4, 8, 20), k=FRAMES)
        ticks = [0, *itertools.accumulate(steps)][:FRAMES]

        def read(number=number, name=name, shape=shape, ticks=ticks):
            folder = state.folder / "media" / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            codec, options = CODECS[name]
            film(folder / name, codec, options, shape, ticks)
            (video,) = scan(folder).videos
            if video.health == "unreadable":
                return True
            found = decode(folder / name, short_side=None, motion=False).frames
            levels = found.mean(axis=(1, 2, 3))
            if len(found) != FRAMES or video.frames != FRAMES:
                return video.health != "ok" or f"{len(found)} of {FRAMES} frames, and 'ok'"
            if found.shape[1:3] != shape[::-1]:
                return f"a picture of {found.shape[1:3]}"
            wrong = np.abs(levels - (20 + 10 * np.arange(FRAMES))).max()
            return True if wrong < 8 else f"a frame is {wrong:.0f} off"

        yield f"{name} of {shape[0]} x {shape[1]}, {rate} rate", read


# Environments of two commands.


def limited(**limits):
    """A function that a child runs before it starts, which lowers its limits."""

    def lower():
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))

    return lower


ENVIRONMENTS = {
    "as it is": {},
    "no HOME": {"HOME": None},
    "HOME that is not there": {"HOME": "/nowhere/at/all"},
    "HOME that is a file": {"HOME": "/etc/hostname"},
    "no PATH": {"PATH": None},
    "LANG=C": {"LANG": "C", "LC_ALL": "C"},
    "LC_ALL=C and no UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a locale that is not there": {"LC_ALL": "xx_YY.UTF-8"},
    "ASCII output": {"PYTHONIOENCODING": "ascii"},
    "Latin-1 output": {"PYTHONIOENCODING": "latin-1"},
    "a dumb terminal": {"TERM": "dumb"},
    "no TERM": {"TERM": None},
    "a terminal of one column": {"COLUMNS": "1"},
    "a terminal of no column": {"COLUMNS": "0"},
    "COLUMNS=abc": {"COLUMNS": "abc"},
    "LINES=0": {"LINES": "0"},
    "NO_COLOR": {"NO_COLOR": "1"},
    "FORCE_COLOR": {"FORCE_COLOR": "1"},
    "a time zone that is none": {"TZ": "Nowhere/None"},
    "TMPDIR that is not there": {"TMPDIR": "/nowhere"},
    "XDG_CACHE_HOME that is not there": {"XDG_CACHE_HOME": "/nowhere/cache"},
    "XDG_CACHE_HOME that is a file": {"XDG_CACHE_HOME": "/etc/hostname"},
    "XDG_CACHE_HOME that is relative": {"XDG_CACHE_HOME": "cache"},
    "OMP_NUM_THREADS=abc": {"OMP_NUM_THREADS": "abc"},
    "a GPU that is not there": {"CUDA_VISIBLE_DEVICES": "7"},
    "PYTHONOPTIMIZE=2": {"PYTHONOPTIMIZE": "2"},
    "a full standard output": {"stdout": "/dev/full"},
    "no standard input": {"stdin": None},
    "few open files": {"preexec_fn": limited(NOFILE=64)},
    "files of 200 bytes at most": {"preexec_fn": limited(FSIZE=200)},
    "a mask that forbids all": {"preexec_fn": lambda: os.umask(0o777)},
}
VERBS = {"scan": ("scan", "VIDEOS", "--json"), "pretrain": ("pretrain", "moco", "VIDEOS", "--out", "NEW", "--dry_run")}


def environment(state, seed, count):
    """Two commands in each: they end with status 0 and what was asked for, or 1 or 2 and a sentence."""
    yield "the whole", lambda: True
    kinds = list(itertools.product(ENVIRONMENTS, VERBS))
    for number, (name, verb) in enumerate(repeated(kinds, count)):

        def read(number=number, name=name, verb=verb):
            changes = dict(ENVIRONMENTS[name])
            child = {key: changes.pop(key) for key in ("preexec_fn", "stdin") if key in changes}
            full = changes.pop("stdout", None)
            variables = {**os.environ, **changes}
            variables = {key: value for key, value in variables.items() if value is not None}
            places = {"VIDEOS": str(state.videos), "NEW": str(state.folder / f"new{seed}-{number}")}
            words = [places.get(word, word) for word in VERBS[verb]]
            child["stdin"] = child.get("stdin") or subprocess.DEVNULL
            with open(full or os.devnull, "wb") as sink:
                done = subprocess.run(
                    [sys.executable, "-c", START, *words],
                    env=variables,
                    stdout=sink if full else subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    timeout=120,
                    cwd=state.folder,
                    **child,
                )
            said = done.stderr.decode("utf-8", "replace")
            if "Traceback" in said or done.returncode not in (0, 1, 2):
                raise RuntimeError(f"status {done.returncode}: {said[-300:]}")
            if done.returncode:
                return True if said.strip() else "an end without a word"
            if full:
                return "a full output, and status 0"
            if verb == "scan" and json.loads(done.stdout)["videos"] != 6:
                return "another count of videos"
            return True if done.stdout.strip() else "status 0 without a word"

        yield f"{verb}: {name}", read


# Caches that are damaged.


def _flip(file, at):
    content = bytearray(file.read_bytes())
    content[at % len(content)] ^= 4
    file.write_bytes(bytes(content))


CACHES = {
    "frames zeroed": lambda c: (f := next(c.rglob("*.rgb"))).write_bytes(bytes(f.stat().st_size)),
    "a bit of a frame": lambda c: _flip(next(c.rglob("*.rgb")), 12345),
    "frames cut short": lambda c: os.truncate(next(c.rglob("*.rgb")), 1000),
    "frames gone": lambda c: next(c.rglob("*.rgb")).unlink(),
    "frames empty": lambda c: os.truncate(next(c.rglob("*.rgb")), 0),
    "frames longer": lambda c: next(c.rglob("*.rgb")).open("ab").write(bytes(100)),
    "the index cut short": lambda c: os.truncate(next(c.rglob("index.json")), 40),
    "the index a list": lambda c: next(c.rglob("index.json")).write_text("[]"),
    "the index gone": lambda c: next(c.rglob("index.json")).unlink(),
    "a number in the index": lambda c: (f := next(c.rglob("index.json"))).write_text(
        f.read_text().replace('"frames": ', '"frames": 1', 1)
    ),
    "all files gone": lambda c: [file.unlink() for file in c.rglob("*") if file.is_file()],
}


def cache(state, seed, count):
    """A cache that is damaged after it was written gives what the files hold."""
    from kinema.core.clips import ClipSpec
    from kinema.data import ClipStore, scan

    spec, manifest = ClipSpec(frames=4, stride=1, size=16, short_side=16), scan(state.videos)

    def clips(where):
        store = ClipStore(manifest, spec, motion=False, cache=where)
        return torch.stack([torch.from_numpy(store.read(row, (2,)).frames) for row in range(len(manifest))])

    yield "the whole", lambda: True
    expected = clips(None)
    for number, (name, damage) in enumerate(repeated(CACHES.items(), count)):

        def read(number=number, damage=damage):
            where = state.folder / f"cache{seed}-{number}"
            clips(where)
            damage(where)
            found = clips(where)
            shutil.rmtree(where)
            return torch.equal(found, expected) or "other clips"

        yield name, read


# Features that are no good.


def _measures():
    """Functions of features [N, d], labels [N] and sources [N]."""
    from kinema import evaluation
    from kinema.core.ops import cosine_matrix
    from kinema.evaluation import diagnostics

    def probe(x, y, s):
        return evaluation.fit_linear(x, y, s).judge(x, y)

    def zipf(x, y, s):
        found = evaluation.zipf_fitness(x, k=5)
        return () if found.collapsed else found  # which is said by a word of its own

    return {
        "vote": lambda x, y, s: evaluation.vote(x, y, x, y, train_sources=s, test_sources=s),
        "linear probe": probe,
        "retrieve": lambda x, y, s: evaluation.retrieve(x, x, y, y, query_sources=s, gallery_sources=s),
        "retrieve, vcop": lambda x, y, s: evaluation.retrieve(x, x[:40], y, y[:40], preset="vcop"),
        "retrieve across": lambda x, y, s: evaluation.retrieve_across(x, x.clone(), sources=s),
        "zipf": zipf,
        "rankme": lambda x, y, s: diagnostics.rankme(x),
        "alignment": lambda x, y, s: diagnostics.alignment(x, x.flip(0)),
        "uniformity": lambda x, y, s: diagnostics.uniformity(x),
        "neighbours": lambda x, y, s: diagnostics.neighbour_overlap(x, x.clone(), s, k=3),
        "cosine": lambda x, y, s: cosine_matrix(x.numpy(), x.numpy()),
    }


def _features(draw):
    x = torch.randn(60, 8, generator=draw)
    one = torch.ones_like(x)
    one[7] = 0

    def entry(value):
        changed = x.clone()
        changed[11, 3] = value
        return changed

    return {
        "NaN": entry(math.nan),
        "infinite": entry(math.inf),
        "all NaN": torch.full_like(x, math.nan),
        "zeros": torch.zeros_like(x),
        "a row of zeros": x * one,
        "all alike": x[:1].expand(60, 8).clone(),
        "of half precision": x.half(),
        "huge": x * 1e30,
        "tiny": x * 1e-30,
        "whole numbers": (10 * x).long(),
    }


def _figures(found):
    """All numbers in a result, however deep."""
    if dataclasses.is_dataclass(found):
        found = [getattr(found, field.name) for field in dataclasses.fields(found)]
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list | tuple):
        return [number for each in found for number in _figures(each)]
    if isinstance(found, torch.Tensor | np.ndarray):
        return np.asarray(found, dtype=np.float64).ravel().tolist()
    return [float(found)] if isinstance(found, int | float) else []


def numerics(state, seed, count):
    """Features that are not finite are refused; from all others come finite figures, or a sentence."""
    draw = torch.Generator().manual_seed(seed)
    features = _features(draw)
    labels, sources = torch.randint(0, 4, (60,), generator=draw), torch.arange(60)
    yield "the whole", lambda: True
    for (name, measure), (kind, x) in repeated(itertools.product(_measures().items(), features.items()), count):

        def read(measure=measure, kind=kind, x=x):
            numbers = _figures(measure(x, labels, sources))
            if kind in ("NaN", "infinite", "all NaN"):
                return f"figures of features that are not finite: {numbers[:3]}"
            return all(map(math.isfinite, numbers)) or "figures that are not finite"

        yield f"{name} of features: {kind}", read


KINDS = {"media": media, "environment": environment, "cache": cache, "numerics": numerics}
