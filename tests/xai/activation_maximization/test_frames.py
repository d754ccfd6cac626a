"""Frames of an ascent become a GIF that can be read again."""

import numpy as np
import pytest
from PIL import Image

from xai.activation_maximization import Frames


def filled(count=3, channels=1):
    frames = Frames()
    for number in range(1, count + 1):
        frames(8 * number, np.full((4, 8, 8, channels), number / count))
    return frames


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gif_shows_every_frame_as_a_grid_and_holds_the_last(channels, tmp_path):
    filled(channels=channels).save(tmp_path / "ascent.gif", columns=2)
    assert [path.name for path in tmp_path.iterdir()] == ["ascent.gif"]
    with Image.open(tmp_path / "ascent.gif") as picture:
        assert picture.n_frames == 3
        assert picture.size == (2 * 98 + 2, 2 * 98 + 2)
        durations, shades = [], []
        for number in range(3):
            picture.seek(number)
            durations.append(picture.info["duration"])
            shades.append(np.asarray(picture.convert("L"))[50, 50])
    assert durations == [80, 80, 1500]
    np.testing.assert_allclose(shades, [85, 170, 255], atol=3)


def test_one_look_in_so_many_is_kept():
    frames = Frames(every=2)
    for number in range(5):
        frames(number, np.zeros((1, 8, 8, 1)))
    assert frames.steps == [0, 2, 4]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: Frames(every=0), "every is a positive int; received 0"),
        (
            lambda: Frames()(1, np.zeros((2, 5))),
            r"show images .* received inputs of shape \(2, 5\)",
        ),
        (lambda: Frames().save("a.gif"), "There is no frame yet"),
        (lambda: filled().save("a.png"), r"saved as \.gif; received 'a\.png'"),
    ],
)
def test_what_is_no_film_is_refused(act, message):
    with pytest.raises(ValueError, match=message):
        act()
