"""The spectrum of natural images: amplitudes that fall with the frequency."""

import numpy as np


def amplitudes(frequency, decay=1.0):
    """Returns amplitudes `1 / frequency^decay` whose mean square is one.

    Frequency zero gets the amplitude of the lowest other.

    Args:
        frequency: Of each coefficient, in cycles per element.
        decay: 1 for natural images.

    Source: Field 1987, Relations between the statistics of natural images and the response
    properties of cortical cells (J. Opt. Soc. Am. A 4).
    """
    lowest = np.min(frequency, where=frequency > 0, initial=1)
    falling = np.maximum(frequency, lowest) ** -decay
    return falling / np.sqrt(np.mean(falling**2))
