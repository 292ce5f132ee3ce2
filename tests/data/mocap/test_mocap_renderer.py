"""What the renderer draws, against plain geometry: place, depth, masks, edges, sizes, and the same bytes every time."""

import ast
import hashlib
import platform

import numpy as np
import pytest
from rooms import SOURCE, parsed

from kinema.core.errors import ShapeError
from kinema.data.mocap import MocapConfig
from kinema.data.mocap.body import draw_actor, pose_body
from kinema.data.mocap.camera import FIELD_OF_VIEW, Camera, frame_shot
from kinema.data.mocap.performance import perform
from kinema.data.mocap.renderer import compose, draw
from kinema.data.mocap.rotations import from_vector
from kinema.data.mocap.scenes import paint_scene
from kinema.data.mocap.shapes import Body, Box, Capsule, ellipsoid

SIZE = 128
RED, GREEN, BLUE = (0.9, 0.1, 0.1), (0.1, 0.9, 0.1), (0.1, 0.1, 0.9)


def camera(eye=(0.0, 1.0, 5.0), target=(0.0, 1.0, 0.0), frames=1):
    return Camera(np.tile(np.array(eye), (frames, 1)), np.tile(np.array(target), (frames, 1)))


def body(*shapes, at=(0.0, 1.0, 0.0), turn=(0.0, 0.0, 0.0), frames=1):
    position = np.tile(np.array(at), (frames, 1, 1))
    return Body(shapes, position, np.tile(from_vector(np.array(turn)), (frames, 1, 1)), position)


def ball(radius, colour=RED, at=(0.0, 1.0, 0.0)):
    return body(Capsule(0, (0, 0, 0), (0, 0, 0), radius, radius, colour), at=at)


def extent(cover):
    """Left, top, right and bottom of what covers half a pixel or more, pixels."""
    rows, columns = np.nonzero(cover > 127)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def person(label, seed=0, at=(0.0, 0.0, 0.0), size=96, frames=8):
    """A posed person, moved by ``at``, and the shot of them."""
    config, rng = MocapConfig(size=size, frames=frames), np.random.default_rng(seed)
    actor, motion = draw_actor(seed, "train", 0, 0.9), perform(label, config, rng)
    posed = pose_body(motion, actor)
    moved = Body(posed.shapes, posed.position + at, posed.rotation, posed.points + at)
    return moved, frame_shot(moved.points, config, rng)


@pytest.mark.parametrize("at", [(0.0, 1.0, 0.0), (0.5, 1.5, -0.8), (-0.4, 0.6, 0.7)])
@pytest.mark.parametrize("eye", [(0.0, 1.0, 5.0), (4.0, 3.0, 3.0)])
def test_a_ball_is_where_the_camera_projects_it(at, eye):
    view, radius = camera(eye), 0.2
    drawn = draw([ball(radius, at=at)], view, SIZE)
    x, y, depth = (each[0, 0] for each in view.project(np.array([[at]]), SIZE))
    covered = drawn.cover[0] / 255.0
    middle = np.arange(SIZE) + 0.5
    assert covered.sum(axis=0) @ middle / covered.sum() == pytest.approx(x, abs=0.3)
    assert covered.sum(axis=1) @ middle / covered.sum() == pytest.approx(y, abs=0.3)
    half = 0.5 * SIZE / np.tan(np.deg2rad(FIELD_OF_VIEW / 2)) * radius / depth
    assert covered.sum() == pytest.approx(np.pi * half**2, rel=0.07)  # a little more off the middle, where it is oval


def test_a_camera_projects_its_target_into_the_middle_and_up_is_up():
    view = camera((3.0, 2.0, 3.0), (0.0, 1.0, 0.0))
    x, y, depth = view.project(np.array([[[0.0, 1.0, 0.0], [0.0, 1.3, 0.0]]]), SIZE)
    assert np.allclose((x[0, 0], y[0, 0]), SIZE / 2)
    assert depth[0, 0] == pytest.approx(np.sqrt(19))
    assert y[0, 1] < y[0, 0]
    assert x[0, 1] == pytest.approx(SIZE / 2)


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.0, 0.0, 1.2), (1.0, 0.3, 0.0), (1.4, 0.0, 0.0), (-1.5, 0.0, 0.4)])
@pytest.mark.parametrize("end", [0.12, 0.05])
def test_a_capsule_covers_what_its_balls_cover(turn, end):
    """Against many balls along the axis, each drawn as a ball: the outline by each alone, the light by all of them."""
    start, stop, radius, size = np.array([0.0, -0.3, 0.0]), np.array([0.05, 0.3, 0.0]), 0.12, 2 * SIZE
    whole = draw([body(Capsule(0, tuple(start), tuple(stop), radius, end, RED), turn=turn)], camera(), size)
    chain = [
        Capsule(0, tuple(c), tuple(c), r, r, RED)
        for c, r in ((start + h * (stop - start), radius + h * (end - radius)) for h in np.linspace(0, 1, 80))
    ]
    outline = np.max([draw([body(each, turn=turn)], camera(), size).cover for each in chain], axis=0)
    apart = np.abs(whole.cover.astype(int) - outline)
    assert (whole.cover > 127).sum() > 400
    assert (apart > 100).sum() < 0.02 * (whole.cover > 127).sum()
    balls = draw([body(*chain, turn=turn)], camera(), size)
    inside = (whole.cover == 255) & (outline == 255)
    difference = np.abs(whole.colour[inside].astype(int) - balls.colour[inside])
    assert np.median(difference) <= 2  # lit alike: the normals agree
    assert np.quantile(difference, 0.95) <= 16  # between two balls is a groove


def test_an_ellipsoid_is_as_long_as_its_half_axes_whichever_way_it_is_turned():
    scale = Camera.focal(SIZE) / 5.0
    for turn, (across, down) in (
        ((0, 0, 0), (0.2, 0.4)),
        ((0, 0, np.pi / 2), (0.4, 0.2)),
        ((0, np.pi / 2, 0), (0.1, 0.4)),
    ):
        drawn = draw([body(ellipsoid(0, (0, 0, 0), (0.2, 0.4, 0.1), RED), turn=turn)], camera(), SIZE)
        left, top, right, bottom = extent(drawn.cover[0])
        assert (right - left) / 2 == pytest.approx(across * scale, abs=1.0)
        assert (bottom - top) / 2 == pytest.approx(down * scale, abs=1.0)
        assert drawn.cover.sum() / 255 == pytest.approx(np.pi * across * down * scale**2, rel=0.03)


def test_a_box_is_as_wide_as_its_sides_and_shows_three_of_them_from_a_corner():
    scale = Camera.focal(SIZE) / 5.0
    front = draw([body(Box(0, (0, 0, 0), (0.3, 0.2, 0.1), RED))], camera(), SIZE)
    left, top, right, bottom = extent(front.cover[0])
    assert (right - left) / 2 == pytest.approx(0.3 * scale, abs=1.0)
    assert (bottom - top) / 2 == pytest.approx(0.2 * scale, abs=1.0)
    # Along the diagonal a cube is a hexagon of the area of its silhouette, the square root of 3 times a side's.
    cube = draw([body(Box(0, (0, 0, 0), (0.2, 0.2, 0.2), RED))], camera((2.9, 3.9, 2.9)), SIZE)
    assert cube.cover.sum() / 255 == pytest.approx(np.sqrt(3) * 0.4**2 * scale**2, rel=0.03)
    shades = np.unique(cube.colour[cube.cover == 255][:, 0], return_counts=True)
    assert (shades[1] > 0.2 * shades[1].sum()).sum() == 3


def test_the_nearer_covers_the_farther_in_whatever_order_they_are_given():
    near, far = ball(0.2, RED, (0.0, 1.0, 0.6)), ball(0.3, GREEN, (0.05, 1.0, -0.6))
    for bodies in ([near, far], [far, near]):
        drawn = draw(bodies, camera(), SIZE)
        red, green = drawn.mask(0 if bodies[0] is near else 1), drawn.mask(1 if bodies[0] is near else 0)
        alone = draw([near], camera(), SIZE)
        assert (red >= alone.mask(0)).all()
        assert (red & ~alone.mask(0)).sum() <= 4  # where two edges share a pixel
        assert green.any()
        assert not (red & green).any()
        middle = drawn.colour[0, SIZE // 2, SIZE // 2].astype(int)
        assert middle[0] > 2 * middle[1]
        assert np.array_equal(drawn.owner > 0, drawn.cover > 127)


def test_shapes_that_pass_through_one_another_meet_where_they_are_equally_deep():
    """Two tilted plates that cross at x = 0: the left of one and the right of the other is seen, softly."""
    plates = [
        body(Box(0, (0, 0, 0), (0.6, 0.4, 0.01), colour), turn=(0.0, angle, 0.0))
        for colour, angle in ((RED, 0.6), (BLUE, -0.6))
    ]
    drawn = draw(plates, camera(), SIZE)
    row = drawn.owner[0, SIZE // 2]
    seen = row[row > 0]
    assert len(seen) > 40
    changes = np.flatnonzero(np.diff(seen.astype(int)))
    assert len(changes) == 1
    assert changes[0] + 1 == pytest.approx(len(seen) / 2, abs=1.0)
    first = draw(plates[:1], camera(), SIZE)
    assert (first.owner > 0).sum() > (drawn.owner == 1).sum() > 0.4 * (first.owner > 0).sum()


def test_masks_of_two_people_follow_their_depth():
    one, shot = person("walk", seed=1, frames=4)
    _, _, back = shot.camera.axes()
    step = back * [1.0, 0.0, 1.0] * 1.0
    front = Body(one.shapes, one.position + step[:, None], one.rotation, one.points + step[:, None])
    behind = Body(one.shapes, one.position - step[:, None], one.rotation, one.points - step[:, None])
    for nearer, order in enumerate([(front, behind), (behind, front)]):
        both = draw(order, shot.camera, 96)
        alone = [draw([each], shot.camera, 96).mask(0) for each in order]
        shared = alone[0] & alone[1]
        assert shared.sum() > 200
        assert both.mask(nearer)[shared].mean() > 0.99
        assert (both.mask(nearer) != alone[nearer]).sum() < 0.02 * alone[nearer].sum()  # edges that share a pixel
        assert not (both.mask(0) & both.mask(1)).any()
        assert both.mask(1 - nearer).sum() > 100
        assert both.shadow.max() >= draw([front], shot.camera, 96).shadow.max()


def test_edges_are_soft_and_whole_inside():
    drawn = draw([ball(0.3, at=(0.013, 1.007, 0.0))], camera(), SIZE)
    cover = drawn.cover[0]
    row = cover[SIZE // 2]
    assert ((cover > 0) & (cover < 255)).sum() > 40
    edge = np.flatnonzero((row > 0) & (row < 255))
    assert 1 <= len(edge) <= 4
    left, _, right, _ = extent(cover)
    assert (row[left + 1 : right - 1] == 255).all()
    levels = np.unique(cover[(cover > 0) & (cover < 255)])
    assert len(levels) > 20  # not one or two steps
    assert (drawn.colour <= drawn.cover[..., None]).all()  # colours are multiplied by it


@pytest.mark.parametrize("label", ["kick", "getup_facedown"])
def test_twice_the_size_shrunk_is_the_same_picture(label):
    one, shot = person(label, seed=2)
    small, large = (draw([one], shot.camera, size) for size in (128, 256))
    halved = large.cover.reshape(8, 128, 2, 128, 2).mean(axis=(2, 4))
    assert np.abs(halved - small.cover).mean() < 0.8
    assert (np.abs(halved - small.cover) > 40).mean() < 0.002
    colour = large.colour.reshape(8, 128, 2, 128, 2, 3).mean(axis=(2, 4))
    seen = small.cover > 0
    assert np.abs(colour - small.colour)[seen].mean() < 4.0


def test_a_body_beside_the_picture_or_behind_the_camera_is_not_seen():
    for at in ((9.0, 1.0, 0.0), (0.0, 1.0, 9.0), (0.0, 1.0, 5.0)):
        drawn = draw([ball(0.3, at=at)], camera(), SIZE)
        assert not drawn.cover.any()
        assert not drawn.owner.any()
    half = draw([ball(0.3, at=(1.34, 1.0, 0.0))], camera(), SIZE)  # cut by the right side of the picture
    assert 0 < (half.owner > 0).sum() < (draw([ball(0.3)], camera(), SIZE).owner > 0).sum() * 0.7


def test_light_comes_from_above_and_a_shadow_is_under_the_body():
    drawn = draw([ball(0.3)], camera(), SIZE)
    _, top, _, bottom = extent(drawn.cover[0])
    column = drawn.colour[0, :, SIZE // 2, 0].astype(int)
    assert column[top + 3] > column[bottom - 4] + 20
    one, shot = person("walk", seed=3)
    shadow = draw([one], shot.camera, 96).shadow
    rows = shadow[0].sum(axis=1)
    lowest = np.nonzero(draw([one], shot.camera, 96).owner[0].any(axis=1))[0].max()
    assert abs(int(rows.argmax()) - int(lowest)) < 12
    assert 0 < shadow.max() <= 90


def test_composed_pictures_are_body_inside_scene_outside_and_darker_in_the_shadow():
    one, shot = person("punch", seed=4)
    scene = paint_scene(0, "train", 3, "x", 0, size=96, clutter=0.0, contrast=0.5)
    drawn = draw([one], shot.camera, 96)
    picture = compose(drawn, scene, shot)
    empty = scene.view(shot.pan[:, 0], shot.pan[:, 1], 96)
    full, none = drawn.cover == 255, drawn.cover == 0
    assert np.array_equal(picture[full], drawn.colour[full])
    bare = none & (drawn.shadow == 0)
    assert bare.sum() > 1000
    assert np.array_equal(picture[bare], empty[bare])
    dark = none & (drawn.shadow > 40)
    expected = empty[dark] * (1.0 - drawn.shadow[dark][:, None] / 255.0)
    assert np.abs(picture[dark] - expected).max() <= 2.0
    edge = (drawn.cover > 0) & (drawn.cover < 255)
    share = drawn.cover[edge][:, None] / 255.0
    mixed = drawn.colour[edge] + empty[edge] * (1.0 - share) * (1.0 - drawn.shadow[edge][:, None] / 255.0)
    assert np.abs(picture[edge] - mixed).max() <= 2.0


@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="the bytes are promised on x86-64 alone"
)
def test_a_golden_digest_of_drawn_frames():
    state = hashlib.blake2b(digest_size=16)
    for number, label in enumerate(("backflip", "crawl", "dance_b", "spinkick")):
        one, shot = person(label, seed=number, size=64)
        other, _ = person("walk", seed=9, at=(0.3, 0.0, 0.5), size=64)
        drawn = draw([one, other], shot.camera, 64)
        for array in (drawn.colour, drawn.cover, drawn.owner, drawn.shadow):
            state.update(array.tobytes())
    assert state.hexdigest() == "c23d6fb110313333fcf3c8e9e402be0e"


def test_too_many_bodies_and_other_numbers_of_frames_are_refused():
    with pytest.raises(ShapeError, match=r"256 bodies .* 255 at most"):
        draw([ball(0.1)] * 256, camera(), 32)
    with pytest.raises(ShapeError, match="Body 1 has 3 frames and the camera has 2"):
        draw([body(frames=2), body(frames=3)], camera(frames=2), 32)
    assert not draw([], camera(), 32).cover.any()


def test_no_module_of_kinema_imports_pybullet():
    imported = {
        name.partition(".")[0]
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([each.name for each in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert "numpy" in imported
    assert not {name for name in imported if name.startswith("pybullet")}
