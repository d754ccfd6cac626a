"""Optimizers in NumPy and float64, written from their papers: slow, obvious, without savings.

Each takes the list of start weights and a function that returns the gradients at given weights and
a step number from 0, and returns the weights after every step.
"""

import math

import numpy as np


def _float64(arrays):
    return [np.array(array, "float64") for array in arrays]


def _zeros(arrays):
    return [np.zeros_like(array) for array in arrays]


def sgd(weights, gradients, steps, rate=0.1):
    weights, path = _float64(weights), []
    for t in range(steps):
        weights = [w - rate * g for w, g in zip(weights, gradients(weights, t), strict=True)]
        path.append(weights)
    return path


def radam(weights, gradients, steps, rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    weights, path = _float64(weights), []
    ms, vs = _zeros(weights), _zeros(weights)
    limit = 2 / (1 - beta_2) - 1
    for t in range(1, steps + 1):
        gs = gradients(weights, t - 1)
        ms = [beta_1 * m + (1 - beta_1) * g for m, g in zip(ms, gs, strict=True)]
        vs = [beta_2 * v + (1 - beta_2) * g**2 for v, g in zip(vs, gs, strict=True)]
        length = limit - 2 * t * beta_2**t / (1 - beta_2**t)
        moved = []
        for w, m, v in zip(weights, ms, vs, strict=True):
            m_hat = m / (1 - beta_1**t)
            if length > 4:
                v_hat = v / (1 - beta_2**t)
                numerator = (length - 4) * (length - 2) * limit
                r = math.sqrt(numerator / ((limit - 4) * (limit - 2) * length))
                moved.append(w - rate * r * m_hat / (np.sqrt(v_hat) + epsilon))
            else:
                moved.append(w - rate * m_hat)
        weights = moved
        path.append(weights)
    return path


def ada_belief(weights, gradients, steps, rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-16):
    weights, path = _float64(weights), []
    ms, ss = _zeros(weights), _zeros(weights)
    for t in range(1, steps + 1):
        gs = gradients(weights, t - 1)
        moved = []
        for i, (w, g) in enumerate(zip(weights, gs, strict=True)):
            ms[i] = beta_1 * ms[i] + (1 - beta_1) * g
            ss[i] = beta_2 * ss[i] + (1 - beta_2) * (g - ms[i]) ** 2 + epsilon
            m_hat, s_hat = ms[i] / (1 - beta_1**t), ss[i] / (1 - beta_2**t)
            moved.append(w - rate * m_hat / (np.sqrt(s_hat) + epsilon))
        weights = moved
        path.append(weights)
    return path


def adan(weights, gradients, steps, rate=0.001, betas=(0.98, 0.92, 0.99), epsilon=1e-8, decay=0):
    beta_1, beta_2, beta_3 = betas
    weights, path = _float64(weights), []
    ms, vs, ns, before = _zeros(weights), _zeros(weights), _zeros(weights), None
    for t in range(1, steps + 1):
        gs = gradients(weights, t - 1)
        before = gs if before is None else before
        moved = []
        for i, (w, g) in enumerate(zip(weights, gs, strict=True)):
            change = g - before[i]
            ms[i] = beta_1 * ms[i] + (1 - beta_1) * g
            vs[i] = beta_2 * vs[i] + (1 - beta_2) * change
            ns[i] = beta_3 * ns[i] + (1 - beta_3) * (g + beta_2 * change) ** 2
            m_hat, v_hat = ms[i] / (1 - beta_1**t), vs[i] / (1 - beta_2**t)
            rates = rate / (np.sqrt(ns[i] / (1 - beta_3**t)) + epsilon)
            moved.append((w - rates * (m_hat + beta_2 * v_hat)) / (1 + rate * decay))
        weights, before = moved, gs
        path.append(weights)
    return path


def adopt(weights, gradients, steps, rate=0.001, beta_1=0.9, beta_2=0.9999, epsilon=1e-6):
    weights, path = _float64(weights), []
    vs = [g**2 for g in gradients(weights, 0)]
    ms = _zeros(weights)
    path.append(weights)
    for t in range(1, steps):
        moved = []
        for i, (w, g) in enumerate(zip(weights, gradients(weights, t), strict=True)):
            normalized = np.clip(g / np.maximum(np.sqrt(vs[i]), epsilon), -(t**0.25), t**0.25)
            ms[i] = beta_1 * ms[i] + (1 - beta_1) * normalized
            vs[i] = beta_2 * vs[i] + (1 - beta_2) * g**2
            moved.append(w - rate * ms[i])
        weights = moved
        path.append(weights)
    return path


def prodigy(
    weights,
    gradients,
    steps,
    rate=1.0,
    betas=(0.9, 0.999),
    epsilon=1e-8,
    scale=1.0,
    d=1e-6,
    decay=0,
):
    beta_1, beta_2 = betas
    weights, path = _float64(weights), []
    starts, ms, vs, ss, r = weights, _zeros(weights), _zeros(weights), _zeros(weights), 0.0
    root = math.sqrt(beta_2)
    for t in range(steps):
        gs = gradients(weights, t)
        r = root * r + (1 - root) * rate * d**2 * sum(
            np.sum(g * (start - w)) for g, start, w in zip(gs, starts, weights, strict=True)
        )
        moved = []
        for i, (w, g) in enumerate(zip(weights, gs, strict=True)):
            ms[i] = beta_1 * ms[i] + (1 - beta_1) * d * g
            vs[i] = beta_2 * vs[i] + (1 - beta_2) * d**2 * g**2
            ss[i] = root * ss[i] + (1 - root) * rate * d**2 * g
            step = ms[i] / (np.sqrt(vs[i]) + d * epsilon) + decay * w
            moved.append(w - rate * d * step)
        d = max(d, scale * r / sum(np.abs(s).sum() for s in ss))
        weights = moved
        path.append(weights)
    return path


def lars(weights, gradients, steps, rate=1.0, momentum=0.9, trust=0.001, decay=0.0):
    weights, path = _float64(weights), []
    vs = _zeros(weights)
    for t in range(steps):
        moved = []
        for i, (w, g) in enumerate(zip(weights, gradients(weights, t), strict=True)):
            local = 1.0
            if w.ndim > 1:
                local = trust * np.linalg.norm(w) / (np.linalg.norm(g) + decay * np.linalg.norm(w))
                g = g + decay * w
            vs[i] = momentum * vs[i] + rate * local * g
            moved.append(w - vs[i])
        weights = moved
        path.append(weights)
    return path


def schedule_free(
    weights, gradients, steps, rate, interpolation=0.9, beta_2=None, epsilon=1e-8, warmup=0, decay=0
):
    """Returns the paths of y and of x, after every step; without `beta_2` that of SGD."""
    xs, zs = _float64(weights), _float64(weights)
    ys, vs = xs, _zeros(xs)
    y_path, x_path, rates = [], [], []
    for t in range(1, steps + 1):
        step_rate = rate * min(1, t / warmup if warmup else 1)
        if beta_2 is not None:
            step_rate *= math.sqrt(1 - beta_2**t)
        rates.append(max([step_rate, *rates]))
        c = rates[-1] ** 2 / sum(value**2 for value in rates)
        for i, g in enumerate(gradients(ys, t - 1)):
            if beta_2 is not None:
                vs[i] = beta_2 * vs[i] + (1 - beta_2) * g**2
                g = g / (np.sqrt(vs[i]) + epsilon)
            zs[i] = zs[i] - step_rate * (g + decay * ys[i])
        xs = [(1 - c) * x + c * z for x, z in zip(xs, zs, strict=True)]
        ys = [(1 - interpolation) * z + interpolation * x for x, z in zip(xs, zs, strict=True)]
        y_path.append(ys)
        x_path.append(xs)
    return y_path, x_path


def lookahead_sgd(weights, gradients, steps, rate=0.1, k=6, alpha=0.5):
    fast, path = _float64(weights), []
    slow = fast
    for t in range(steps):
        fast = [w - rate * g for w, g in zip(fast, gradients(fast, t), strict=True)]
        if (t + 1) % k == 0:
            slow = [s + alpha * (f - s) for s, f in zip(slow, fast, strict=True)]
            fast = slow
        path.append(fast)
    return path


def centralized_clipped_sgd(weights, gradients, steps, rate=0.1, clip_factor=0.01):
    def transformed(weights, t):
        return [
            _clipped(_centered(g), w, clip_factor)
            for g, w in zip(gradients(weights, t), weights, strict=True)
        ]

    return sgd(weights, transformed, steps, rate)


def _centered(gradient):
    if gradient.ndim < 2:
        return gradient
    return gradient - gradient.mean(axis=tuple(range(gradient.ndim - 1)))


def _clipped(gradient, weight, factor):
    if gradient.ndim < 2:
        return gradient * min(
            1, factor * max(np.linalg.norm(weight), 1e-3) / np.linalg.norm(gradient)
        )
    clipped = gradient.copy()
    for unit in range(gradient.shape[-1]):
        g, w = gradient[..., unit], weight[..., unit]
        clipped[..., unit] *= min(1, factor * max(np.linalg.norm(w), 1e-3) / np.linalg.norm(g))
    return clipped


def sharpness_aware_sgd(weights, gradients, steps, rate=0.1, rho=0.05):
    def above(weights, t):
        gs = gradients(weights, t)
        norm = math.sqrt(sum(np.sum(g**2) for g in gs))
        moved = [w + rho * g / norm for w, g in zip(weights, gs, strict=True)]
        return gradients(moved, t)

    return sgd(weights, above, steps, rate)
