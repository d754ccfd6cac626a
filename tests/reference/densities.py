"""Normal densities and their mixtures in NumPy and float64: slow and obvious."""

import math

import numpy as np


def normal_log_density(x, mean, covariance):
    """log N(x; mean, covariance) = -1/2 (d log 2 pi + log det C + (x - m)^T C^-1 (x - m))."""
    d = len(mean)
    difference = np.asarray(x, "float64") - mean
    squared = difference @ np.linalg.inv(covariance) @ difference
    _, log_determinant = np.linalg.slogdet(covariance)
    return -0.5 * (d * math.log(2 * math.pi) + log_determinant + squared)


def mixture_log_density(x, weights, means, covariances):
    """log sum_k w_k N(x; m_k, C_k)."""
    parts = zip(weights, means, covariances, strict=True)
    return math.log(sum(w * math.exp(normal_log_density(x, m, c)) for w, m, c in parts))


def integral(log_density, low, high, points=400):
    """The midpoint rule over a square of the plane."""
    edges = np.linspace(low, high, points + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    grid = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
    return np.exp(log_density(grid)).sum() * ((high - low) / points) ** 2
