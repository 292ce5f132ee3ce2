"""Draws bodies, seen by a camera, with NumPy alone.

Every shape is drawn within its own rectangle of the picture, for a number of frames at once. Where a ray meets a shape
is computed in closed form, in the space in which the shape is not stretched and along the ray through its middle: within
a shape the rays count as parallel. Edges are soft: how much of a pixel a shape covers follows from the distance to its
outline, and where two shapes pass through one another the nearer one takes over within a pixel.

Per pixel there is nothing but sums, products, quotients and square roots, which every processor rounds alike, of numbers
that were rounded before; so equal bodies give equal pictures, byte for byte.

Axes: F frames, N shapes, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

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

_BATCH = 1 << 17
"""Pixels of the frames that are drawn at a time, so that the arrays stay in the processor's cache."""

_RED, _GREEN, _BLUE, _COVER, _DEPTH, _OWNER = range(6)

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Drawing:
    """Bodies before they are set into a scene.

    Args:
        colour: uint8 [F, H, W, 3], already multiplied by how much of the pixel is covered.
        cover: uint8 [F, H, W], how much of the pixel is covered, of 255.
        owner: uint8 [F, H, W], whose pixel it is: 1 for the first body, 2 for the second; 0 is none. A body owns a
            pixel that it covers by more than half and in which it is the nearest.
        shadow: uint8 [F, H, W], how dark the ground is, of 255.
    """

    colour: NDArray[np.uint8]
    cover: NDArray[np.uint8]
    owner: NDArray[np.uint8]
    shadow: NDArray[np.uint8]

    def mask(self, number: int) -> NDArray[np.bool_]:
        """bool [F, H, W]: where the body of that number, from 0, is seen."""
        seen: NDArray[np.bool_] = self.owner == number + 1
        return seen


def draw(bodies: Sequence[Body], camera: Camera, size: int) -> Drawing:
    """The bodies as the camera sees them.

    Args:
        bodies: at most 255, of as many frames as the camera.
        camera: where it is seen from.
        size: pixels, width and height.
    """
    frames = len(camera.eye)
    colour = np.empty((frames, size, size, 3), dtype=np.uint8)
    cover, owner = (np.empty((frames, size, size), dtype=np.uint8) for _ in range(2))
    parts = [part for number, body in enumerate(bodies) for part in _parts(body, number + 1, camera, size)]
    batch = max(1, _BATCH // size**2)
    for first in range(0, frames, batch):
        some = slice(first, first + batch)
        canvas = np.zeros((6, len(colour[some]), size, size), dtype=np.float32)
        canvas[_DEPTH] = _NOWHERE
        # From far to near: where two edges share a pixel the order counts.
        for part in sorted((part.of(some) for part in parts), key=lambda part: -part.distance()):
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
        half = camera.focal(size) * np.maximum(width, 0.2) / depth[:, 0]
        x, y, half = (_rounded(each, 10) for each in (x, y, half[:, None]))
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
    """A shape as the camera sees it, in every frame; arrays are ``[F]``, or ``[F, n]`` of ``n`` such numbers.

    Args:
        owner: the number of its body, from 1.
        colour: red, green, blue.
        x: its middle in the picture, pixels.
        y: likewise, downwards.
        depth: metres from the camera to its middle.
        scale: pixels a metre there.
        bounds: the smallest and largest x and y that it reaches, [F, 4].
    """

    owner: int
    colour: tuple[float, float, float]
    x: Array
    y: Array
    depth: Array
    scale: Array
    bounds: Array

    def of(self, some: slice) -> _Part:
        """The same in some of the frames."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return type(self)(**{k: v[some] if isinstance(v, np.ndarray) else v for k, v in values.items()})

    def distance(self) -> float:
        """Metres from the camera, on average."""
        return float(self.depth.sum()) / len(self.depth)

    def draw(self, canvas: Pixels) -> None:
        """Draws it over, under or through what is on the canvas, float32 [6, F, H, W]."""
        frames, size = canvas.shape[1:3]
        low = np.clip(np.floor(self.bounds[:, :2]), 0, size).astype(np.int64)
        high = np.clip(np.ceil(self.bounds[:, 2:]), 0, size).astype(np.int64)
        wide, tall = (int(n) for n in (high - low).max(axis=0))
        if wide <= 0 or tall <= 0:
            return
        left, top = np.minimum(low[:, 0], size - wide), np.minimum(low[:, 1], size - tall)
        x = (left[:, None] + (np.arange(wide) + 0.5) - self.x[:, None]).astype(np.float32)[:, None, :]
        y = (top[:, None] + (np.arange(tall) + 0.5) - self.y[:, None]).astype(np.float32)[:, :, None]
        alpha, bright, depth = self.surface(x, y)
        below = np.empty((6, frames, tall, wide), dtype=np.float32)
        windows = [(slice(None), f, slice(v, v + tall), slice(u, u + wide)) for f, (u, v) in enumerate(zip(left, top))]
        for f, window in enumerate(windows):
            below[:, f] = canvas[window]
        self._blend(below, alpha, bright, depth)
        for f, window in enumerate(windows):
            canvas[window] = below[:, f]

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
        front = alpha * np.clip(nearer * _column(self.scale) + np.float32(0.5), 0.0, 1.0)
        keep = 1.0 - front
        put = front + (alpha - front) * (1.0 - below[_COVER])
        half = np.float32(0.5)
        cover = below[_COVER] * keep + put
        owned = (nearer > 0) & ((alpha > half) | ((below[_COVER] <= half) & (cover > half)))
        below[_COVER] = cover
        np.copyto(below[_DEPTH], depth, where=owned)
        below[_OWNER][owned] = self.owner
        put *= bright
        for channel, level in enumerate(self.colour):
            below[channel] *= keep
            below[channel] += put * np.float32(level)


def _column(values: Array) -> Pixels:
    """One number a frame, to go with pixels."""
    return values.astype(np.float32)[:, None, None]


@dataclass(frozen=True)
class _CapsulePart(_Part):
    """A capsule in the space in which it is not stretched, metres.

    Its coordinates are ``t`` along the axis as the ray sees it, ``s`` across, and ``w`` towards the camera, from the
    centre of the thicker ball. There it is a chain of balls with centres ``h * (length, 0, rise)`` and radii ``radius +
    h * taper``, ``h`` from 0 to 1.

    Args:
        stretched: whether it is; what is not is drawn a little faster.
        along: ``t`` a pixel to the right and a pixel down, [F, 2].
        across: likewise ``s``.
        towards: likewise, the ``w`` that a ray has at the depth of the middle.
        length: of the axis, seen from the camera.
        rise: of the thin end towards the camera.
        radius: at the thick end.
        taper: what is added to it at the thin end, at most 0.
        ray: ``w`` a metre of depth.
        lights: of sky, facing, key and fill: what a normal's t, s and w count, [F, 4, 3].
        metric: of the squared length of a normal in the world: its tt, ts, tw, ss, sw and ww, [F, 6].
    """

    stretched: bool
    along: Array
    across: Array
    towards: Array
    length: Array
    rise: Array
    radius: float
    taper: float
    ray: Array
    lights: Array
    metric: Array

    def surface(self, x: Pixels, y: Pixels) -> tuple[Pixels, Pixels, Pixels]:
        """See :meth:`_Part.surface`."""
        length = _column(self.length)
        t = _column(self.along[:, 0]) * x + (_column(self.along[:, 1]) * y + np.float32(0.5) * length)
        s = _column(self.across[:, 0]) * x + _column(self.across[:, 1]) * y
        square = s * s
        radius, taper = np.float32(self.radius), np.float32(self.taper)
        is_ball = not self.length.any() and not self.rise.any()
        if is_ball:
            at, width, away = t, radius, np.sqrt(t * t + square)
            outside = away - radius
            high = np.sqrt(np.maximum(radius * radius - away * away, 0.0))
            beside: Pixels = t
            w: Pixels = high
        else:
            slope = np.maximum(self.taper / np.maximum(self.length, 1e-9), -0.95)
            lean = _column(slope / np.sqrt(1.0 - slope * slope))
            at = np.minimum(np.maximum(t + lean * np.abs(s), 0.0), length)
            beside = t - at
            away = np.sqrt(beside * beside + square)
            outside = away - (radius + _column(slope) * at)
            beside, high, width, w = self._height(t, square)
            at = t - at
        if is_ball:
            edge_t: Pixels = t
        else:
            edge_t = at
        if self.stretched:
            tt, ts, ss = (_column(each) for each in _outline(self.along, self.across))
            steep = np.sqrt(np.maximum(tt * edge_t * edge_t + (ts * edge_t * s + ss * square), 1e-12))
            outside = outside * away / steep
        else:
            outside = outside * _column(self.scale)
        alpha = np.minimum(np.maximum(np.float32(0.5) - outside, 0.0), 1.0)
        k = [_column(each) for each in self.metric.T]
        if self.stretched:
            long = beside * (k[0] * beside + k[1] * s + k[2] * high) + s * (k[3] * s + k[4] * high) + k[5] * high * high
            long = 1.0 / np.sqrt(np.maximum(long, 1e-12))
        else:
            long = 1.0 / width
        bright = self._bright(beside, s, high, long)
        ray = _column(1.0 / self.ray)
        raised = _column(0.5 * self.rise) - _column(self.depth * self.ray)
        depth = (raised + _column(self.towards[:, 0]) * x + _column(self.towards[:, 1]) * y - w) * ray
        return alpha, bright, depth

    def _height(self, t: Pixels, square: Pixels) -> tuple[Pixels, Pixels, Pixels, Pixels]:
        """Of the ball that the ray touches: t from its centre, w from its centre, its radius; and w of the point."""
        radius, taper = np.float32(self.radius), np.float32(self.taper)
        flat = np.maximum(self.length**2 - self.taper**2, 1e-6)
        whole = np.maximum(self.length**2 + self.rise**2 - self.taper**2, 1e-6)
        side = _column(self.length * self.radius) + taper * t
        root = np.sqrt(np.maximum(side * side - _column(flat) * square, 0.0))
        share = _column(self.rise / np.sqrt(whole)) * root + (_column(self.length) * t + radius * taper)
        share = np.minimum(np.maximum(share * _column(1.0 / flat), 0.0), 1.0)
        width = radius + taper * share
        beside = t - share * _column(self.length)
        high = np.sqrt(np.maximum(width * width - beside * beside - square, 0.0))
        return beside, high, width, share * _column(self.rise) + high

    def _bright(self, t: Pixels, s: Pixels, w: Pixels, scale: Pixels) -> Pixels:
        """How bright a surface with that normal is; its length in the world is 1 after multiplying by ``scale``."""
        even = self.lights[:, 0] * _SKY + self.lights[:, 1] * _FACING
        bright = _mix(even, t, s, w)
        for number, power in ((2, _KEY_POWER), (3, _FILL_POWER)):
            bright += np.maximum(_mix(self.lights[:, number] * power, t, s, w), 0.0)
        bright *= scale
        bright += np.float32(_AMBIENT)
        return bright


def _mix(weights: Array, t: Pixels, s: Pixels, w: Pixels) -> Pixels:
    return _column(weights[:, 0]) * t + _column(weights[:, 1]) * s + _column(weights[:, 2]) * w


def _outline(along: Array, across: Array) -> tuple[Array, Array, Array]:
    """What ``t * t``, ``t * s`` and ``s * s`` count in the squared steepness of a distance in the picture."""
    tt = along[:, 0] ** 2 + along[:, 1] ** 2
    ts = 2.0 * (along[:, 0] * across[:, 0] + along[:, 1] * across[:, 1])
    return tt, ts, across[:, 0] ** 2 + across[:, 1] ** 2


@dataclass(frozen=True)
class _BoxPart(_Part):
    """A box. A ray meets the planes of its sides at ``depth - (start + half - right * x - down * y)``, and so on.

    Args:
        reach: half of the way that a ray has between two opposite planes, metres of depth, [F, 3].
        right: what that way begins further off for each pixel to the right, [F, 3].
        down: likewise, for a pixel down.
        brightness: of the side that is seen, [F, 3].
    """

    reach: Array
    right: Array
    down: Array
    brightness: Array

    def surface(self, x: Pixels, y: Pixels) -> tuple[Pixels, Pixels, Pixels]:
        """See :meth:`_Part.surface`."""
        middle = [-(_column(self.right[:, k]) * x + _column(self.down[:, k]) * y) for k in range(3)]
        front = [middle[k] + _column(self.reach[:, k]) for k in range(3)]
        inside: Pixels = np.full_like(front[0], np.inf)
        for k in range(3):
            for other in range(3):
                if k != other:
                    across = self.right[:, k] - self.right[:, other], self.down[:, k] - self.down[:, other]
                    steep = np.maximum(np.sqrt(across[0] ** 2 + across[1] ** 2), 1e-9)
                    back = middle[other] - _column(self.reach[:, other])
                    inside = np.minimum(inside, (front[k] - back) * _column(1.0 / steep))
        near, bright = front[0], np.broadcast_to(_column(self.brightness[:, 0]), front[0].shape)
        for k in (1, 2):
            share = np.clip((near - front[k]) * _column(self.scale) + np.float32(0.5), 0.0, 1.0)
            bright = bright + share * (_column(self.brightness[:, k]) - bright)
            near = np.minimum(near, front[k])
        return np.clip(inside + np.float32(0.5), 0.0, 1.0), bright, _column(self.depth) - near


def _parts(body: Body, owner: int, camera: Camera, size: int) -> list[_Part]:
    """The body's shapes as the camera sees them."""
    turns = rotations.matrix(body.rotation)
    axes = np.stack(camera.axes(), axis=1)
    # Rows are right, up and back; columns the axes of the body's frames: [F, J, 3, 3].
    view = sum(axes[:, None, :, None, k] * turns[:, :, None, k, :] for k in range(3))
    view = _rounded(np.asarray(view), 20)
    away = body.position - camera.eye[:, None]
    place = _rounded(np.stack([_dot(away, axes[:, None, k]) for k in range(3)], axis=-1), 20)
    lights = _lights(camera)
    return [_part(shape, owner, view[:, shape.joint], place[:, shape.joint], lights, size) for shape in body.shapes]


def _lights(camera: Camera) -> Array:
    """Unit vectors to the sky, the camera, the first and the second light, in the camera's axes: [F, 4, 3]."""
    right, up, back = camera.axes()
    level = back * [1.0, 0.0, 1.0]
    level = level / np.sqrt(_dot(level, level))[:, None]
    sky = np.broadcast_to([0.0, 1.0, 0.0], right.shape)
    found = []
    for direction in (sky, back, *(a * right + b * sky + c * level for a, b, c in (_KEY, _FILL))):
        seen = np.stack([_dot(direction, axis) for axis in (right, up, back)], axis=-1)
        found.append(seen / np.sqrt(_dot(seen, seen))[:, None])
    return _rounded(np.stack(found, axis=1), 20)


def _part(shape: Capsule | Box, owner: int, view: Array, place: Array, lights: Array, size: int) -> _Part:
    """A shape as the camera sees it.

    Args:
        shape: what it is.
        owner: the number of its body.
        view: its frame's axes (columns) as the camera has them, [F, 3, 3].
        place: its frame's origin in the camera's axes, from the eye, [F, 3].
        lights: see :func:`_lights`.
        size: pixels.
    """
    if isinstance(shape, Capsule):
        middle, stretch = 0.5 * (np.array(shape.start) + np.array(shape.stop)), np.array(shape.stretch)
    else:
        middle, stretch = np.array(shape.centre), np.ones(3)
    centre = place + np.stack([_dot(view[:, k], middle) for k in range(3)], axis=-1)
    seen = -centre[:, 2] > _NEAR
    depth = np.where(seen, -centre[:, 2], 1.0)
    aside, above = centre[:, 0] / depth, centre[:, 1] / depth
    focal = Camera.focal(size)
    scale = focal / depth
    # Per pixel right, per pixel down and per metre along the ray, in the space in which the shape is not stretched.
    right, down = view[:, 0] / (scale[:, None] * stretch), -view[:, 1] / (scale[:, None] * stretch)
    ray = (view[:, 2] - aside[:, None] * view[:, 0] - above[:, None] * view[:, 1]) / stretch
    # The other way round: pixels that one metre of that space is wide and high.
    wide = scale[:, None] * (view[:, 0] + aside[:, None] * view[:, 2]) * stretch
    high = -scale[:, None] * (view[:, 1] + above[:, None] * view[:, 2]) * stretch
    common = {
        "owner": owner,
        "colour": shape.colour,
        "x": 0.5 * size + focal * aside,
        "y": 0.5 * size - focal * above,
        "depth": depth,
        "scale": scale,
    }
    if isinstance(shape, Box):
        half = np.array(shape.half)
        reach = np.stack([np.abs(wide * half).sum(axis=-1), np.abs(high * half).sum(axis=-1)], axis=-1)
        bounds = _bounds([(np.zeros_like(reach), reach)], common["x"], common["y"], seen)
        return _BoxPart(**common, bounds=bounds, **_box(half, right, down, ray, view, lights))
    ends = [(np.array(shape.start), shape.radius), (np.array(shape.stop), shape.end)]
    (thick, radius), (thin, end) = sorted(ends, key=lambda ball: -ball[1])
    axis = (thin - thick) / stretch
    half_way = 0.5 * np.stack([_dot(wide, axis), _dot(high, axis)], axis=-1)
    ball = np.stack([np.sqrt(_dot(wide, wide)), np.sqrt(_dot(high, high))], axis=-1)
    bounds = _bounds([(-half_way, radius * ball), (half_way, end * ball)], common["x"], common["y"], seen)
    rest = _capsule(axis, radius, end, stretch, right, down, ray, view, lights)
    return _CapsulePart(**common, bounds=bounds, **rest)


def _bounds(balls: list[tuple[Array, Array]], x: Array, y: Array, seen: Array) -> Array:
    """The smallest and largest x and y of balls, given as centre from (x, y) and reach; [F, 4], a pixel of room."""
    low = np.min([centre - reach for centre, reach in balls], axis=0) - 1.0
    high = np.max([centre + reach for centre, reach in balls], axis=0) + 1.0
    middle = np.stack([x, y], axis=-1)
    found = np.concatenate([middle + low, middle + high], axis=-1)
    return np.where(seen[:, None], np.clip(found, -1e6, 1e6), -1e6)


def _box(half: Array, right: Array, down: Array, ray: Array, view: Array, lights: Array) -> dict[str, Array]:
    """What a :class:`_BoxPart` has beside the rest."""
    ray = np.where(np.abs(ray) < 1e-6, 1e-6, ray)
    # The sides that are seen are those whose outward normals have a positive share along the ray.
    facing = np.sign(ray)
    normals = facing[:, None, :] * view
    level = np.stack([_dot(lights[:, n, None], np.moveaxis(normals, 2, 1)) for n in range(4)], axis=-1)
    key, fill = np.maximum(level[..., 2], 0.0), np.maximum(level[..., 3], 0.0)
    even = _AMBIENT + _SKY * level[..., 0] + _FACING * level[..., 1]
    return {
        "reach": half / np.abs(ray),
        "right": right / ray,
        "down": down / ray,
        "brightness": even + _KEY_POWER * key + _FILL_POWER * fill,
    }


def _capsule(
    axis: Array,
    radius: float,
    end: float,
    stretch: Array,
    right: Array,
    down: Array,
    ray: Array,
    view: Array,
    lights: Array,
) -> dict[str, object]:
    """What a :class:`_CapsulePart` has beside the rest; ``axis`` goes from the thick to the thin end."""
    speed = np.sqrt(_dot(ray, ray))
    toward = ray / speed[:, None]
    rise = _dot(toward, axis)
    side = axis - rise[:, None] * toward
    length = np.sqrt(_dot(side, side))
    # Where the axis is a point to the camera, any direction across the ray will do.
    other = right - _dot(right, toward)[:, None] * toward
    short = length < 1e-6
    first = np.where(short[:, None], other, side)
    first = first / np.sqrt(_dot(first, first))[:, None]
    second = _cross(toward, first)
    basis = np.stack([first, second, toward], axis=1)
    local = np.stack([sum(lights[:, n, k, None] * view[:, k] for k in range(3)) for n in range(4)], axis=1) / stretch
    tilted = basis / stretch
    pairs = [(0, 0, 1.0), (0, 1, 2.0), (0, 2, 2.0), (1, 1, 1.0), (1, 2, 2.0), (2, 2, 1.0)]
    if not axis.any():
        length, rise = np.zeros_like(length), np.zeros_like(rise)
    return {
        "stretched": bool((stretch != 1.0).any()),
        "along": np.stack([_dot(first, right), _dot(first, down)], axis=-1),
        "across": np.stack([_dot(second, right), _dot(second, down)], axis=-1),
        "towards": np.stack([_dot(toward, right), _dot(toward, down)], axis=-1),
        "length": length,
        "rise": rise,
        "radius": radius,
        "taper": end - radius,
        "ray": speed,
        "lights": np.stack([_dot(local, basis[:, None, k]) for k in range(3)], axis=-1),
        "metric": np.stack([weight * _dot(tilted[:, a], tilted[:, b]) for a, b, weight in pairs], axis=-1),
    }
