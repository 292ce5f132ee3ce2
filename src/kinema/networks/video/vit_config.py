"""The sizes of a video transformer, as data: what ``encoder.vit`` sets."""

from __future__ import annotations

from dataclasses import dataclass

from kinema.core.bounds import check_numbers
from kinema.core.clips import ClipSpec
from kinema.core.errors import ConfigError

VITS = ("videomae", "vjepa2")
"""The encoders that these settings are of."""

LEAST_HEAD = 6
"""V-JEPA 2 turns a third of a head's dimensions, in pairs, by each of time, row and column."""


@dataclass(frozen=True)
class VitConfig:
    """A transformer over patches of a clip. The defaults are ViT-B/16, over tubelets of two frames.

    Args:
        dim: what it gives out, and the width of every block; ViT-S 384, B 768, L 1024, H 1280.
        depth: its blocks; ViT-S and B 12, L 24, H 32.
        heads: attention heads of a block, which divide ``dim``; ViT-S 6, B 12, L and H 16.
        mlp_ratio: the hidden layer of a block's MLP, as a multiple of ``dim``.
        patch: side of a patch, pixels; ``clip.size`` is a multiple of it.
        tubelet: frames of a patch; ``clip.frames`` is a multiple of it.
        frames: frames of the clips that VideoMAE's table of positions is of: 16 for the published weights. Other clips
            are given the table resampled to their own grid. 0: each clip has the table of its own grid.
        size: the same for the side of those clips in pixels: 224 for the published weights, or 0.
        final_norm: whether the tokens are normalised at the end. VideoMAE's fine-tuned weights are of networks that
            normalise the mean of the tokens in the classifier instead.
    """

    dim: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: float = 4.0
    patch: int = 16
    tubelet: int = 2
    frames: int = 0
    size: int = 0
    final_norm: bool = True

    def __post_init__(self) -> None:
        check_numbers(self, "encoder.vit")
        for name in ("dim", "depth", "heads", "patch", "tubelet"):
            if getattr(self, name) < 1:
                raise ConfigError(f"encoder.vit.{name} is {getattr(self, name)}; it must be at least 1.")
        if self.dim % self.heads:
            raise ConfigError(
                f"encoder.vit.heads is {self.heads}, which does not divide encoder.vit.dim {self.dim}.",
                "Each head takes an equal share of the dimensions.",
            )
        if not 1 <= self.dim * self.mlp_ratio < float("inf"):
            raise ConfigError(f"encoder.vit.mlp_ratio is {self.mlp_ratio}; an MLP of no width cannot be built.")
        if min(self.frames, self.size) < 0 or bool(self.frames) != bool(self.size):
            raise ConfigError(
                f"encoder.vit.frames is {self.frames} and encoder.vit.size is {self.size}.",
                "Set both to the clips that the table of positions is of, or both to 0.",
            )
        if self.frames % self.tubelet or self.size % self.patch:
            raise ConfigError(
                f"encoder.vit.frames is {self.frames} and encoder.vit.size is {self.size}; tubelets of {self.tubelet} "
                f"frames and patches of {self.patch} pixels do not divide them."
            )

    def check_name(self, name: str) -> None:
        """Refuses sizes that the encoder of a name cannot have.

        Raises:
            ConfigError: an encoder without such sizes; or one of V-JEPA 2's with a table, or without room to turn.
        """
        if name not in VITS:
            if self != VitConfig():
                raise ConfigError(
                    f"encoder.vit is set with the encoder '{name}'.",
                    f"Only {' and '.join(VITS)} have it: leave it out.",
                )
        elif name == "vjepa2":
            if self.frames or not self.final_norm:
                raise ConfigError(
                    "V-JEPA 2 has no table of positions, and always a last norm.",
                    "Leave out encoder.vit.frames, encoder.vit.size and encoder.vit.final_norm.",
                )
            if self.dim // self.heads < LEAST_HEAD:
                raise ConfigError(
                    f"encoder.vit.heads is {self.heads}, which leaves {self.dim // self.heads} of {self.dim} "
                    f"dimensions a head; V-JEPA 2 tells positions by turning pairs of them and needs {LEAST_HEAD}.",
                    f"Set encoder.vit.heads to {max(1, self.dim // LEAST_HEAD)} or less, or a larger encoder.vit.dim.",
                )

    def check_clip(self, clip: ClipSpec) -> None:
        """Refuses clips that patches and tubelets do not divide.

        Raises:
            ConfigError: names the setting and the nearest values.
        """
        for name, value, unit, what in (
            ("frames", clip.frames, self.tubelet, "tubelets of {} frames"),
            ("size", clip.size, self.patch, "patches of {} pixels"),
        ):
            if value % unit:
                below, above = value // unit * unit, -(-value // unit) * unit
                raise ConfigError(
                    f"clip.{name} is {value}, which the encoder's {what.format(unit)} do not divide.",
                    f"Set clip.{name} to {f'{below} or {above}' if below else above}.",
                )
