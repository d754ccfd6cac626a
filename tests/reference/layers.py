"""The layers' formulas in NumPy and float64: slow, obvious, without numerical care."""

import numpy as np


def tied_qk_attention(x, kernel, num_heads=1, allowed=None):
    """softmax(q q' / sqrt(d)) x head by head; `allowed` is (batch, time, time) or None."""
    batch, time, features = x.shape
    size, width = kernel.shape[1] // num_heads, features // num_heads
    y = np.zeros(x.shape)
    for row in range(batch):
        for head in range(num_heads):
            queries = x[row] @ kernel[:, head * size : (head + 1) * size]
            values = x[row][:, head * width : (head + 1) * width]
            for step in range(time):
                scores = np.exp([queries[step] @ key / np.sqrt(size) for key in queries])
                if allowed is not None:
                    scores = scores * allowed[row, step]
                total = scores.sum() or 1.0
                y[row, step, head * width : (head + 1) * width] = scores / total @ values
    return y


def sinusoidal_positions(time, features, max_wavelength=10000.0):
    table = np.zeros((time, features))
    for p in range(time):
        for column in range(features):
            i = column // 2
            angle = p / max_wavelength ** (2 * i / features)
            table[p, column] = np.cos(angle) if column % 2 else np.sin(angle)
    return table


def instance_normalization(x, epsilon, mask=None):
    """(batch, ..., channels) with a mask (batch, ...) or None."""
    y = np.array(x, "float64")
    for row in range(len(x)):
        for channel in range(x.shape[-1]):
            values = np.asarray(x[row, ..., channel], "float64")
            counted = values if mask is None else values[mask[row]]
            y[row, ..., channel] = (values - counted.mean()) / np.sqrt(counted.var() + epsilon)
    return y


def k_sparse(x, k):
    y = np.zeros_like(x)
    for row, out in zip(x.reshape(-1, x.shape[-1]), y.reshape(-1, x.shape[-1]), strict=True):
        for index in sorted(range(len(row)), key=lambda i: -row[i])[:k]:
            out[index] = row[index]
    return y


def weight_normalized(v, gain, axis=-1):
    """gain * v / |v| for the vectors that lie along `axis`."""
    v = np.moveaxis(np.asarray(v, "float64"), axis, 0)
    rows = [g * row / np.sqrt((row**2).sum()) for g, row in zip(np.ravel(gain), v, strict=True)]
    return np.moveaxis(np.stack(rows), 0, axis)


def spectrally_normalized(kernel, max_norm):
    kernel = np.asarray(kernel, "float64")
    sigma = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
    return kernel / max(1, sigma / max_norm)


def gru(x, kernel, recurrent_kernel, bias, start):
    """Keras' GRU with reset_after=True; returns the last state."""
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    h = np.array(start, "float64")
    for step in range(x.shape[1]):
        xz, xr, xh = np.split(x[:, step] @ kernel + bias[0], 3, axis=-1)
        hz, hr, hh = np.split(h @ recurrent_kernel + bias[1], 3, axis=-1)
        z = sigmoid(xz + hz)
        h = z * h + (1 - z) * np.tanh(xh + sigmoid(xr + hr) * hh)
    return h
