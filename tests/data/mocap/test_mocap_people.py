"""Mocap-people: who is seen where, what tells people apart, boxes, determinism, resuming, refusing."""

import csv
import io
import json
import shutil
from dataclasses import astuple, replace

import numpy as np
import pytest
from PIL import Image

from kinema.core.errors import ConfigError, DataError
from kinema.data.mocap import MocapConfig, rotations, write_mocap
from kinema.data.mocap.encode import frames_digest
from kinema.data.mocap.jpeg import read_note
from kinema.data.mocap.motions import JOINTS
from kinema.data.mocap.people import MOTIONS, MocapPeopleConfig, write_mocap_people
from kinema.data.mocap.people.film import AROUND, Crew, find_boxes
from kinema.data.mocap.people.looks import Bearing, draw_looks, dress_person
from kinema.data.mocap.people.plan import plan_sightings, plan_stations
from kinema.data.mocap.people.walking import Gait, draw_gait, perform_sighting

TINY = {"people": 2, "cameras": 2, "tracklets": 2, "frames": 3, "height": 48, "width": 32}
BODY = MocapPeopleConfig(identity="body", people=6)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("people") / "set"
    told = []
    config = MocapPeopleConfig(**TINY)
    summary = write_mocap_people(out, config, workers=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 8) for n in range(1, 9)]
    return summary


def files(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def angles(config, person):
    """Rotations of every joint from its parent in the person's first tracklet: radians, [F, J, 3]."""
    sighting = next(each for each in plan_sightings(config) if each.person == person)
    bearing = draw_looks(config, person).bearing
    return rotations.to_vector(perform_sighting(sighting, draw_gait(config, person), bearing, config).rotation)


def test_the_table_has_a_row_a_crop_and_the_card_says_what_there_is(whole):
    rows = list(csv.DictReader(io.StringIO((whole.out / "tracklets.csv").read_text())))
    assert tuple(rows[0]) == ("path", "identity", "camera", "tracklet", "frame", "fps", "split")
    assert [row["path"] for row in rows] == sorted(name for name in files(whole.out) if name.endswith(".jpg"))
    for row in rows:
        frame = int(row["frame"])
        assert row["path"] == f"{row['identity']}/{row['camera']}/{row['tracklet']}/{frame:04d}.jpg"
        with Image.open(whole.out / row["path"]) as crop:
            assert (crop.size, crop.mode) == ((32, 48), "RGB")
    assert {(row["identity"], row["camera"], row["tracklet"]) for row in rows} == {
        (person, camera, number)
        for person in ("p001", "p002")
        for camera in ("c1", "c2")
        for number in ("0001", "0002")
    }
    assert {row["identity"]: row["split"] for row in rows}.keys() == {"p001", "p002"}
    assert {row["split"] for row in rows} == {"train", "test"}
    card = json.loads((whole.out / "dataset.json").read_text())
    assert (card["name"], card["edition"], card["state"]) == ("mocap-people", 1, "complete")
    assert card["settings"] == MocapPeopleConfig(**TINY).record()
    assert card["counts"] == {"people": {"train": 1, "test": 1}, "cameras": 2, "tracklets": 8, "crops": 24}
    assert (whole.people, whole.tracklets, whole.crops, whole.digest) == (2, 8, 24, card["digest"])


def test_same_seed_same_files_whatever_the_workers_and_another_seed_differs(whole, tmp_path):
    again = write_mocap_people(tmp_path / "again", MocapPeopleConfig(**TINY), workers=1)
    assert files(again.out) == files(whole.out)
    first, other = (MocapPeopleConfig(**TINY | {"seed": seed}) for seed in (0, 1))
    crops = [Crew(config).film(plan_sightings(config)[0]) for config in (first, other)]
    assert [read_note(whole.out / "p001/c1/0001/0000.jpg").endswith(frames_digest(each)) for each in crops] == [
        True,
        False,
    ]


def test_a_partial_set_is_completed_to_the_same(whole, tmp_path):
    out = tmp_path / "partial"
    shutil.copytree(whole.out, out)
    (out / "tracklets.csv").unlink()
    (out / "p001/c1/0001/0001.jpg").unlink()
    cut = out / "p001/c2/0001/0002.jpg"
    cut.write_bytes(cut.read_bytes()[:-9])
    strange = out / "p002/c1/0001/0000.jpg"
    shutil.copyfile(out / "p002/c2/0001/0000.jpg", strange)  # whole, but another crop
    (out / "p002/c2/.0001.jpg.abc.part").write_bytes(b"half")
    kept = out / "p002/c2/0002/0001.jpg"
    before = kept.stat().st_mtime_ns
    assert write_mocap_people(out, MocapPeopleConfig(**TINY), workers=1).digest == whole.digest
    assert files(out) == files(whole.out)
    assert kept.stat().st_mtime_ns == before


def test_another_set_or_other_settings_are_refused(whole, tmp_path):
    with pytest.raises(DataError, match=r"other settings: shift 0\.0 instead of 0\.1"):
        write_mocap_people(whole.out, MocapPeopleConfig(**TINY | {"shift": 0.1}))
    with pytest.raises(DataError, match="not that of a Mocap-15"):
        write_mocap(whole.out, MocapConfig())
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty and holds no Mocap-people"):
        write_mocap_people(tmp_path, MocapPeopleConfig(**TINY))
    with pytest.raises(ConfigError, match="workers is 0"):
        write_mocap_people(tmp_path / "new", MocapPeopleConfig(**TINY), workers=0)


def test_half_of_the_people_are_held_out_and_more_people_leave_the_earlier_as_they_were():
    small, large = (plan_sightings(MocapPeopleConfig(people=people)) for people in (20, 60))
    assert small == large[: len(small)]
    split = {each.person: each.split for each in large}
    assert list(split.values()).count("train") == 30
    assert {split[person] for person in range(0, 60, 2)} == {"train", "test"}
    assert {each.person: each.split for each in plan_sightings(MocapPeopleConfig(seed=1))} != split
    for person in range(3):
        for config in (MocapPeopleConfig(people=20), MocapPeopleConfig(people=60)):
            assert draw_looks(config, person) == draw_looks(MocapPeopleConfig(), person)


def test_cameras_differ_in_side_height_detail_place_and_colour():
    stations = plan_stations(MocapPeopleConfig())
    for name in ("azimuth", "elevation", "detail"):
        assert len({getattr(each, name) for each in stations}) == 4
    sides = np.sort(np.rad2deg([each.azimuth for each in stations]) % 360)
    assert np.diff(sides, append=sides[0] + 360).min() > 40
    assert len({each.colours.tobytes() for each in stations}) == 4
    beside = plan_stations(MocapPeopleConfig(camera_range=0.0))
    assert {round(np.rad2deg(each.azimuth)) for each in beside} == {90}


def test_by_clothes_people_wear_their_own_and_have_one_build_and_gait():
    config = MocapPeopleConfig(people=12)
    looks = [draw_looks(config, person) for person in range(12)]
    assert len({(each.actor.top, each.actor.trousers) for each in looks}) == 12
    assert all(each.bearing == Bearing() and draw_gait(config, n) == Gait() for n, each in enumerate(looks))
    build = {(a.legs, a.arms, a.trunk, a.girth, a.shoulders, a.hips, a.head) for a in (each.actor for each in looks)}
    assert build == {(1.0,) * 7}
    for thing in ("band", "cap", "pack"):
        assert {getattr(each, thing) is None for each in looks} == {True, False}
    band = next(each for each in looks if each.band is not None and each.cap is None and each.pack is None)
    assert band.band in {shape.colour for shape in dress_person(band)}
    sleeves = next(each for each in looks if each.sleeves != each.actor.top)
    arms = {shape.colour for shape in dress_person(sleeves) if "shoulder" in JOINTS[shape.joint]}
    assert sleeves.sleeves in arms
    assert sleeves.actor.top not in arms


def test_by_body_all_wear_the_same_and_build_and_gait_can_be_told_apart():
    def worn(config):
        return [(a.skin, a.hair, a.top, a.trousers, a.shoes, a.short_sleeves, a.shorts) for a in actors(config)]

    def actors(config):
        return [draw_looks(config, person).actor for person in range(6)]

    def built(config):
        looks = [draw_looks(config, person) for person in range(6)]
        return {(*astuple(replace(each.actor, name="")), *astuple(each.bearing)) for each in looks}

    def gaits(config):
        return {draw_gait(config, person) for person in range(6)}

    moving, standing = replace(BODY, proportions=0.0), replace(BODY, gait=0.0)
    assert all(len(set(worn(config))) == 1 for config in (BODY, moving, standing))
    assert [len(built(config)) for config in (BODY, moving, standing)] == [6, 1, 6]
    assert [len(gaits(config)) for config in (BODY, moving, standing)] == [6, 6, 1]
    assert gaits(standing) == {Gait()}
    assert built(BODY) == built(standing)
    assert gaits(BODY) == gaits(moving)
    twice = draw_gait(replace(BODY, gait=2.0), 3)
    assert np.log(twice.tempo) == pytest.approx(2 * np.log(draw_gait(BODY, 3).tempo))


def test_a_gait_changes_how_joints_move_and_not_where_they_are_on_average():
    config = replace(BODY, proportions=0.0, frames=400, joint_noise=0.0, amplitude_range=0.0)
    plain = replace(config, identity="clothes")
    for person in range(3):
        own, usual = angles(config, person), angles(plain, person)
        gait = draw_gait(config, person)
        elbow = JOINTS.index("right_elbow")
        wider = np.ptp(own[:, elbow, 2]) / np.ptp(usual[:, elbow, 2])
        assert wider == pytest.approx(gait.amplitude("right_elbow"), rel=0.05)
        assert abs(gait.amplitude("right_elbow") - 1) > 0.05
        away = np.rad2deg(np.abs(own.mean(axis=0) - usual.mean(axis=0)))[1:]
        assert away.max() < 1.5
        # How often a leg swings in 40 s is the tempo.
        hip = own[:, JOINTS.index("left_hip"), 2]
        spectrum = np.abs(np.fft.rfft(hip - hip.mean()))
        assert np.argmax(spectrum) / 40 * 1.25 == pytest.approx(gait.tempo, rel=0.07)


def test_a_bearing_leans_bends_and_spreads():
    config = replace(BODY, gait=0.0, joint_noise=0.0)
    usual = angles(replace(config, identity="clothes"), 0)
    bearing = draw_looks(config, 0).bearing
    moved = np.rad2deg(angles(config, 0) - usual).mean(axis=0)
    assert np.rad2deg(bearing.lean) == pytest.approx(-moved[JOINTS.index("chest"), 2], abs=0.2)
    assert np.rad2deg(bearing.head) == pytest.approx(-moved[JOINTS.index("neck"), 2], abs=0.2)
    assert np.rad2deg(2 * bearing.feet) == pytest.approx(
        moved[JOINTS.index("left_hip"), 0] - moved[JOINTS.index("right_hip"), 0], abs=0.3
    )


def test_boxes_hold_the_whole_person_with_a_margin_in_the_shape_of_a_crop():
    cover = np.zeros((2, 100, 100), dtype=np.uint8)
    cover[0, 20:70, 45:55] = 255  # tall
    cover[1, 40:60, 30:70] = 200  # wide: four times what a crop of this height would show
    config = MocapPeopleConfig()
    boxes = find_boxes(cover, config, np.random.default_rng(0))
    tall = 50 * (1 + 2 * AROUND)
    assert boxes[0] == pytest.approx([50 - tall / 4, 45 - tall / 2, 50 + tall / 4, 45 + tall / 2])
    assert boxes[1] == pytest.approx([50 - 20 * 1.12, 50 - 40 * 1.12, 50 + 20 * 1.12, 50 + 40 * 1.12])


def test_a_shift_displaces_and_scales_boxes_by_so_much_at_most():
    cover = np.zeros((400, 200, 200), dtype=np.uint8)
    cover[:, 70:130, 95:105] = 255
    plain = find_boxes(cover, MocapPeopleConfig(), np.random.default_rng(0))
    boxes = find_boxes(cover, MocapPeopleConfig(shift=0.2), np.random.default_rng(0))
    size = plain[0, 2:] - plain[0, :2]
    middle = 0.5 * (boxes[:, :2] + boxes[:, 2:]) - 0.5 * (plain[:, :2] + plain[:, 2:])
    assert np.abs(middle / size).max(axis=0) == pytest.approx([0.2, 0.2], abs=0.01)
    larger = (boxes[:, 2:] - boxes[:, :2]) / size
    assert larger.max() == pytest.approx(1.2, abs=0.01)
    assert larger.min() == pytest.approx(1 / 1.2, abs=0.01)
    assert boxes.min() >= 0


@pytest.mark.parametrize("settings", [{}, {"identity": "body", "proportions": 2.0, "gait": 2.0}, {"motions": MOTIONS}])
def test_nobody_is_cut_off_whatever_they_do(settings, monkeypatch):
    config = MocapPeopleConfig(people=3, cameras=3, frames=6, height=64, width=32, shift=0.0, **settings)
    seen = []

    def boxes_of(cover, *given):
        boxes = find_boxes(cover, *given)
        seen.append((cover, boxes))
        return boxes

    monkeypatch.setattr("kinema.data.mocap.people.film.find_boxes", boxes_of)
    crew = Crew(config)
    for sighting in plan_sightings(config):
        crops = crew.film(sighting)
        assert crops.shape == (6, 64, 32, 3)
    for cover, boxes in seen:
        edge = np.concatenate([cover[:, [0, -1]].ravel(), cover[:, :, [0, -1]].ravel()])
        assert edge.max() == 0
        for frame, (left, top, right, bottom) in zip(cover > 127, boxes, strict=True):
            y, x = np.nonzero(frame)
            assert left < x.min() < x.max() + 1 < right
            assert top < y.min() < y.max() + 1 < bottom


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"people": 1}, "mocap_people.people is 1; it must be between 2 and 9999"),
        ({"cameras": 0}, "mocap_people.cameras is 0"),
        ({"tracklets": 0}, "mocap_people.tracklets is 0"),
        ({"frames": 1}, "frames is 1"),
        ({"identity": "face"}, "identity is 'face'; it must be one of clothes, body"),
        ({"gait": 2.1}, "mocap_people.gait is 2.1"),
        ({"proportions": float("nan")}, "mocap_people.proportions is nan"),
        ({"identity": "body", "proportions": 0.0, "gait": 0.0}, "nothing tells people apart who wear the same"),
        ({"shift": 0.6}, "mocap_people.shift is 0.6; it must be between 0.0 and 0.5"),
        ({"camera_range": 400.0}, "mocap_people.camera_range is 400.0"),
        ({"motions": ()}, "motions is "),
        ({"motions": ("walk", "walk")}, "each once"),
        ({"motions": ("getup_faceup",)}, "motions is .'getup_faceup'"),
        ({"height": 16}, "mocap_people.height is 16"),
        ({"width": 1024}, "mocap_people.width is 1024"),
        ({"frames": 10000}, "8192 frames is the most"),
        ({"seed": -1}, "seed is -1"),
        ({"joint_noise": 99.0}, "joint_noise is 99.0"),
    ],
)
def test_settings_that_no_set_could_have_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        MocapPeopleConfig(**settings)


def test_the_command_writes_a_set_and_refuses_what_it_cannot(call, tmp_path):
    small = (
        "--people",
        "2",
        "--cameras",
        "1",
        "--tracklets",
        "1",
        "--frames",
        "2",
        "--height",
        "32",
        "--width",
        "32",
        "--workers",
        "1",
    )
    asked = (*small, "--identity", "body", "--motions", "walk", "run")
    status, out, _ = call("dataset", "mocap-people", tmp_path / "set", *asked, "--json")
    assert status == 0
    told = json.loads(out)
    assert told.keys() == {"data", "people", "tracklets", "crops", "digest", "seconds"}
    assert (told["data"], told["people"], told["tracklets"], told["crops"]) == (str(tmp_path / "set"), 2, 2, 4)
    name = "p002/c1/0001/0001.jpg"
    assert read_note(tmp_path / "set" / name).startswith(f"{name} ")
    status, out, _ = call("dataset", "mocap-people", tmp_path / "set", *asked)
    assert out.startswith("2 people, 2 tracklets, 4 crops in ")
    status, out, _ = call("dataset", "mocap-people", tmp_path / "other", "--people", "1", "--json")
    assert status == 2
    assert "people is 1" in json.loads(out)["error"]["message"]
    assert not (tmp_path / "other").exists()
