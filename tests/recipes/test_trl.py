"""The recipe of TRL: what only the data know."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from kinema.core.errors import ConfigError
from kinema.data.tracklets.table import Tracklet, Tracklets
from kinema.networks.images import ImageConfig
from kinema.recipes.table import METHODS, preset
from kinema.recipes.trl import fit


def table(folder, suffix=".npy", widths=(6, 6)):
    rows = []
    for number, width in enumerate(widths):
        name = f"{number}{suffix}"
        if suffix == ".npy":
            np.save(folder / name, np.zeros((4, width), np.float32))
        rows.append(Tracklet(str(number), str(number), "a", (name,), (0, 1, 2, 3)))
    return Tracklets(folder, tuple(rows))


def test_the_presets_are_whole_plans():
    for name in METHODS["trl"].presets:
        plan = preset(name, "trl")
        assert plan.recipe().view == "tracklet"
        assert plan.batch_size % plan.method.instances == 0


def test_arrays_of_features_take_the_network_of_features(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        plan = fit(preset("small", "trl"), table(tmp_path))
    assert plan.encoder == ImageConfig("features", features=6)
    assert not plan.method.transformer
    assert "6 features each: the network 'convnet' is left out, and so is the transformer" in caplog.text
    assert fit(plan, table(tmp_path)) == plan


def test_crops_keep_the_preset(tmp_path):
    plan = preset("small", "trl")
    assert fit(plan, table(tmp_path, ".jpg")) == plan


def test_features_that_do_not_fit_are_refused(tmp_path):
    plan = preset("small", "trl")
    features = replace(
        plan, encoder=ImageConfig("features", features=5), method=replace(plan.method, transformer=False)
    )
    with pytest.raises(ConfigError, match="takes 5 features a frame, and the data have 6"):
        fit(features, table(tmp_path))
    with pytest.raises(ConfigError, match="the data are crops"):
        fit(features, table(tmp_path, ".jpg"))
