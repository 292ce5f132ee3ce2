"""Video transformers at a size that a test can afford, ours and those of transformers."""

import pytest
import torch

from kinema.networks import EncoderConfig, VitConfig

SIZES = VitConfig(dim=48, depth=2, heads=4, mlp_ratio=2.0, patch=8, tubelet=2)
NAMES = ("videomae", "vjepa2")
CONFIGS = {name: EncoderConfig(name, vit=SIZES) for name in NAMES}
FRAMES, SIDE = 4, 16


def library():
    """The package transformers, or a test that is skipped."""
    return pytest.importorskip("transformers", reason="the extra kinema[transformers] is not installed")


def their_config(name, **changes):
    """Theirs of the same sizes, for clips of 4 frames of 16 x 16."""
    sizes = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "patch_size": 8, "tubelet_size": 2}
    if name == "videomae":
        own = {"intermediate_size": 96, "image_size": SIDE, "num_frames": FRAMES, "use_mean_pooling": False}
        own |= {"decoder_hidden_size": 24, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2}
        return library().VideoMAEConfig(**{**sizes, **own, **changes})
    own = {"mlp_ratio": 2.0, "crop_size": SIDE, "frames_per_clip": FRAMES, "num_pooler_layers": 1}
    own |= {"pred_hidden_size": 24, "pred_num_hidden_layers": 1, "pred_num_attention_heads": 2}
    return library().VJEPA2Config(**{**sizes, **own, **changes})


def their_model(name, kind="Model", seed=1, **changes):
    """Theirs with every weight drawn anew: a fresh network's biases are all zero and would hide a wrong one."""
    family = {"videomae": "VideoMAE", "vjepa2": "VJEPA2"}[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = getattr(library(), family + kind)(their_config(name, **changes)).eval()
        for parameter in net.parameters():
            torch.nn.init.normal_(parameter, 0, 0.2)
    return net


def pixels(batch=2, channels=3, frames=FRAMES, side=SIDE, seed=2):
    """Clips of colours between 0 and 1, [B, C, T, H, W]."""
    return torch.rand(batch, channels, frames, side, side, generator=torch.Generator().manual_seed(seed))


def as_rgb(x):
    """Colours as the view 'rgb' has them."""
    return (x - 0.45) / 0.225


def as_theirs(x):
    """Colours as the published networks were trained on, [B, T, C, H, W]."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((x.movedim(1, -1) - mean) / std).movedim(-1, 2)
