import math

import pytest
import torch
from oracles.sound import log_mel_slowly

from kinema.core.errors import ConfigError, ShapeError
from kinema.data.clips.transforms import log_mel, mel_filters


@pytest.mark.parametrize(
    ("window", "fft", "hop", "center"),
    [(64, None, 20, True), (50, 64, 16, True), (50, 64, 16, False), (63, 65, 7, True)],
)
def test_it_is_what_it_says(window, fft, hop, center):
    sound = torch.randn(2, 300, generator=torch.Generator().manual_seed(3)).double() * 0.3
    sound[1, :150] = 0
    settings = {"window": window, "fft": fft, "hop": hop, "bands": 6, "fmin": 100.0, "fmax": 3500.0, "center": center}
    got = log_mel(sound, 8000, **settings)
    assert got.dtype == torch.float32
    expected = torch.stack(
        [torch.tensor(log_mel_slowly(one.tolist(), 8000, **settings), dtype=torch.float64) for one in sound]
    )
    torch.testing.assert_close(got.double(), expected, atol=2e-4, rtol=1e-4)


def test_a_tone_lands_in_its_band():
    rate, bands = 16000, 40
    filters = mel_filters(rate, 512, bands, 0.0, 8000.0)
    t = torch.arange(rate) / rate
    for hertz in (300.0, 440.0, 1000.0, 3000.0, 7000.0):
        mels = log_mel(torch.sin(2 * math.pi * hertz * t)[None], rate, window=400, fft=512, hop=160, bands=bands)
        assert mels.shape == (1, bands, 101)
        expected = int(filters[:, round(hertz * 512 / rate)].argmax())
        assert int(mels[0, :, 50].argmax()) == expected
        place = 2595 * math.log10(1 + hertz / 700) / (2595 * math.log10(1 + 8000 / 700)) * (bands + 1) - 1
        assert abs(expected - place) <= 1


def test_doubling_adds_log_four_and_silence_is_the_floor():
    sound = torch.randn(1, 4000, generator=torch.Generator().manual_seed(1))
    settings = {"window": 256, "hop": 128, "bands": 20}
    torch.testing.assert_close(
        log_mel(2 * sound, 16000, **settings) - log_mel(sound, 16000, **settings),
        torch.full((1, 20, 32), math.log(4)),
        atol=1e-3,
        rtol=0,
    )
    silent = log_mel(torch.zeros(1, 4000), 16000, **settings, floor=1e-6)
    torch.testing.assert_close(silent, torch.full_like(silent, math.log(1e-6)))


@pytest.mark.parametrize("center", [True, False])
def test_frames_lie_where_it_says(center):
    """A click is loudest in the frame whose middle it is."""
    window, hop = 256, 64
    for frame in (5, 9, 20):
        sound = torch.zeros(1, 3000)
        sound[0, frame * hop + (0 if center else window // 2)] = 1
        mels = log_mel(sound, 16000, window=window, hop=hop, bands=10, center=center)
        assert int(mels.sum(1).argmax()) == frame
        assert mels.shape[2] == (1 + 3000 // hop if center else 1 + (3000 - window) // hop)


def test_a_sound_does_not_depend_on_its_neighbours():
    sounds = torch.randn(3, 1000, generator=torch.Generator().manual_seed(2))
    together = log_mel(sounds, 8000, window=200, hop=80, bands=12)
    torch.testing.assert_close(together[1:2], log_mel(sounds[1:2], 8000, window=200, hop=80, bands=12))


def test_what_cannot_be_is_named():
    sound = torch.zeros(1, 1000)
    with pytest.raises(ConfigError, match="of 128 mel bands, the first being number"):
        log_mel(sound, 16000, window=256, hop=64, bands=128)
    with pytest.raises(ConfigError, match="from 0 to 9000 Hz"):
        log_mel(sound, 16000, window=256, hop=64, bands=10, fmax=9000)
    with pytest.raises(ConfigError, match="window=256, fft=128"):
        log_mel(sound, 16000, window=256, fft=128, hop=64, bands=10)
    for wrong in (torch.zeros(1000), torch.zeros(1, 1000, dtype=torch.int16), torch.zeros(1, 0)):
        with pytest.raises(ShapeError, match="has no spectrogram"):
            log_mel(wrong, 16000, window=256, hop=64, bands=10)
    with pytest.raises(ShapeError, match="at least 256"):
        log_mel(torch.zeros(1, 200).float(), 16000, window=256, hop=64, bands=10, center=False)
