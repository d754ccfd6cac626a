"""The components' formulas in NumPy and float64: slow, obvious, without numerical care."""

import math

import numpy as np


def logistic_loss(y_true, y_pred):
    return [
        np.mean([math.log(1 + math.exp(-t * y)) for t, y in zip(row_true, row_pred, strict=True)])
        for row_true, row_pred in zip(y_true, y_pred, strict=True)
    ]


def log_cosh(y_true, y_pred, beta):
    return [
        np.mean([_log_cosh(beta * (y - t)) / beta for t, y in zip(row_true, row_pred, strict=True)])
        for row_true, row_pred in zip(y_true, y_pred, strict=True)
    ]


def _log_cosh(x):
    return math.log(math.cosh(x)) if abs(x) < 300 else abs(x) - math.log(2)  # cosh(711) overflows


def lecun_tanh(x):
    a = 2 * np.asarray(x, "float64") / 3
    return 1.7159 * (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a))


def mixed_norm(weights, p, q, axis=-1):
    """(sum_i (sum_j |w_ij|**p)**(q/p))**(1/q); i counts the entries of `axis`."""
    weights = np.asarray(weights, "float64")
    total = 0.0
    for i in range(weights.shape[axis]):
        group = weights.take(i, axis).ravel()
        total += sum(abs(weight) ** p for weight in group) ** (q / p)
    return total ** (1 / q)


def ema_momentum_sgd(weight, gradients, learning_rate, momentum):
    """Returns the weight after each step."""
    weight = np.asarray(weight, "float64")
    velocity = np.zeros_like(weight)
    trajectory = []
    for gradient in np.asarray(gradients, "float64"):
        velocity = momentum * velocity + (1 - momentum) * gradient
        weight = weight - learning_rate * velocity
        trajectory.append(weight)
    return trajectory


def unit_variance_gain(activation):
    """The gain g at which E[activation(g z)**2] = g**2 E[activation(z)**2] = 1, z standard normal.

    For positively homogeneous activations only.
    """
    z, step = np.linspace(-12, 12, 200_001, retstep=True)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return 1 / math.sqrt(np.sum(activation(z) ** 2 * density) * step)


def finite_differences(function, x, step=1e-6):
    """The gradient of a scalar function of an array, by central differences."""
    x = np.array(x, "float64")
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[index] += step
        behind[index] -= step
        gradient[index] = (function(ahead) - function(behind)) / (2 * step)
    return gradient


def kl_sparsity(activations, target):
    """sum_i KL(target || mean activation of unit i); units lie along the last axis."""
    activations = np.asarray(activations, "float64")
    total = 0.0
    for i in range(activations.shape[-1]):
        mean = activations[..., i].mean()
        total += target * math.log(target / mean)
        total += (1 - target) * math.log((1 - target) / (1 - mean))
    return total


def soft_orthogonal(weights):
    """||W^T W - I||_F**2 of the kernel as a matrix (rest, filters)."""
    matrix = np.asarray(weights, "float64").reshape(-1, np.shape(weights)[-1])
    return sum(
        (matrix[:, i] @ matrix[:, j] - (i == j)) ** 2
        for i in range(matrix.shape[1])
        for j in range(matrix.shape[1])
    )


def largest_singular_value(weights):
    """The spectral norm of the kernel as a matrix (rest, filters)."""
    matrix = np.asarray(weights, "float64").reshape(-1, np.shape(weights)[-1])
    return np.linalg.svd(matrix, compute_uv=False)[0]
