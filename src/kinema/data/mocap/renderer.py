"""Draws bodies, seen by a camera, with NumPy alone.

Every shape is drawn within its own rectangle of the picture, for a number of frames at once. Where a ray meets a shape
is computed in closed form, in the space in which the shape is not stretched and along the ray through its middle:
within a shape the rays count as parallel. Edges are soft: how much of a pixel a shape covers follows from the distance
to its outline, and where two shapes pass through one another the nearer one takes over within a pixel.

Per pixel there is nothing but sums, products, quotients and square roots, which every processor rounds alike, of
numbers that were rounded before; so equal bodies give equal pictures, byte for byte. Only the shadow on the ground has
an exponential.

Axes: F frames, N shapes, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ShapeError
from kinema.data.mocap import rotations
from kinema.data.mocap.camera import Camera, Shot
from kinema.data.mocap.rotations import Array
from kinema.data.mocap.scenes import Scene
from kinema.data.mocap.shapes import Body, Box, Capsule

_KEY, _FILL = (-0.48, 0.74, 0.47), (0.78, 0.18, 0.60)
"""Where the two lights are: to the right of the camera, up, and from the person towards it, all level but ``up``."""

_AMBIENT, _SKY, _FACING, _KEY_POWER, _FILL_POWER = 0.37, 0.09, 0.16, 0.50, 0.17
"""Brightness of what no light reaches; then what is added by facing up, the camera, the first and the second light."""

_DARKEST = 90
"""Of 255: how dark a shadow on the ground is in its middle."""

_NEAR = 0.1
"""Metres from the camera; what is nearer is not drawn."""

_NOWHERE = 1e9
"""The depth of a pixel in which nothing is."""

_BATCH = 1 << 19
"""Pixels of the frames that are drawn at a time: 24 bytes each, 12 MB in all."""

_RED, _GREEN, _BLUE, _COVER, _DEPTH, _OWNER = range(6)

_MOST = 255
"""Bodies in a picture: as many as the numbers of a byte, but for 0."""

_SPECK = 4
"""Pixels, with a pixel of room on every side; what is never wider is not drawn."""

_HALF = np.float32(0.5)

Pixels: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class Drawing:
    """Bodies before they are set into a scene.

    Args:
        colour: uint8 [F, H, W, 3], already multiplied by how much of the pixel is covered.
        cover: uint8 [F, H, W], how much of the pixel is covered, of 255.
        owner: uint8 [F, H, W], whose pixel it is: 1 for the first body, 2 for the second; 0 where half of the pixel or
            more is free. A pixel is that of the nearest body of those that cover more than half of it; where only
            several together do, of one of them.
        shadow: uint8 [F, H, W], how dark the ground is, of 255.
    """

    colour: NDArray[np.uint8]
    cover: NDArray[np.uint8]
    owner: NDArray[np.uint8]
    shadow: NDArray[np.uint8]

    def mask(self, number: int) -> NDArray[np.bool_]:
        """Bool [F, H, W]: where the body of that number, from 0, is seen."""
        seen: NDArray[np.bool_] = self.owner == number + 1
        return seen


def draw(bodies: Sequence[Body], camera: Camera, size: int) -> Drawing:
    """The bodies as the camera sees them.

    Args:
        bodies: at most 255, of as many frames as the camera.
        camera: where it is seen from.
        size: pixels, width and height.

    Raises:
        ShapeError: more bodies than that, or one of another number of frames; the message names it.
    """
    frames = len(camera.eye)
    if len(bodies) > _MOST:
        raise ShapeError(f"{len(bodies)} bodies are to be drawn into one picture; there can be {_MOST} at most.")
    for number, body in enumerate(bodies):
        if len(body.position) != frames:
            raise ShapeError(
                f"Body {number} has {len(body.position)} frames and the camera has {frames}; they must be as many."
            )
    colour = np.empty((frames, size, size, 3), dtype=np.uint8)
    cover, owner = (np.empty((frames, size, size), dtype=np.uint8) for _ in range(2))
    parts = [part for number, body in enumerate(bodies) for part in _parts(body, number + 1, camera, size)]
    batch = max(1, _BATCH // size**2)
    for first in range(0, frames, batch):
        some = slice(first, first + batch)
        canvas = np.zeros((6, len(colour[some]), size, size), dtype=np.float32)
        canvas[_DEPTH] = _NOWHERE
        # From far to near: where two edges share a pixel the order counts.
        for part in sorted((part.of(some) for part in parts), key=lambda part: -part.distance.sum()):
            part.draw(canvas)
        for channel in (_RED, _GREEN, _BLUE):
            colour[some, :, :, channel] = _bytes(canvas[channel])
        cover[some], owner[some] = _bytes(canvas[_COVER]), canvas[_OWNER]
    return Drawing(colour, cover, owner, shadows(bodies, camera, size))


def _bytes(share: Pixels) -> NDArray[np.uint8]:
    level: NDArray[np.uint8] = np.minimum(share * np.float32(255.0) + np.float32(0.5), np.float32(255.0)).astype(
        np.uint8
    )
    return level


def shadows(bodies: Sequence[Body], camera: Camera, size: int) -> NDArray[np.uint8]:
    """A soft shadow on the ground under every body: how dark it is, of 255; uint8 [F, H, W]."""
    right, _, _ = camera.axes()
    grid = np.arange(size) + 0.5
    light = np.ones((len(camera.eye), size, size), dtype=np.float32)
    for body in bodies:
        low, high = body.points.min(axis=1), body.points.max(axis=1)
        under = 0.5 * (low + high) * [1.0, 0.0, 1.0]
        x, y, depth = camera.project(under[:, None], size)
        width = 0.5 * np.abs((high - low) * right).sum(axis=-1)
        seen = depth > _NEAR
        half = camera.focal(size) * np.maximum(width, 0.2)[:, None] / np.where(seen, depth, 1.0)
        x, y, half = (_rounded(np.where(seen, each, -1e6), 10) for each in (x, y, half))
        across = np.exp(-0.5 * ((grid - x) / (0.75 * half)) ** 2).astype(np.float32)
        down = np.exp(-0.5 * ((grid - y) / (0.2 * half)) ** 2).astype(np.float32)
        light *= 1.0 - np.float32(_DARKEST / 255) * down[:, :, None] * across[:, None, :]
    return _bytes(1.0 - light)


def compose(drawing: Drawing, scene: Scene, shot: Shot) -> NDArray[np.uint8]:
    """The bodies in the scene, with their shadows: uint8 [F, H, W, 3]. All in whole numbers."""
    frames = scene.view(shot.pan[:, 0], shot.pan[:, 1], drawing.cover.shape[1])
    for frame, colour, cover, shadow in zip(frames, drawing.colour, drawing.cover, drawing.shadow, strict=True):
        through = np.multiply(255 - shadow, 255 - cover, dtype=np.uint16)
        rows = np.flatnonzero((through < 255 * 255).any(axis=1))
        if not len(rows):
            continue
        band = slice(rows[0], rows[-1] + 1)
        # Of 256, so that dividing is a shift; 255 * 256 is the most that two bytes have to hold.
        share = ((through[band].astype(np.uint32) * 256 + 32512) // 65025).astype(np.uint16)
        behind = (frame[band] * share[:, :, None] + np.uint16(128)) >> 8
        frame[band] = np.minimum(behind + colour[band], 255)
    return frames


def _rounded(values: Array, digits: int) -> Array:
    """To so many binary digits after the point: what differs in the last place on two machines is then equal."""
    scale = float(1 << digits)
    return np.rint(values * scale) / scale


def _dot(a: Array, b: Array) -> Array:
    """The products of vectors ``[..., 3]``, summed in a fixed order."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def _cross(a: Array, b: Array) -> Array:
    ax, ay, az = np.moveaxis(a, -1, 0)
    bx, by, bz = np.moveaxis(b, -1, 0)
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


@dataclass(frozen=True)
class _Part:
    """A shape as the camera sees it in some frames.

    Numbers of a frame are float32 [F, 1, 1], or [n, F, 1, 1] where there are n of them, to go with pixels.

    Args:
        owner: the number of its body, from 1.
        colour: red, green, blue.
        x: its middle in the picture, pixels; float64 [F].
        y: likewise, downwards.
        distance: metres from the camera to its middle, float64 [F].
        bounds: the smallest x and y and the largest that it reaches, int64 [F, 4]; empty where it is not seen.
        depth: the distance again, to go with pixels.
        scale: pixels a metre there.
    """

    owner: int
    colour: tuple[float, float, float]
    x: Array
    y: Array
    distance: Array
    bounds: NDArray[np.int64]
    depth: Pixels
    scale: Pixels

    def of(self, some: slice) -> _Part:
        """The same in some of the frames."""
        return type(self)(**{each.name: _cut(getattr(self, each.name), some) for each in fields(self)})

    def draw(self, canvas: Pixels) -> None:
        """Draws it over, under or through what is on the canvas, float32 [6, F, H, W]."""
        frames, size = canvas.shape[1:3]
        wide, tall = (int(n) for n in (self.bounds[:, 2:] - self.bounds[:, :2]).max(axis=0))
        if wide <= 0 or tall <= 0:
            return
        left, top = np.minimum(self.bounds[:, 0], size - wide), np.minimum(self.bounds[:, 1], size - tall)
        x = (left[:, None] + (np.arange(wide) + 0.5) - self.x[:, None]).astype(np.float32)[:, None, :]
        y = (top[:, None] + (np.arange(tall) + 0.5) - self.y[:, None]).astype(np.float32)[:, :, None]
        alpha, bright, depth = self.surface(x, y)
        below = np.empty((6, frames, tall, wide), dtype=np.float32)
        corners = list(enumerate(zip(left.tolist(), top.tolist(), strict=True)))
        for f, (u, v) in corners:
            below[:, f] = canvas[:, f, v : v + tall, u : u + wide]
        self._blend(below, alpha, bright, depth)
        for f, (u, v) in corners:
            canvas[:, f, v : v + tall, u : u + wide] = below[:, f]

    def surface(self, x: Pixels, y: Pixels) -> tuple[Pixels, Pixels, Pixels]:
        """What is seen at the pixels: how much of each is covered, how bright it is, and metres from the camera.

        Args:
            x: float32 [F, 1, W], pixels from the middle of the shape.
            y: float32 [F, H, 1], likewise.
        """
        raise NotImplementedError

    def _blend(self, below: Pixels, alpha: Pixels, bright: Pixels, depth: Pixels) -> None:
        """Sets the surface into the canvas' window ``below``."""
        nearer = below[_DEPTH] - depth
        front = nearer * self.scale
        front += _HALF
        np.minimum(np.maximum(front, 0.0, out=front), 1.0, out=front)
        front *= alpha
        keep = 1.0 - front
        put = alpha - front
        put *= 1.0 - below[_COVER]
        put += front
        cover = below[_COVER] * keep
        cover += put
        owned = (nearer > 0) & ((alpha > _HALF) | ((below[_COVER] <= _HALF) & (cover > _HALF)))
        below[_COVER] = cover
        np.copyto(below[_DEPTH], depth, where=owned)
        np.copyto(below[_OWNER], np.float32(self.owner), where=owned)
        put *= bright
        for channel, level in enumerate(self.colour):
            below[channel] *= keep
            below[channel] += put * np.float32(level)


def _cut(value: Any, some: slice) -> Any:
    """Some of the frames of what a :class:`_Part` holds; anything but arrays is left as it is."""
    if not isinstance(value, np.ndarray):
        return value
    return value[:, some] if value.ndim == 4 else value[some]


@dataclass(frozen=True)
class _CapsulePart(_Part):
    """A capsule in the space in which it is not stretched, metres.

    Its coordinates are ``t`` along the axis as the ray sees it, ``s`` across, and ``w`` towards the camera, from the
    centre of the thicker ball. There it is a chain of balls with centres ``h * (length, 0, rise)`` and radii ``radius +
    h * taper``, ``h`` from 0 to 1.

    Args:
        radius: at the thick end.
        taper: what is added to it at the thin end.
        is_ball: whether the axis is a point.
        is_stretched: whether it is stretched at all.
        along: ``t`` of the picture's middle of the shape, and ``t`` a pixel to the right and a pixel down.
        across: ``s`` a pixel to the right and a pixel down.
        length: of the axis as it is seen.
        slope: by how much the outline narrows a metre of it; and that as the tangent of the outline's lean.
        ridge: the numbers that :meth:`_ball` needs.
        sight: the numbers by which ``w`` becomes a depth: what a point has at ``w`` 0, a pixel to the right, a pixel
            down, and a metre of ``w``.
        lights: what a normal's t, s and w count for ambient light, key and fill: nine numbers.
        outline: of the squared steepness of a distance in the picture: its tt, ts and ss.
        metric: of the squared length of a normal in the world: its tt, ts, tw, ss, sw and ww.
    """

    radius: Pixels
    taper: Pixels
    is_ball: bool
    is_stretched: bool
    along: Pixels
    across: Pixels
    length: Pixels
    slope: Pixels
    ridge: Pixels
    sight: Pixels
    lights: Pixels
    outline: Pixels
    metric: Pixels

    def surface(self, x: Pixels, y: Pixels) -> tuple[Pixels, Pixels, Pixels]:
        """See :meth:`_Part.surface`."""
        radius = self.radius
        t = self.along[1] * x + (self.along[2] * y + self.along[0])
        s = self.across[0] * x + self.across[1] * y
        square = s * s
        if self.is_ball:
            beside, width, risen = t, radius, np.zeros_like(radius)
            away = t * t
            away += square
            high = radius * radius - away
            np.sqrt(np.maximum(high, 0.0, out=high), out=high)
            np.sqrt(away, out=away)
            outside, from_edge = away - radius, t
        else:
            at = np.abs(s)
            at *= self.slope[1]
            at += t
            np.minimum(np.maximum(at, 0.0, out=at), self.length, out=at)
            from_edge = t - at
            away = from_edge * from_edge
            away += square
            np.sqrt(away, out=away)
            at *= self.slope[0]
            outside = away - at
            outside -= radius
            beside, width, high, risen = self._ball(t, square)
        if self.is_stretched:
            steep = self.outline[0] * from_edge + self.outline[1] * s
            steep *= from_edge
            steep += self.outline[2] * square
            outside *= away
            outside /= np.sqrt(np.maximum(steep, np.float32(1e-12)))
        else:
            outside *= self.scale
        alpha = _HALF - outside
        np.minimum(np.maximum(alpha, 0.0, out=alpha), 1.0, out=alpha)
        depth = self.sight[1] * x + (self.sight[2] * y + self.sight[0])
        depth = depth - (high + risen) * self.sight[3]
        return alpha, self._bright(beside, s, square, high, width), depth

    def _ball(self, t: Pixels, square: Pixels) -> tuple[Pixels, Pixels, Pixels, Pixels]:
        """Of the ball that the ray touches: t from its centre; its radius; w from its centre; its centre's w."""
        radius, taper = self.radius, self.taper
        root = taper * t
        root += self.ridge[0]
        root *= root
        root -= self.ridge[1] * square
        np.sqrt(np.maximum(root, 0.0, out=root), out=root)
        root *= self.ridge[2]
        root += self.ridge[3] * t
        root += self.ridge[4]
        share = np.minimum(np.maximum(root, 0.0, out=root), 1.0, out=root)
        width = taper * share
        width += radius
        beside = t - share * self.length
        high = width * width
        high -= beside * beside
        high -= square
        np.sqrt(np.maximum(high, 0.0, out=high), out=high)
        return beside, width, high, share * self.ridge[5]

    def _bright(self, t: Pixels, s: Pixels, square: Pixels, w: Pixels, width: Pixels) -> Pixels:
        """How bright a surface with the normal (t, s, w) is; ``width`` is that normal's length."""
        bright = self.lights[0] * t + self.lights[1] * s
        bright += self.lights[2] * w
        for first in (3, 6):
            lit = self.lights[first] * t + self.lights[first + 1] * s
            lit += self.lights[first + 2] * w
            bright += np.maximum(lit, 0.0, out=lit)
        if self.is_stretched:
            tt, ts, tw, ss, sw, ww = self.metric
            long = tt * t + ts * s
            long += tw * w
            long *= t
            long += ss * square
            long += (sw * s + ww * w) * w
            bright /= np.sqrt(np.maximum(long, np.float32(1e-12)))
        else:
            bright /= width
        found: Pixels = bright + np.float32(_AMBIENT)
        return found


@dataclass(frozen=True)
class _BoxPart(_Part):
    """A box: three pairs of planes, of which a ray meets the front ones at ``depth - (reach + right * x + down * y)``.

    Args:
        reach: half of the way that a ray has between two opposite planes, metres of depth: three numbers.
        right: what both planes come nearer a pixel to the right: three.
        down: likewise, a pixel down.
        lean: for every front plane and every other back plane, one over the steepness of the way between them: nine.
        brightness: of the side that is seen: three.
    """

    reach: Pixels
    right: Pixels
    down: Pixels
    lean: Pixels
    brightness: Pixels

    def surface(self, x: Pixels, y: Pixels) -> tuple[Pixels, Pixels, Pixels]:
        """See :meth:`_Part.surface`."""
        middle = [self.right[k] * x + self.down[k] * y for k in range(3)]
        front = [middle[k] + self.reach[k] for k in range(3)]
        ways = [
            (front[k] - (middle[other] - self.reach[other])) * self.lean[3 * k + other]
            for k in range(3)
            for other in range(3)
            if k != other
        ]
        inside = np.minimum.reduce(ways)
        near, bright = front[0], np.broadcast_to(self.brightness[0], front[0].shape)
        for k in (1, 2):
            share = np.minimum(np.maximum((near - front[k]) * self.scale + _HALF, 0.0), 1.0)
            bright = bright + share * (self.brightness[k] - bright)
            near = np.minimum(near, front[k])
        return np.minimum(np.maximum(inside + _HALF, 0.0), 1.0), bright, self.depth - near


def _columns(*values: Array) -> Pixels:
    """Numbers of N shapes in F frames, each [N, F], as float32 [N, n, F, 1, 1]."""
    return np.stack(values, axis=1).astype(np.float32)[..., None, None]


def _parts(body: Body, owner: int, camera: Camera, size: int) -> list[_Part]:
    """The body's shapes as the camera sees them, without those that are never a pixel wide."""
    turns = rotations.matrix(body.rotation)
    axes = np.stack(camera.axes(), axis=1)
    # Rows are right, up and back; columns the axes of the body's frames: [F, J, 3, 3].
    view = np.zeros(turns.shape)
    for k in range(3):
        view += axes[:, None, :, k, None] * turns[:, :, None, k, :]
    view = np.moveaxis(_rounded(view, 20), 1, 0)
    away = body.position - camera.eye[:, None]
    place = np.stack([_dot(away, axes[:, None, k]) for k in range(3)], axis=-1)
    place = np.moveaxis(_rounded(place, 20), 1, 0)
    lights = _lights(camera)
    parts: list[_Part] = []
    capsules = [shape for shape in body.shapes if isinstance(shape, Capsule)]
    boxes = [shape for shape in body.shapes if isinstance(shape, Box)]
    if capsules:
        parts += _capsules(capsules, owner, view, place, lights, size)
    if boxes:
        parts += _boxes(boxes, owner, view, place, lights, size)
    return parts


def _lights(camera: Camera) -> Array:
    """Unit vectors to the sky, the camera, the first and the second light, in the camera's axes: [4, F, 3]."""
    right, up, back = camera.axes()
    level = back * [1.0, 0.0, 1.0]
    level = level / np.sqrt(_dot(level, level))[:, None]
    sky = np.broadcast_to([0.0, 1.0, 0.0], right.shape)
    found = []
    for direction in (sky, back, *(a * right + b * sky + c * level for a, b, c in (_KEY, _FILL))):
        seen = np.stack([_dot(direction, axis) for axis in (right, up, back)], axis=-1)
        found.append(seen / np.sqrt(_dot(seen, seen))[:, None])
    return _rounded(np.stack(found), 20)


class _Sight:
    """Lines of sight to N shapes in F frames, in the spaces in which the shapes are not stretched.

    Args:
        view: their frames' axes (columns) as the camera has them, [N, F, 3, 3].
        place: their frames' origins in the camera's axes, from the eye, [N, F, 3].
        middle: the shapes' middles in their frames, [N, 3].
        stretch: [N, 3].
        size: pixels of the picture.

    Attributes:
        seen: whether the middle is before the camera, [N, F]; what is not has any numbers.
        depth: metres to it, [N, F].
        scale: pixels a metre there.
        x: of it in the picture, pixels.
        y: likewise, downwards.
        right: the way that is a pixel to the right, [N, F, 3].
        down: the way that is a pixel down.
        ray: the way along the ray that is a metre nearer.
        wide: pixels to the right that a metre in each direction is, [N, F, 3].
        high: likewise, pixels down.
    """

    def __init__(self, view: Array, place: Array, middle: Array, stretch: Array, size: int) -> None:
        centre = place + np.stack([_dot(view[:, :, k], middle[:, None]) for k in range(3)], axis=-1)
        self.seen = -centre[..., 2] > _NEAR
        self.depth = np.where(self.seen, -centre[..., 2], 1.0)
        aside, above = centre[..., 0] / self.depth, centre[..., 1] / self.depth
        focal, factor = Camera.focal(size), stretch[:, None]
        self.scale = focal / self.depth
        self.x, self.y = 0.5 * size + focal * aside, 0.5 * size - focal * above
        scale, aside, above = self.scale[..., None], aside[..., None], above[..., None]
        self.right, self.down = view[:, :, 0] / (scale * factor), -view[:, :, 1] / (scale * factor)
        self.ray = (view[:, :, 2] - aside * view[:, :, 0] - above * view[:, :, 1]) / factor
        self.wide = scale * (view[:, :, 0] + aside * view[:, :, 2]) * factor
        self.high = -scale * (view[:, :, 1] + above * view[:, :, 2]) * factor
        self._size = size

    def bounds(self, ends: Sequence[tuple[Array, Array]]) -> NDArray[np.int64]:
        """The pixels around balls, given as their centres from the middle and their reaches: int64 [N, F, 4]."""
        low = np.minimum.reduce([centre - reach for centre, reach in ends])
        high = np.maximum.reduce([centre + reach for centre, reach in ends])
        middle = np.stack([self.x, self.y], axis=-1)
        found = np.concatenate([np.floor(middle + low) - 1.0, np.ceil(middle + high) + 1.0], axis=-1)
        return np.clip(np.where(self.seen[..., None], found, 0.0), 0, self._size).astype(np.int64)

    def common(self, n: int) -> dict[str, Any]:
        """What a :class:`_Part` has of shape ``n``, but for its owner, colour and bounds."""
        found = {"x": self.x[n], "y": self.y[n], "distance": self.depth[n]}
        return found | {name: getattr(self, name)[n].astype(np.float32)[:, None, None] for name in ("depth", "scale")}


def _boxes(boxes: list[Box], owner: int, view: Array, place: Array, lights: Array, size: int) -> list[_Part]:
    """Boxes as the camera sees them; ``view`` and ``place`` are those of all frames of the body."""
    joints = [box.joint for box in boxes]
    half = np.array([box.half for box in boxes])[:, None]
    view = view[joints]
    sight = _Sight(view, place[joints], np.array([box.centre for box in boxes]), np.ones((len(boxes), 3)), size)
    extent = [(np.abs(way) * half).sum(axis=-1) for way in (sight.wide, sight.high)]
    bounds = sight.bounds([(np.zeros_like(np.stack(extent, axis=-1)), np.stack(extent, axis=-1))])
    ray = np.where(np.abs(sight.ray) < 1e-6, 1e-6, sight.ray)
    # The sides that are seen are those whose outward normals have a positive share along the ray.
    normals = np.moveaxis(np.sign(ray)[:, :, None, :] * view, 3, 0)
    sky, facing, key, fill = (_dot(normals, light) for light in lights)
    brightness = _AMBIENT + _SKY * sky + _FACING * facing
    brightness = brightness + _KEY_POWER * np.maximum(key, 0.0) + _FILL_POWER * np.maximum(fill, 0.0)
    right, down = np.moveaxis(-sight.right / ray, 2, 0), np.moveaxis(-sight.down / ray, 2, 0)
    steep = np.sqrt((right[:, None] - right) ** 2 + (down[:, None] - down) ** 2)
    lean = 1.0 / np.maximum(steep, 1e-9)
    numbers = {
        "reach": _columns(*np.moveaxis(half / np.abs(ray), 2, 0)),
        "right": _columns(*right),
        "down": _columns(*down),
        "lean": _columns(*lean.reshape(9, *lean.shape[2:])),
        "brightness": _columns(*brightness),
    }
    return [
        _BoxPart(
            owner=owner,
            colour=box.colour,
            bounds=bounds[n],
            **sight.common(n),
            **{name: each[n] for name, each in numbers.items()},
        )
        for n, box in enumerate(boxes)
        if _is_wide(bounds[n])
    ]


def _capsules(capsules: list[Capsule], owner: int, view: Array, place: Array, lights: Array, size: int) -> list[_Part]:
    """Capsules as the camera sees them; ``view`` and ``place`` are those of all frames of the body."""
    joints = [capsule.joint for capsule in capsules]
    ends = [sorted([(c.radius, c.start), (c.end, c.stop)], key=lambda ball: -ball[0]) for c in capsules]
    thick, thin = (np.array([pair[k][1] for pair in ends], dtype=np.float64) for k in (0, 1))
    stretch = np.array([capsule.stretch for capsule in capsules])
    view, place = view[joints], place[joints]
    sight, *tips = (_Sight(view, place, point, stretch, size) for point in (0.5 * (thick + thin), thick, thin))
    # The rays are parallel within a shape; so that shapes still meet where their ends do, the two ends are put where
    # they are in the picture, and are as large as they are there.
    sight.x, sight.y = 0.5 * (tips[0].x + tips[1].x), 0.5 * (tips[0].y + tips[1].y)
    sight.seen &= tips[0].seen & tips[1].seen
    radius, end = (np.array([pair[k][0] for pair in ends])[:, None] * sight.depth / tips[k].depth for k in (0, 1))
    span = np.stack([tips[1].x - tips[0].x, tips[1].y - tips[0].y], axis=-1)
    axis = span[..., :1] * sight.right + span[..., 1:] * sight.down
    axis = axis + (tips[0].depth - tips[1].depth)[..., None] * sight.ray
    reach = np.sqrt(np.stack([_dot(way, way) for way in (sight.wide, sight.high)], axis=-1))
    bounds = sight.bounds([(-0.5 * span, radius[..., None] * reach), (0.5 * span, end[..., None] * reach)])

    speed = np.sqrt(_dot(sight.ray, sight.ray))
    toward = sight.ray / speed[..., None]
    rise = _dot(toward, axis)
    side = axis - rise[..., None] * toward
    length = np.sqrt(_dot(side, side))
    # Where the axis is a point to the camera, any direction across the ray will do.
    other = sight.right - _dot(sight.right, toward)[..., None] * toward
    first = np.where((length < 1e-6)[..., None], other, side)
    first = first / np.sqrt(_dot(first, first))[..., None]
    second = _cross(toward, first)
    taper = end - radius
    flat = np.maximum(length**2 - taper**2, 1e-6)
    whole = np.maximum(length**2 + rise**2 - taper**2, 1e-6)
    slope = np.clip(taper / np.maximum(length, 1e-9), -0.95, 0.95)
    along, across, towards = ((_dot(way, sight.right), _dot(way, sight.down)) for way in (first, second, toward))
    near = rise / np.sqrt(whole)
    local = [np.stack([_dot(light, view[..., k]) for k in range(3)], axis=-1) / stretch[:, None] for light in lights]
    sky, facing, key, fill = ([_dot(light, way) for way in (first, second, toward)] for light in local)
    even = [_SKY * a + _FACING * b for a, b in zip(sky, facing, strict=True)]
    tilted = [way / stretch[:, None] for way in (first, second, toward)]
    pairs = [(0, 0, 1.0), (0, 1, 2.0), (0, 2, 2.0), (1, 1, 1.0), (1, 2, 2.0), (2, 2, 1.0)]
    numbers = {
        "along": _columns(0.5 * length, *along),
        "across": _columns(*across),
        "radius": _columns(radius)[:, 0],
        "taper": _columns(taper)[:, 0],
        "length": _columns(length)[:, 0],
        "slope": _columns(slope, slope / np.sqrt(1.0 - slope * slope)),
        "ridge": _columns(length * radius, flat, near / flat, length / flat, radius * taper / flat, rise),
        "sight": _columns(sight.depth + 0.5 * rise / speed, towards[0] / speed, towards[1] / speed, 1.0 / speed),
        "lights": _columns(*even, *(_KEY_POWER * each for each in key), *(_FILL_POWER * each for each in fill)),
        "outline": _columns(
            along[0] ** 2 + along[1] ** 2,
            2.0 * (along[0] * across[0] + along[1] * across[1]),
            across[0] ** 2 + across[1] ** 2,
        ),
        "metric": _columns(*(weight * _dot(tilted[a], tilted[b]) for a, b, weight in pairs)),
    }
    return [
        _CapsulePart(
            owner=owner,
            colour=capsule.colour,
            bounds=bounds[n],
            is_ball=capsule.start == capsule.stop,
            is_stretched=capsule.stretch != (1.0, 1.0, 1.0),
            **sight.common(n),
            **{name: each[n] for name, each in numbers.items()},
        )
        for n, capsule in enumerate(capsules)
        if _is_wide(bounds[n])
    ]


def _is_wide(bounds: NDArray[np.int64]) -> bool:
    """Whether a shape is ever seen and, with the pixel of room on every side, more than a speck."""
    return bool((bounds[:, 2:] - bounds[:, :2]).min(axis=1).max() > _SPECK)
