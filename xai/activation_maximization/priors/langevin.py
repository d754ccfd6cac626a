"""Langevin's dynamics: rows drawn from a density by its gradient."""

import numpy as np

_STEPS = 100
_STEP = 0.5  # of the scale: unadjusted, it makes the variance of a normal density a 15th too large


def walk(terms, x, scale, random, is_adjusted):
    """Returns rows after 100 steps along the gradient with noise.

    Args:
        terms: A function of rows to their log-densities `(batch,)` and gradients `(batch, ...)`.
        x: Where to begin, `(batch, ...)`.
        scale: How far each element can move alone, in a row's shape; zero holds it.
        random: A NumPy generator.
        is_adjusted: Whether steps are refused as Metropolis and Hastings do, so that their length
            leaves no bias; the log-densities must then be true ones.

    Source: Roberts & Tweedie 1996, Exponential convergence of Langevin distributions and their
    discrete approximations (Bernoulli 2).
    """
    step = _STEP * scale
    log_density, gradient = terms(x)
    for _ in range(_STEPS):
        noise = random.standard_normal(x.shape)
        later = x + 0.5 * step**2 * gradient + step * noise
        later_log_density, later_gradient = terms(later)
        is_taken = np.ones(len(x), bool)
        if is_adjusted:
            back = (x - later - 0.5 * step**2 * later_gradient) / np.where(step > 0, step, 1)
            excess = _squares(noise * (step > 0)) - _squares(back)
            gain = later_log_density - log_density + 0.5 * excess
            is_taken = np.log(random.uniform(size=len(x))) < gain
        per_row = is_taken.reshape(-1, *(1,) * (x.ndim - 1))
        x, gradient = np.where(per_row, later, x), np.where(per_row, later_gradient, gradient)
        log_density = np.where(is_taken, later_log_density, log_density)
    return x


def _squares(rows):
    """Returns the sum of the squares of each row, `(batch,)`."""
    return np.square(rows).reshape(len(rows), -1).sum(axis=1)
