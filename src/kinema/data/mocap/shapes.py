"""What a picture is made of: capsules and boxes, fixed to moving frames, several of them a body.

A capsule is the hull of two balls, thicker at one end if their radii differ. Stretched along the axes of its frame it
is anything from a finger to a chest; with both balls in one place it is a ball or an ellipsoid.

Axes: F frames of a picture sequence, J moving frames of a body, metres.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from kinema.data.mocap.rotations import Array

Colour: TypeAlias = tuple[float, float, float]
"""Red, green, blue, 0 to 1."""

Vector: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True)
class Capsule:
    """The hull of two balls.

    Args:
        joint: the moving frame it is fixed to.
        start: the centre of one ball.
        stop: the centre of the other.
        radius: of the ball at ``start``.
        end: radius of the ball at ``stop``.
        colour: of the whole.
        stretch: factors by which the balls, and the hull between them, are larger along the frame's axes. The centres
            stay where they are.
    """

    joint: int
    start: Vector
    stop: Vector
    radius: float
    end: float
    colour: Colour
    stretch: Vector = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Box:
    """A box with sides along the axes of its frame.

    Args:
        joint: the moving frame it is fixed to.
        centre: its middle.
        half: half its sides.
        colour: of the whole.
    """

    joint: int
    centre: Vector
    half: Vector
    colour: Colour


def ellipsoid(joint: int, centre: Vector, radii: Vector, colour: Colour) -> Capsule:
    """An ellipsoid with those half axes."""
    return Capsule(joint, centre, centre, 1.0, 1.0, colour, radii)


def scaled(shape: Capsule, factor: float) -> Capsule:
    """A capsule so much larger, and so much further from the origin of its frame."""
    start, stop = ((x * factor, y * factor, z * factor) for x, y, z in (shape.start, shape.stop))
    return replace(shape, start=start, stop=stop, radius=shape.radius * factor, end=shape.end * factor)


@dataclass(frozen=True)
class Body:
    """Something that moves: a person, or a thing.

    Args:
        shapes: what is seen of it.
        position: float64 [F, J, 3], the origins of its frames.
        rotation: float64 [F, J, 4], their rotations in the world, as quaternions.
        points: float64 [F, P, 3], the points that its shadow is made from.
    """

    shapes: tuple[Capsule | Box, ...]
    position: Array
    rotation: Array
    points: Array
