"""Footage that is there twice, as files: what is found of made-up copies, and what is not called one."""

import csv
import json
import shutil
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from kinema import api, cli
from kinema.core.errors import DataError
from kinema.data.video.scanning import scan

RATE, FRAMES = 25, 60


def footage(scene, walk):
    """An actor walks through a scene by a path of their own: uint8 [60, 96, 128, 3]. The actor is always the same."""
    rng = np.random.default_rng(scene)
    ground = np.asarray(
        Image.fromarray(rng.integers(40, 200, (6, 8, 3), dtype=np.uint8)).resize((128, 96), Image.BICUBIC)
    )
    body = np.random.default_rng(99).integers(0, 256, (32, 24, 3), dtype=np.uint8) // 64 * 64
    steps = np.random.default_rng(1000 + walk)
    path = np.cumsum(np.cumsum(steps.normal(scale=0.02, size=(FRAMES, 2)), axis=0), axis=0) + steps.uniform(0, 6, 2)
    frames = np.repeat(ground[None], FRAMES, axis=0)
    for frame, (y, x) in zip(frames, 0.5 + 0.5 * np.sin(path), strict=True):
        top, left = int(y * 64), int(x * 104)
        frame[top : top + 32, left : left + 24] = body
    return frames


def write(path, frames, rate=RATE, crf=23, size=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size or (frames.shape[2], frames.shape[1])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf)})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            picture = np.asarray(Image.fromarray(frame).resize((width, height), Image.BILINEAR))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


COPIES = {
    "rough": lambda path, x: write(path, x, crf=36),
    "small": lambda path, x: write(path, x, size=(80, 60), crf=28),
    "trimmed": lambda path, x: write(path, x[8:-4]),
    "bright": lambda path, x: write(path, (x * 0.8 + 40).astype(np.uint8)),
    "mirrored": lambda path, x: write(path, np.ascontiguousarray(x[:, :, ::-1])),
    "slower frames": lambda path, x: write(path, x[::2], rate=Fraction(25, 2)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three scenes with four takes each, and for six of the takes one copy in a folder of its own."""
    root = tmp_path_factory.mktemp("copies")
    for scene in range(3):
        for walk in range(4):
            write(root / "train" / f"s{scene}w{walk}.mp4", footage(scene, walk if scene else 10 + walk))
    for number, (name, make) in enumerate(COPIES.items()):
        scene, walk = number % 3, number // 3
        make(
            root / "test" / f"{name.replace(' ', '-')}-s{scene}w{walk}.mp4",
            footage(scene, walk if scene else 10 + walk),
        )
    (root / "labels.csv").write_text(
        "path,split\n" + "".join(f"{p.relative_to(root)},{p.parent.name}\n" for p in sorted(root.glob("*/*.mp4")))
    )
    return root


@pytest.fixture(scope="module")
def copies(folder):
    return api.duplicates(scan(folder, workers=1), workers=1)


def named(pair):
    return {pair.a.split("/")[-1].rsplit("-", 1)[-1], pair.b.split("/")[-1].rsplit("-", 1)[-1]}


def test_every_copy_is_found_and_nothing_else(copies):
    right = [pair for pair in copies.pairs if len(named(pair)) == 1]
    assert len(copies.pairs) == len(right), "precision"
    assert len(right) == len(COPIES), "recall"
    assert all(pair.across for pair in copies.pairs)
    assert sorted(copies.leaking) == sorted(pair.a if pair.split_a == "test" else pair.b for pair in copies.pairs)
    assert [len(group) for group in copies.groups] == [2] * len(COPIES)
    assert (copies.still, dict(copies.unreadable)) == ((), {})


def test_offset_overlap_and_mirror_are_told(copies):
    by_name = {pair.a.split("/")[-1].rsplit("-", 1)[0]: pair for pair in copies.pairs}
    assert {name for name, pair in by_name.items() if pair.mirrored} == {"mirrored"}
    trimmed = by_name["trimmed"]
    assert trimmed.offset == pytest.approx(-8 / RATE, abs=0.051)  # the whole video begins before the trimmed one
    assert trimmed.overlap == pytest.approx(48 / RATE, abs=0.11)
    assert all(abs(pair.offset) < 0.051 for name, pair in by_name.items() if name != "trimmed")


def test_still_and_equal_files(tmp_path):
    room = footage(1, 1)[:1].repeat(40, axis=0)
    write(tmp_path / "black.mp4", np.zeros_like(room))
    write(tmp_path / "empty.mp4", np.zeros_like(room), crf=30)
    write(tmp_path / "room.mp4", room)
    write(tmp_path / "walk.mp4", footage(1, 1))
    for name in ("room", "walk"):
        (tmp_path / f"{name}-again.mp4").write_bytes((tmp_path / f"{name}.mp4").read_bytes())
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    found = api.duplicates(tmp_path, out=tmp_path / "pairs.csv", workers=1)
    assert {(pair.a, pair.b) for pair in found.pairs} == {
        ("room-again.mp4", "room.mp4"),
        ("walk-again.mp4", "walk.mp4"),
    }
    assert all(pair.identical and pair.score == 1 and not pair.across for pair in found.pairs)
    assert set(found.still) == {"black.mp4", "empty.mp4", "room-again.mp4"}
    assert set(found.unreadable) == {"broken.mp4"}
    assert found.leaking == ()
    with (tmp_path / "pairs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["a"], row["identical"], row["across"]) for row in rows] == [
        ("room-again.mp4", "True", "False"),
        ("walk-again.mp4", "True", "False"),
    ]


def test_the_verb(folder, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["dedupe", str(folder), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert left.value.code == 0
    assert (told["videos"], told["across"], len(told["leaking"])) == (18, 6, 6)
    assert {"a", "b", "score", "offset", "overlap", "mirrored", "identical", "across"} <= told["pairs"][0].keys()
    with pytest.raises(SystemExit):
        cli.main(["duplicates", str(folder)])
    shown = capsys.readouterr()
    assert shown.out.startswith("6 pairs share footage, 6 of them across splits, of 18 videos in ")
    assert "'duplicates' is now: kinema dedupe" in shown.err
    with pytest.raises(SystemExit) as left:
        cli.main(["dedupe", str(folder), "--score", "0.9"])
    assert left.value.code == 2
    assert "--score is of a table" in capsys.readouterr().err


def test_a_folder_of_footage_that_is_called_index_makes_no_run(folder, tmp_path, capsys):
    shutil.copytree(folder, tmp_path / "videos/index")
    with pytest.raises(SystemExit) as left:
        cli.main(["dedupe", str(tmp_path / "videos"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (left.value.code, told["compared"], told["videos"]) == (0, "footage", 18)


def test_one_video_has_no_copy(folder):
    manifest = scan(folder, workers=1)
    with pytest.raises(DataError, match="1 video"):
        api.duplicates(replace(manifest, videos=manifest.videos[:1]))
