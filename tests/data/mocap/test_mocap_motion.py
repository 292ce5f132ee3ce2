"""Rotations, motions and bodies of Mocap-15 against scipy, plain geometry and, where it is installed, PyBullet."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from kinema.core.errors import DataError
from kinema.data.mocap import CLASSES, MocapConfig, motions, rotations
from kinema.data.mocap.body import POINTS, draw_actor, place_points
from kinema.data.mocap.camera import frame_shot
from kinema.data.mocap.motions import HINGES, JOINTS, MOTIONS_FILE, Motion, load_motion, read_rows, unroll
from kinema.data.mocap.performance import disturb, exaggerate, perform


def quaternions(count, seed=0):
    return rotations.normalise(np.random.default_rng(seed).normal(size=(count, 4)))


def as_scipy(q):
    return Rotation.from_quat(q, scalar_first=True)


@pytest.mark.parametrize("label", CLASSES)
def test_motions_are_those_of_pybullet_to_the_last_decimal(label):
    spec = importlib.util.find_spec("pybullet_data")
    if spec is None:
        pytest.skip("PyBullet is not installed, whose data holds the files that the motions were made from.")
    file = Path(spec.origin).parent / "data" / "motions" / f"humanoid3d_{label}.txt"
    assert np.array_equal(read_rows(label), np.array(json.loads(file.read_text())["Frames"]))


def test_motions_are_plain_numbers_and_small():
    with np.load(MOTIONS_FILE, allow_pickle=False) as held:
        assert set(held.files) == set(CLASSES)
        assert sum(len(held[label]) for label in CLASSES) == 1620
    assert MOTIONS_FILE.stat().st_size < 400_000
    for label in CLASSES:
        rows = read_rows(label)
        assert rows.shape[1] == 44
        assert (rows[:-1, 0] > 0).all()  # durations, of which the last frame has none
        assert np.allclose(np.linalg.norm(rows[:, 4:8], axis=-1), 1.0, atol=0.02)  # the root's rotation
        assert (rows[:, 2] > 0).all()  # nobody is under the ground


def test_a_broken_file_of_motions_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(motions, "MOTIONS_FILE", tmp_path / "motions.npz")
    with pytest.raises(DataError, match=r"motions\.npz'") as missing:
        read_rows("walk")
    assert "install kinema again" in missing.value.hint
    (tmp_path / "motions.npz").write_bytes(b"not an archive")
    with pytest.raises(DataError, match="cannot be read"):
        read_rows("walk")


def test_multiply_rotate_and_vectors_agree_with_scipy():
    a, b, v = quaternions(50, 1), quaternions(50, 2), np.random.default_rng(3).normal(size=(50, 3))
    product = as_scipy(a) * as_scipy(b)
    assert np.allclose(as_scipy(rotations.multiply(a, b)).as_matrix(), product.as_matrix())
    assert np.allclose(rotations.rotate(a, v), as_scipy(a).apply(v))
    assert np.allclose(rotations.to_vector(a), as_scipy(a).as_rotvec())
    assert np.allclose(as_scipy(rotations.from_vector(v)).as_matrix(), Rotation.from_rotvec(v).as_matrix())
    assert np.allclose(rotations.multiply(a, rotations.inverse(a)), [1, 0, 0, 0])


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_slerp_agrees_with_scipy(share):
    a, b = quaternions(40, 4), quaternions(40, 5)
    ours = rotations.slerp(a, b, np.array(share))
    for number in range(len(a)):
        theirs = Slerp([0, 1], as_scipy(np.stack([a[number], b[number]])))(share)
        assert np.allclose(as_scipy(ours[number]).as_matrix(), theirs.as_matrix(), atol=1e-9)


def test_matrices_agree_with_scipy():
    q = quaternions(30, 7)
    assert np.allclose(rotations.matrix(q), as_scipy(q).as_matrix())


def test_slerp_between_equal_rotations_stays():
    a = quaternions(5)
    assert np.allclose(np.abs(np.sum(rotations.slerp(a, -a, np.array(0.3)) * a, axis=-1)), 1.0)


def test_mean_of_opposite_turns_is_no_turn():
    turn = rotations.from_vector(np.array([[0.0, 0.4, 0.0], [0.0, -0.4, 0.0]]))
    turn[1] *= -1  # the same rotation, the other sign
    assert np.allclose(np.abs(rotations.mean(turn)), [1, 0, 0, 0])


def test_reflection_is_that_of_a_matrix():
    q, mirror = quaternions(20, 6), np.diag([1.0, 1.0, -1.0])
    assert np.allclose(as_scipy(rotations.reflect(q)).as_matrix(), mirror @ as_scipy(q).as_matrix() @ mirror)


@pytest.mark.parametrize("label", CLASSES)
def test_mirroring_shows_the_other_side_and_twice_is_once(label):
    motion, actor = load_motion(label), draw_actor(0, "train", 0, 0.5)
    mirrored = motion.mirrored()
    again = mirrored.mirrored()
    assert np.array_equal(again.rotation, motion.rotation)
    assert np.array_equal(again.position, motion.position)
    seen, shown = place_points(motion, actor), place_points(mirrored, actor)
    for name in ("hand", "toe"):
        right, left = POINTS.index(f"right_{name}"), POINTS.index(f"left_{name}")
        assert np.allclose(shown[:, left], seen[:, right] * [1, 1, -1])
        assert np.abs(seen[:, left] - seen[:, right] * [1, 1, -1]).max() > 0.01  # no motion is its own mirror image


@pytest.mark.parametrize("label", CLASSES)
def test_unrolled_motion_is_long_enough_and_never_jumps(label):
    motion = unroll(label, 4.0)
    if not label.startswith("getup"):
        assert motion.seconds >= 4.0
    turn = np.linalg.norm(
        rotations.to_vector(rotations.multiply(rotations.inverse(motion.rotation[:-1]), motion.rotation[1:])), axis=-1
    )
    assert np.rad2deg(turn.max()) < 35.0  # a sixtieth of a second; the fastest kick turns by about 20 degrees
    assert np.linalg.norm(np.diff(motion.position, axis=0), axis=-1).max() < 0.15


def test_a_repetition_goes_on_where_the_last_ended():
    walk = unroll("walk", 5.0)
    once = load_motion("walk")
    stride = np.linalg.norm((once.position[-1] - once.position[0])[[0, 2]])
    way = np.linalg.norm((walk.position[-1] - walk.position[0])[[0, 2]])
    assert way == pytest.approx(stride * walk.seconds / once.seconds, rel=0.02)


def test_at_interpolates_halfway():
    motion = load_motion("run")
    between = motion.at(np.array([0.5 / motion.rate]))
    assert np.allclose(between.position[0], motion.position[:2].mean(axis=0))
    expected = Slerp([0, 1], as_scipy(motion.rotation[:2, 3]))(0.5)
    assert np.allclose(as_scipy(between.rotation[0, 3]).as_matrix(), expected.as_matrix())


def test_hinges_turn_about_z_alone_even_when_disturbed():
    motion = disturb(exaggerate(load_motion("kick"), 1.2), 0.1, np.random.default_rng(0))
    for name in HINGES:
        assert np.allclose(motion.rotation[:, JOINTS.index(name), 1:3], 0.0, atol=1e-6)


def test_exaggeration_scales_the_angle_and_keeps_the_root():
    motion = load_motion("punch")
    larger, elbow = exaggerate(motion, 1.3), JOINTS.index("right_elbow")
    assert np.array_equal(larger.rotation[:, 0], motion.rotation[:, 0])
    bend = rotations.to_vector(motion.rotation[:, elbow])[:, 2]
    more = rotations.to_vector(larger.rotation[:, elbow])[:, 2]
    assert np.ptp(more) == pytest.approx(1.3 * np.ptp(bend), rel=1e-6)


def test_disturbance_has_the_strength_asked_for():
    still = Motion(np.zeros((4000, 3)), np.tile([1.0, 0, 0, 0], (4000, 13, 1)), 30.0)
    vectors = rotations.to_vector(disturb(still, 0.05, np.random.default_rng(1)).rotation)
    assert np.all(vectors[:, 0] == 0.0)
    assert vectors[:, 1].std() == pytest.approx(0.05, rel=0.2)


@pytest.mark.parametrize("follows", [True, False])
@pytest.mark.parametrize("label", CLASSES)
def test_the_figure_stays_in_the_frame(label, follows):
    config = MocapConfig(camera_motion=2.0, camera_follows=follows)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        points = place_points(perform(label, config, rng), draw_actor(seed, "train", 0, 0.5))
        shot = frame_shot(points, config, rng)
        back = shot.camera.eye - shot.camera.target
        distance = np.linalg.norm(back, axis=-1, keepdims=True)
        right = np.cross([0.0, 1.0, 0.0], back)
        right /= np.linalg.norm(right, axis=-1, keepdims=True)
        up = np.cross(back / distance, right)
        depth = distance - np.einsum("fpi,fi->fp", points - shot.camera.target[:, None], back / distance)
        half = depth * np.tan(np.deg2rad(15.0))
        across = np.einsum("fpi,fi->fp", points - shot.camera.target[:, None], right) / half
        above = np.einsum("fpi,fi->fp", points - shot.camera.target[:, None], up) / half
        inside = (np.abs(across) < 1.0) & (np.abs(above) < 1.0)
        assert inside.mean() > 0.97
        assert max(np.abs(across).max(), np.abs(above).max()) > 0.6  # and fills it


def test_a_still_camera_pans_only_to_follow():
    config = MocapConfig(camera_motion=0.0)
    points = np.tile(np.random.default_rng(0).normal(size=(1, 18, 3)), (48, 1, 1))
    shot = frame_shot(points, config, np.random.default_rng(1))
    assert np.allclose(shot.pan, 0.0, atol=1e-9)
    moving = points + np.linspace(0, 2, 48)[:, None, None] * [0.0, 0.0, 1.0]
    ahead = frame_shot(moving, dataclasses.replace(config, view_range=0.0), np.random.default_rng(1))
    assert np.abs(ahead.pan[-1, 0]) > 5.0


def test_a_camera_at_rest_moves_no_scene():
    config = MocapConfig(camera_motion=0.0, camera_follows=False)
    points = np.random.default_rng(0).normal(size=(48, 18, 3)) + np.linspace(0, 5, 48)[:, None, None]
    shot = frame_shot(points, config, np.random.default_rng(1))
    assert not shot.pan.any()
    assert (shot.camera.eye == shot.camera.eye[0]).all()
    assert "camera_follows" in config.record()
    assert (
        "camera_follows" not in MocapConfig().record()
    )  # the settings of sets that were made before there was a choice


def test_joints_are_where_pybullet_puts_them(tmp_path):
    """Our forward kinematics against PyBullet's, in a process of its own because PyBullet prints to standard output."""
    script = """
import sys, numpy as np, pybullet as b
from kinema.data.mocap.body import PARENTS, draw_actor, offsets, place_points, root_position
from kinema.data.mocap.motions import HINGES, JOINTS, load_motion
b.connect(b.DIRECT)
actor, motion = draw_actor(3, "test", 1, 0.5), load_motion("cartwheel")
inertia = '<inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/>'
links = [f'<link name="{name}"><inertial><mass value="1"/>{inertia}</inertial></link>' for name in JOINTS]
for n, (x, y, z) in enumerate(offsets(actor)[1:], start=1):
    kind = "continuous" if JOINTS[n] in HINGES else "spherical"
    links.append(
        f'<joint name="{JOINTS[n]}" type="{kind}"><parent link="{JOINTS[PARENTS[n]]}"/><child link="{JOINTS[n]}"/>'
        f'<origin xyz="{x:.6f} {y:.6f} {z:.6f}"/><axis xyz="0 0 1"/></joint>'
    )
open(sys.argv[1], "w").write(f'<robot name="actor">{"".join(links)}</robot>')
figure = b.loadURDF(sys.argv[1], useFixedBase=True, flags=b.URDF_MAINTAIN_LINK_ORDER)
worst, points, root = 0.0, place_points(motion, actor), root_position(motion, actor)
for t in (0, 40, 80):
    q = motion.rotation[t]
    b.resetBasePositionAndOrientation(figure, root[t].tolist(), np.roll(q[0], -1).tolist())
    for j, name in enumerate(JOINTS[1:], start=1):
        assert b.getJointInfo(figure, j - 1)[1].decode() == name
        if name in HINGES:
            b.resetJointState(figure, j - 1, float(2 * np.arctan2(q[j, 3], q[j, 0])))
        else:
            b.resetJointStateMultiDof(figure, j - 1, np.roll(q[j], -1).tolist())
    for j in range(1, len(JOINTS)):
        where = b.getLinkState(figure, j - 1, computeForwardKinematics=True)[4]
        worst = max(worst, float(np.abs(points[t, j] - where).max()))
print("worst", worst, file=sys.stderr)
sys.exit(0 if worst < 1e-4 else 1)
"""
    pytest.importorskip("pybullet")
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "actor.urdf")], env=os.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
