"""Mocap-15 as files: determinism, codec, resuming, refusing, ending on Ctrl-C."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest

import kinema
from kinema.core.errors import ConfigError, DataError
from kinema.data.mocap import CLASSES, PARTS, MocapConfig, write_mocap
from kinema.data.mocap.encode import frames_digest, read_note
from kinema.data.mocap.writer import COLUMNS

TINY = {"clips_per_class": 1, "test_per_class": 1, "size": 32, "frames": 13, "scenes_train": 1, "scenes_test": 1}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("mocap") / "set"
    told = []
    summary = write_mocap(out, MocapConfig(**TINY), workers=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 60) for n in range(1, 61)]
    return summary


def rows(out):
    with (out / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def files(out):
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_the_folder_tells_what_it_holds(whole):
    table = rows(whole.out)
    assert tuple(table[0]) == COLUMNS
    assert whole.videos == len(table) == 60
    assert {row["path"] for row in table} == {name for name in files(whole.out) if name.endswith(".mp4")}
    card = json.loads((whole.out / "dataset.json").read_text())
    assert (card["name"], card["edition"], card["state"]) == ("mocap-15", 2, "complete")
    assert card["digest"] == whole.digest
    assert card["settings"]["clips_per_class"] == 1
    assert card["counts"] == {"videos": 60, "train": 15, "test": dict.fromkeys(PARTS, 15), "frames": 60 * 13}
    assert {row["label"] for row in table} == set(CLASSES)


def test_train_and_test_share_no_actor_scene_or_recording(whole):
    table = rows(whole.out)
    for column in ("actor", "scene", "recording", "source"):
        train, test = ({row[column] for row in table if row["split"] == split} for split in ("train", "test"))
        assert train
        assert test
        assert not train & test
    assert all(row["source"] == row["recording"] for row in table)


def test_parts_differ_in_scenes_alone(whole):
    by_recording = {}
    for row in rows(whole.out):
        if row["split"] == "test":
            by_recording.setdefault(row["recording"], []).append(row)
    for shown in by_recording.values():
        assert sorted(row["part"] for row in shown) == sorted(PARTS)
        assert len({(row["actor"], row["camera"]) for row in shown}) == 1
        own = {row["part"]: row["scene"].split("scene-")[1].rsplit("-", 1)[0] == row["label"] for row in shown}
        assert own["matched"]
        assert not own["swapped"]


def test_files_have_keyframes_every_twelve_no_b_frames_and_motion_vectors(whole):
    for row in rows(whole.out)[::13]:
        with av.open(str(whole.out / row["path"]), options={"flags2": "+export_mvs"}) as container:
            stream = container.streams.video[0]
            stream.codec_context.options = {"flags2": "+export_mvs"}
            frames = list(container.decode(stream))
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (32, 32, 30)
        assert len(frames) == 13
        kinds = [av.video.frame.PictureType(frame.pict_type).name for frame in frames]
        assert kinds == ["I" if n % 12 == 0 else "P" for n in range(13)]
        moved = [v for frame in frames for v in (frame.side_data.get("MOTION_VECTORS") or [])]
        assert any(v.motion_x or v.motion_y for v in moved)
        assert all(v.source == -1 for v in moved)


def test_b_frames_and_gop_are_settings(tmp_path):
    write_mocap(tmp_path, MocapConfig(**TINY | {"b_frames": 2, "gop": 6, "test_per_class": 0}))
    with av.open(str(tmp_path / rows(tmp_path)[3]["path"])) as container:
        kinds = [av.video.frame.PictureType(frame.pict_type).name for frame in container.decode(video=0)]
    assert kinds.count("B") > 3
    assert kinds[0] == "I"
    assert kinds.count("I") == 3


def test_same_seed_same_frames_whatever_the_workers_and_another_seed_differs(whole, tmp_path):
    again = write_mocap(tmp_path / "again", MocapConfig(**TINY), workers=1)
    assert again.digest == whole.digest
    assert files(again.out) == files(whole.out)
    other = write_mocap(tmp_path / "other", MocapConfig(**TINY | {"seed": 1, "test_per_class": 0}), workers=2)
    assert other.digest != whole.digest
    first = rows(whole.out)[0]["path"]
    assert read_note(other.out / first) != read_note(whole.out / first)


def test_a_partial_set_is_completed_to_the_same(whole, tmp_path):
    out = tmp_path / "partial"
    shutil.copytree(whole.out, out)
    (out / "labels.csv").unlink()
    table = rows(whole.out)
    for row in table[::2]:
        (out / row["path"]).unlink()
    (out / table[1]["path"]).write_bytes(b"cut off")
    (out / "train" / ".half.mp4.abc.part").write_bytes(b"half")
    kept = out / table[3]["path"]
    before = kept.stat().st_mtime_ns
    assert write_mocap(out, MocapConfig(**TINY), workers=2).digest == whole.digest
    assert files(out) == files(whole.out)
    assert kept.stat().st_mtime_ns == before


def test_foreign_folders_and_other_settings_are_refused(whole, tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty and holds no Mocap-15"):
        write_mocap(tmp_path, MocapConfig(**TINY))
    (tmp_path / "dataset.json").write_text('{"name": "another"}')
    with pytest.raises(DataError, match="not that of a Mocap-15"):
        write_mocap(tmp_path, MocapConfig(**TINY))
    (tmp_path / "dataset.json").write_text('{"name": "mocap-15", "settings": null}')
    with pytest.raises(DataError, match="not that of a Mocap-15"):
        write_mocap(tmp_path, MocapConfig(**TINY))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset.json", "letter.txt"]
    with pytest.raises(DataError, match=r"bias 0\.0 instead of 0\.5"):
        write_mocap(whole.out, MocapConfig(**TINY | {"bias": 0.5}))
    with pytest.raises(DataError, match="camera_follows True instead of False"):
        write_mocap(whole.out, MocapConfig(**TINY | {"camera_follows": False}))
    with pytest.raises(ConfigError, match="workers is 0"):
        write_mocap(tmp_path / "new", MocapConfig(**TINY), workers=0)


def test_a_set_of_the_first_edition_is_left_as_it_is_and_still_read(whole, tmp_path):
    out = tmp_path / "first"
    shutil.copytree(whole.out, out)
    card = json.loads((out / "dataset.json").read_text())
    assert card.pop("edition") == 2
    (out / "dataset.json").write_text(json.dumps(card))  # the first edition named none
    before = files(out)
    for config in (MocapConfig(**TINY), MocapConfig(**TINY | {"bias": 0.5})):
        with pytest.raises(DataError, match="of edition 1, and this version of kinema draws edition 2") as refused:
            write_mocap(out, config)
        assert "choose another folder" in refused.value.hint
    assert files(out) == before
    assert len(kinema.scan(out, out=tmp_path / "first.parquet")) == 60


@pytest.mark.parametrize(
    ("imported", "call"),
    [
        (
            "mocap import MocapConfig, write_mocap",
            "write_mocap(out, MocapConfig(clips_per_class=40, size=32), workers=2)",
        ),
        (
            "mocap.steps import MocapStepsConfig, write_mocap_steps",
            "write_mocap_steps(out, MocapStepsConfig(videos=400, size=32), workers=2)",
        ),
    ],
    ids=["mocap", "mocap-steps"],
)
def test_ctrl_c_ends_the_workers_and_leaves_whole_files(tmp_path, imported, call):
    script = (
        f"import pathlib, signal, sys\nfrom kinema.data.{imported}\nout = pathlib.Path(sys.argv[1])\n"
        # A shell that starts the tests in the background has them ignore Ctrl-C, and a child inherits that.
        f"signal.signal(signal.SIGINT, signal.default_int_handler)\n{call}\n"
    )
    out = tmp_path / "set"
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not list(out.rglob("*.mp4")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)
    printed, said = child.communicate(timeout=60)
    assert child.returncode != 0
    assert printed == b""
    assert said.decode().rstrip().endswith("KeyboardInterrupt")
    with pytest.raises(ProcessLookupError):
        os.killpg(child.pid, 0)  # nobody of the group is left
    videos = list(out.rglob("*.mp4"))
    assert videos
    assert all(read_note(path).startswith(path.relative_to(out).as_posix()) for path in videos)
    assert json.loads((out / "dataset.json").read_text())["state"] == "partial"
    assert not (out / "labels.csv").exists()


def test_the_digest_sees_every_pixel_and_the_shape():
    frames = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    other = frames.copy()
    other[1, 3, 3, 2] = 1
    assert len({frames_digest(x) for x in (frames, other, frames.reshape(2, 2, 8, 3))}) == 3


@pytest.mark.parametrize(
    "ends",
    [
        {"view_range": 0.0, "elevation_range": 0.0, "clutter": 0.0, "limb_contrast": 1.0, "camera_motion": 0.0}
        | {"speed_range": 0.0, "amplitude_range": 0.0, "joint_noise": 0.0},
        {"view_range": 360.0, "elevation_range": 80.0, "clutter": 1.0, "limb_contrast": 0.0, "camera_motion": 5.0}
        | {"speed_range": 0.8, "amplitude_range": 0.5, "joint_noise": 30.0},
    ],
    ids=["easiest", "hardest"],
)
def test_both_ends_of_the_difficulty_show_somebody_moving(ends, tmp_path):
    write_mocap(tmp_path, MocapConfig(**TINY | ends | {"test_per_class": 0}), workers=1)
    for row in rows(tmp_path):
        with av.open(str(tmp_path / row["path"])) as container:
            frames = np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)]).astype(int)
        assert frames.std() > 5
        assert np.abs(np.diff(frames, axis=0)).mean() > 0.2
