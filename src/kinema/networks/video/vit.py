"""Video transformers of the package ``transformers``: VideoMAE and V-JEPA 2, built from sizes and nothing else.

Sources: Tong et al. 2022, "VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video
Pre-Training", arXiv 2203.12602; Assran et al. 2025, "V-JEPA 2: Self-Supervised Video Models Enable Understanding,
Prediction and Planning", arXiv 2506.09985.

The blocks, their attention and their initialisation are those of ``transformers``, which is imported when such an
encoder is built and not before. It never downloads anything: weights come from a local file (see
:mod:`kinema.networks.hugging_face`). The feature map is the tokens of the last block, laid out as the grid they came
from, so that the feature is their mean. Decoder, predictor, attentive pooler and classifier are not built.

What is done here:

- Colours. The published networks were trained on ImageNet's mean and deviation of each channel, the view 'rgb' has
  .45 and .225 for all three: an encoder of that view changes the one into the other first.
- Clips of any grid. VideoMAE adds a fixed table of sines and cosines; where the clips are not those that its weights
  know, the table is resampled to their grid. V-JEPA 2 turns queries and keys by the whole-numbered place of a token,
  which a smaller or larger grid continues.
- Neither dropout nor stochastic depth: a draw that is not the method's would make its loss another each time.
"""

from __future__ import annotations

import importlib
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinema.core.errors import MissingExtraError, ShapeError
from kinema.networks.video.layers import Triple, VideoEncoder
from kinema.networks.video.vit_config import VitConfig

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RGB_MEAN, RGB_STD = 0.45, 0.225
"""The normalisation of the view 'rgb'; see :mod:`kinema.data.clips.transforms`."""

OLDEST = (5, 23)
"""The release of transformers that is tested; 5.0 names some of VideoMAE's weights otherwise."""

SIDE = 4096
"""Rows and columns of the grid that V-JEPA 2's places are counted in: more than any clip has."""


class Vit(VideoEncoder):
    """A transformer over patches, [B, C, T, H, W] to [B, dim, T/tubelet, H/patch, W/patch].

    Args:
        channels: C, what it takes in.
        config: its sizes.
        colours: whether what it takes in is the view 'rgb'.
        patches: the convolution that makes tokens of patches.
        blocks: the transformer's blocks.
        norm: what the tokens go through last.
    """

    def __init__(
        self, channels: int, config: VitConfig, colours: bool, patches: nn.Module, blocks: Any, norm: nn.Module | None
    ) -> None:
        super().__init__(channels, config.dim)
        self.config, self.colours = config, colours
        self.patches, self.blocks, self.norm = patches, nn.Sequential(*blocks), norm or nn.Identity()

    @abstractmethod
    def _run(self, tokens: Tensor, grid: Triple) -> Tensor:
        """The tokens [B, t h w, dim] of a grid after the last block."""

    def levels(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The feature map twice, [B, dim, t, h, w]: a transformer's maps are of one size from first to last.

        Raises:
            ShapeError: ``x`` is not [B, C, T, H, W] with the encoder's channels, or patches do not divide it.
        """
        last = self.feature_map(x)
        return last, last

    def _features(self, x: Tensor) -> Tensor:
        c, shape = self.config, tuple(x.shape[2:])
        if min(shape) < 1 or shape[0] % c.tubelet or shape[1] % c.patch or shape[2] % c.patch:
            raise ShapeError(
                f"{type(self).__name__} was given clips of {shape[0]} frames of {shape[1]} x {shape[2]} pixels; "
                f"tubelets of {c.tubelet} frames and patches of {c.patch} pixels do not divide them.",
                "Set clip.frames and clip.size to multiples of encoder.vit.tubelet and encoder.vit.patch.",
            )
        grid = (shape[0] // c.tubelet, shape[1] // c.patch, shape[2] // c.patch)
        tokens = self.patches(as_imagenet(x) if self.colours else x).flatten(2).transpose(1, 2)
        found: Tensor = self.norm(self._run(tokens, grid))
        return found.transpose(1, 2).reshape(-1, self.dim, *grid)


class VideoMAE(Vit):
    """VideoMAE's encoder on all patches of a clip; see :class:`Vit`.

    Args:
        channels: C, what it takes in.
        config: its sizes.
        colours: whether what it takes in is the view 'rgb'.
    """

    def __init__(self, channels: int, config: VitConfig, colours: bool) -> None:
        library = _library()
        theirs = library.VideoMAEConfig(
            num_channels=channels,
            hidden_size=config.dim,
            num_hidden_layers=config.depth,
            num_attention_heads=config.heads,
            intermediate_size=round(config.dim * config.mlp_ratio),
            patch_size=config.patch,
            tubelet_size=config.tubelet,
            image_size=config.patch,  # the least there is: their table of positions is not used
            num_frames=config.tubelet,
            use_mean_pooling=not config.final_norm,
        )
        net = library.VideoMAEModel(theirs)
        patches = net.embeddings.patch_embeddings.projection
        super().__init__(channels, config, colours, patches, net.encoder.layer, net.layernorm)

    def _run(self, tokens: Tensor, grid: Triple) -> Tensor:
        c = self.config
        known = (c.frames // c.tubelet, c.size // c.patch, c.size // c.patch) if c.frames else grid
        where = tokens.device if tokens.device.type != "mps" else torch.device("cpu")  # Apple's has no float64
        table = positions(known, c.dim, where)
        if known != grid:
            table = functional.interpolate(table[None], size=grid, mode="trilinear", align_corners=False)[0]
        found: Tensor = self.blocks(tokens + table.flatten(1).T.to(tokens))
        return found


class VJepa2(Vit):
    """V-JEPA 2's encoder on all patches of a clip; see :class:`Vit`.

    Args:
        channels: C, what it takes in.
        config: its sizes.
        colours: whether what it takes in is the view 'rgb'.
    """

    def __init__(self, channels: int, config: VitConfig, colours: bool) -> None:
        library = _library()
        theirs = library.VJEPA2Config(
            in_chans=channels,
            hidden_size=config.dim,
            num_hidden_layers=config.depth,
            num_attention_heads=config.heads,
            mlp_ratio=config.mlp_ratio,
            patch_size=config.patch,
            tubelet_size=config.tubelet,
            crop_size=config.patch * SIDE,
            frames_per_clip=config.tubelet,
            pred_num_hidden_layers=0,
        )
        net = library.VJEPA2Model(theirs).encoder
        super().__init__(channels, config, colours, net.embeddings.patch_embeddings.proj, net.layer, net.layernorm)

    def _run(self, tokens: Tensor, grid: Triple) -> Tensor:
        t, h, w = (torch.arange(n, device=tokens.device) for n in grid)
        places = ((t[:, None, None] * SIDE + h[:, None]) * SIDE + w).reshape(1, -1)
        for block in self.blocks:
            tokens = block(tokens, places)[0]
        return tokens


def as_imagenet(x: Tensor) -> Tensor:
    """Colours as the view 'rgb' has them, normalised by ImageNet's means and deviations, [B, 3, …] to the same."""
    mean, std = (x.new_tensor(values).view(3, 1, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return x * (RGB_STD / std) + (RGB_MEAN - mean) / std


def positions(grid: Triple, dim: int, device: torch.device | None = None) -> Tensor:
    """VideoMAE's table: sines and cosines of a token's number, float32 [dim, t, h, w].

    The tokens of a grid (t, h, w) are counted by columns first, then rows, then time; dimension j has the wavelength
    2π · 10000^(2⌊j/2⌋/dim), its sine where j is even and its cosine where it is odd (Vaswani et al. 2017, sect. 3.5).
    """
    number = torch.arange(grid[0] * grid[1] * grid[2], dtype=torch.float64, device=device)
    j = torch.arange(dim, device=device)
    angle = number[:, None] / 10000 ** (2 * (j // 2) / dim).double()
    table = torch.where(j % 2 == 0, angle.sin(), angle.cos())
    return table.float().T.reshape(dim, *grid)


def _library() -> Any:
    """The package transformers, of a release that names its weights as a run of kinema keeps them.

    Raises:
        MissingExtraError: it is not installed, or older.
    """
    try:
        library = importlib.import_module("transformers")
    except ImportError as error:
        raise MissingExtraError("transformers", "transformers") from error
    if tuple(int(part) for part in library.__version__.split(".")[:2]) < OLDEST:
        raise MissingExtraError(f"transformers>={'.'.join(map(str, OLDEST))}", "transformers")
    return library
