"""Mocap-steps: who does what when, a label for every frame, smooth transitions, determinism, resuming, refusing."""

import csv
import itertools
import json
import shutil
import subprocess
import sys
from collections import Counter

import av
import numpy as np
import pytest

import kinema
from kinema.core.errors import ConfigError, DataError
from kinema.data.mocap import MocapConfig, rotations, write_mocap
from kinema.data.mocap.body import draw_actor, place_points
from kinema.data.mocap.camera import frame_shot, keep_level, smoothed
from kinema.data.mocap.motions import unroll
from kinema.data.mocap.steps import ACTIVITIES, BACKGROUND, STEPS, MocapStepsConfig, write_mocap_steps
from kinema.data.mocap.steps.performance import perform_session
from kinema.data.mocap.steps.plan import label_names, plan_sessions, plan_steps

TINY = {"videos": 2, "steps": 3, "activities": 2, "background": 0.3, "size": 32, "fps": 10}
TINY |= {"seconds_min": 0.5, "seconds_max": 1.0}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("steps") / "set"
    told = []
    config = MocapStepsConfig(**TINY)
    summary = write_mocap_steps(out, config, workers=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 4) for n in range(1, 5)]
    return summary


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def files(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def steps_of(session):
    return [segment.label for segment in session.segments if segment.label != BACKGROUND]


def test_every_frame_has_a_label_and_the_segments_say_the_same(whole):
    names = [f"P0{person}_{activity}" for activity in ("workout", "routine") for person in (1, 2)]
    assert sorted(path.stem for path in (whole.out / "videos").iterdir()) == sorted(names)
    numbered = [line.split(" ") for line in (whole.out / "mapping.txt").read_text().splitlines()]
    assert [number for number, _ in numbered] == [str(n) for n in range(len(numbered))]
    assert numbered[0][1] == BACKGROUND
    segments = table(whole.out / "segments.csv")
    assert tuple(segments[0]) == ("video", "start", "end", "step")
    seen = set()
    for name in names:
        with av.open(str(whole.out / "videos" / f"{name}.mp4")) as container:
            times = [float(frame.time) for frame in container.decode(video=0)]
        labels = (whole.out / "groundTruth" / f"{name}.txt").read_text().splitlines()
        assert len(labels) == len(times)
        seen |= set(labels)
        mine = [row for row in segments if row["video"] == f"videos/{name}.mp4"]
        by_time = [
            next(row["step"] for row in mine if float(row["start"]) <= time + 1e-3 < float(row["end"]) + 1e-3)
            for time in times
        ]
        assert by_time == labels
        assert [row["step"] for row in mine] == [label for label, _ in itertools.groupby(labels)]
    assert seen == {label for _, label in numbered}


def test_the_card_and_the_list_say_who_does_what(whole):
    card = json.loads((whole.out / "dataset.json").read_text())
    assert (card["name"], card["edition"], card["state"]) == ("mocap-steps", 1, "complete")
    assert card["settings"] == MocapStepsConfig(**TINY).record()
    assert card["counts"]["videos"] == whole.videos == 4
    assert card["activities"].keys() == {"workout", "routine"}
    rows = table(whole.out / "labels.csv")
    for person in ("P01", "P02"):
        own = [row for row in rows if row["source"] == person]
        assert [row["label"] for row in own] == ["workout", "routine"]
        assert len({row["actor"] for row in own}) == 1
    assert len({row["actor"] for row in rows}) == 2
    assert len({row["scene"] for row in rows}) == 4
    manifest = kinema.scan(whole.out)
    assert len(manifest) == 4
    assert {video.source for video in manifest.videos} == {"P01", "P02"}


def test_same_seed_same_files_whatever_the_workers_and_another_seed_differs(whole, tmp_path):
    again = write_mocap_steps(tmp_path / "again", MocapStepsConfig(**TINY), workers=1)
    assert again.digest == whole.digest
    assert files(again.out) == files(whole.out)
    other = MocapStepsConfig(**TINY | {"seed": 1})
    assert [each.segments for each in plan_sessions(other)] != [
        each.segments for each in plan_sessions(MocapStepsConfig(**TINY))
    ]


def test_a_partial_set_is_completed_to_the_same(whole, tmp_path):
    out = tmp_path / "partial"
    shutil.copytree(whole.out, out)
    for name in ("segments.csv", "labels.csv", "mapping.txt", "groundTruth/P01_workout.txt", "videos/P01_workout.mp4"):
        (out / name).unlink()
    (out / "videos" / "P02_workout.mp4").write_bytes(b"cut off")
    (out / "videos" / ".half.mp4.abc.part").write_bytes(b"half")
    kept = out / "videos" / "P01_routine.mp4"
    before = kept.stat().st_mtime_ns
    assert write_mocap_steps(out, MocapStepsConfig(**TINY), workers=1).digest == whole.digest
    assert files(out) == files(whole.out)
    assert kept.stat().st_mtime_ns == before


def test_a_worker_whose_writer_was_killed_ends_without_a_word(tmp_path):
    worker = subprocess.Popen(
        [sys.executable, "-m", "kinema.data.mocap.steps.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    worker.stdout.close()
    request = {"out": str(tmp_path), "config": MocapStepsConfig(**TINY).record(), "share": 0, "shares": 1}
    worker.stdin.write(json.dumps(request).encode() + b"\n")
    worker.stdin.close()
    assert worker.stderr.read() == b""
    assert worker.wait(timeout=30) == 1
    assert [path.name for path in (tmp_path / "videos").iterdir()] == ["P01_workout.mp4"]


def test_another_set_or_other_settings_are_refused(whole, tmp_path):
    with pytest.raises(DataError, match="other settings: order fixed instead of varied"):
        write_mocap_steps(whole.out, MocapStepsConfig(**TINY | {"order": "varied"}))
    with pytest.raises(DataError, match="not that of a Mocap-15"):
        write_mocap(whole.out, MocapConfig())
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty and holds no Mocap-steps"):
        write_mocap_steps(tmp_path, MocapStepsConfig(**TINY))
    with pytest.raises(ConfigError, match="workers is 0"):
        write_mocap_steps(tmp_path / "new", MocapStepsConfig(**TINY), workers=0)


def test_in_fixed_order_every_video_of_an_activity_has_the_same_steps():
    config = MocapStepsConfig(activities=3)
    planned = plan_steps(config)
    assert set(planned[0]) == set(STEPS[:7])
    assert len(set(planned)) == 3
    for session in plan_sessions(config):
        assert tuple(steps_of(session)) == planned[session.activity]
        assert session.name.endswith(f"_{ACTIVITIES[session.activity]}")
    lengths = [[segment.stop - segment.start for segment in each.segments] for each in plan_sessions(config)]
    assert len({tuple(each) for each in lengths}) == 72
    assert 45 <= np.min(lengths) < 50 < 220 < np.max(lengths) <= 240
    assert np.median(lengths) == pytest.approx(30 * np.sqrt(1.5 * 8), rel=0.1)


def test_in_varied_order_every_video_has_each_step_once_in_an_order_of_its_own():
    orders = [tuple(steps_of(session)) for session in plan_sessions(MocapStepsConfig(order="varied"))]
    assert all(sorted(order) == sorted(STEPS[:7]) for order in orders)
    assert len(set(orders)) > 20  # of 5,040


@pytest.mark.parametrize("steps", [2, 3, 7, 13])
def test_with_repeats_steps_recur_but_never_at_once(steps):
    for session in plan_sessions(MocapStepsConfig(order="repeats", steps=steps, seconds_max=4.0)):
        order = steps_of(session)
        times = Counter(order)
        assert set(times) == set(STEPS[:steps])
        assert 2 <= max(times.values()) <= 3
        assert all(one != other for one, other in itertools.pairwise(order))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.25, 0.8])
def test_background_has_the_share_of_frames_that_was_asked_for(share):
    config = MocapStepsConfig(background=share, videos=8, seconds_max=4.0)
    assert (BACKGROUND in label_names(config)) == (share > 0)
    for session in plan_sessions(config):
        labels = session.labels
        assert labels.count(BACKGROUND) == pytest.approx(share * len(labels), abs=1)
        runs = [label for label, _ in itertools.groupby(labels)]
        assert [label for label in runs if label != BACKGROUND] == steps_of(session)
        if share >= 0.25:
            pauses = [each.stop - each.start for each in session.segments if each.label == BACKGROUND]
            assert min(pauses) >= 30


def test_a_larger_set_begins_with_the_smaller_one():
    small, large = (plan_sessions(MocapStepsConfig(videos=n, order="repeats", background=0.1)) for n in (3, 5))
    assert small == large[:3]


def test_transitions_are_smooth_and_a_cut_is_not():
    def leaps(transition):
        """Metres by which a joint moves in a frame, at most, where the label changes."""
        config = MocapStepsConfig(videos=1, steps=13, transition=transition, joint_noise=0.0, seed=2)
        (session,) = plan_sessions(config)
        motion = perform_session(session, config)
        assert len(motion.position) == session.frames
        moved = np.linalg.norm(np.diff(place_points(motion, draw_actor(0, "x", 0, 0.5)), axis=0), axis=-1).max(axis=1)
        return np.array([moved[segment.start - 8 : segment.start + 8].max() for segment in session.segments[1:]])

    # Within a step it is .56 at most: feet are fast. Frame by frame the shorter way round, it would be 1.09 here.
    assert leaps(0.4).max() < 0.8 < 1.4 < leaps(0.0).max()
    assert np.median(leaps(0.4)) < 0.5 * np.median(leaps(0.0))


def test_a_crossfade_keeps_to_the_way_round_that_is_shorter_in_its_middle():
    angles = np.linspace(np.deg2rad(150), np.deg2rad(200), 51)  # of b from a: the shorter way changes sides at 180
    a = np.tile([1.0, 0.0, 0.0, 0.0], (51, 1))
    b = rotations.from_vector(angles[:, None] * [0.0, 0.0, 1.0])
    half = np.full(51, 0.5)
    smooth = rotations.to_vector(rotations.crossfade(a, b, half))[:, 2]
    assert np.allclose(smooth, angles / 2)
    assert np.abs(np.diff(rotations.to_vector(rotations.slerp(a, b, half))[:, 2])).max() > 3
    for share, end in ((0.0, a), (1.0, b)):
        assert np.allclose(np.abs(np.sum(rotations.crossfade(a, b, np.full(51, share)) * end, axis=-1)), 1.0)


def test_in_the_background_a_person_stands_still_and_upright():
    config = MocapStepsConfig(videos=1, background=0.5, joint_noise=0.0)
    (session,) = plan_sessions(config)
    motion = perform_session(session, config)
    for segment in session.segments:
        if segment.label == BACKGROUND:
            inner = motion.part(segment.start + 6, segment.stop - 6)
            assert np.ptp(inner.position, axis=0).max() < 1e-9
            assert inner.position[0, 1] == pytest.approx(0.89, abs=0.02)


def test_a_place_does_not_sink_as_a_person_walks_away():
    config = MocapConfig(frames=600, elevation_range=60.0, camera_motion=0.0)
    points = place_points(unroll("walk", 10.0).at(np.arange(600) / 60), draw_actor(0, "x", 0, 0.5))
    shot = frame_shot(points, config, np.random.default_rng(5))
    level = keep_level(shot, config.size)
    assert np.ptp(shot.pan[:, 1]) > 100 > 5 > np.ptp(level.pan[:, 1]) > 0
    assert np.array_equal(level.pan[:, 0], shot.pan[:, 0])


def test_a_long_track_is_smoothed_as_in_one_piece():
    track = np.random.default_rng(0).normal(size=(1200, 3)).cumsum(axis=0)
    frame = np.arange(1200)
    weights = np.exp(-0.5 * ((frame[:, None] - frame) / 5.0) ** 2)
    assert np.abs(smoothed(track, 5.0) - weights @ track / weights.sum(axis=1, keepdims=True)).max() < 1e-9


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"videos": 0}, "mocap_steps.videos is 0"),
        ({"steps": 14}, r"steps is 14; it must be between 2 and 13"),
        ({"steps": 1}, "mocap_steps.steps is 1"),
        ({"order": "random"}, "order is 'random'; it must be one of fixed, varied, repeats"),
        ({"activities": 9}, "mocap_steps.activities is 9"),
        ({"seconds_min": 0.0}, "seconds_min is 0.0; it must be more than 0"),
        ({"seconds_min": float("nan")}, "seconds_min is nan"),
        ({"seconds_min": 9.0}, r"seconds_max is 8.0; it must be at least seconds_min, 9.0"),
        ({"seconds_max": float("inf")}, "seconds_max is inf"),
        ({"seconds_min": 0.05}, "less than two frames"),
        ({"transition": 1.5}, r"transition is 1.5; it must be between 0 and 1.0"),
        ({"transition": 0.5, "seconds_min": 0.4}, r"transition is 0.5; it must be between 0 and 0.4"),
        ({"transition": -0.1}, "transition is -0.1"),
        ({"background": 1.0}, "mocap_steps.background is 1.0"),
        ({"seed": -1}, "seed is -1"),
        ({"size": 97}, "size is 97"),
        ({"size": 1024}, "could have 1680 frames of 1024 x 1024 pixels; 256 is the most"),
    ],
)
def test_settings_that_no_set_could_have_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        MocapStepsConfig(**settings)


def test_the_command_writes_a_set_and_refuses_what_it_cannot(call, tmp_path):
    small = ("--videos", "1", "--steps", "2", "--seconds-min", ".5", "--seconds-max", ".6", "--size", "32")
    status, out, _ = call("dataset", "mocap-steps", tmp_path / "set", *small, "--order", "repeats", "--json")
    assert status == 0
    told = json.loads(out)
    assert told.keys() == {"data", "videos", "digest", "seconds"}
    assert (told["data"], told["videos"]) == (str(tmp_path / "set"), 1)
    assert (tmp_path / "set" / "groundTruth" / "P01_workout.txt").exists()
    status, out, _ = call("dataset", "mocap-steps", tmp_path / "other", "--steps", "20", "--json")
    assert status == 2
    assert "steps is 20" in json.loads(out)["error"]["message"]
    assert not (tmp_path / "other").exists()
    _, out, _ = call("dataset", "--help")
    assert all(f"  {name} " in out for name in ("mocap", "mocap-steps", "pydoc"))
