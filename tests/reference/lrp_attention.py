"""Relevance through attention and recurrence by explicit messages; see `lrp.py`."""

import numpy as np

from tests.reference.lrp import epsilon, received, share


def softmax(x):
    """s_i = exp(x_i) / sum_j exp(x_j), along the last axis."""
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def through_softmax(x, R):
    """R_x,i = x_i (R_s,i - s_i sum_j R_s,j).

    Source: Achtibat et al. 2024 (arXiv 2402.05602), proposition 3.1.
    """
    return x * (R - softmax(x) * R.sum(axis=-1, keepdims=True))


def through_matmul(A, V, R):
    """O = A V: each summand A_ji V_ip of O_jp has its share of R_jp, one half for each factor.

    A is `(rows, inner)`, V `(inner, columns)`; R_A,ji = sum_p A_ji V_ip / (2 O_jp) R_jp and R_V,ip
    = sum_j A_ji V_ip / (2 O_jp) R_jp.

    Source: Achtibat et al. 2024, proposition 3.3.
    """
    products = A @ V
    R_A, R_V = np.zeros_like(A), np.zeros_like(V)
    for j, i, p in np.ndindex(*A.shape, V.shape[1]):
        message = share(A[j, i] * V[i, p], products[j, p]) * R[j, p]
        R_A[j, i] += message / 2
        R_V[i, p] += message / 2
    return R_A, R_V


def self_attention(x, maps, heads):
    """Returns queries, keys, values and their attended sums, `(time, heads * size)` each.

    Args:
        x: One sequence, `(time, features)`.
        maps: `(W, b)` of query, key, value and output, the heads' columns side by side.
        heads: The number of heads.
    """
    Q, K, V = (x @ W + b for W, b in maps[:3])
    attended = np.zeros_like(V)
    for columns in np.split(np.arange(Q.shape[1]), heads):
        S = Q[:, columns] @ K[:, columns].T / np.sqrt(len(columns))
        attended[:, columns] = softmax(S) @ V[:, columns]
    return Q, K, V, attended


def through_self_attention(x, maps, heads, R, rule, bilinear):
    """Returns the relevance of one sequence `(time, features)`; the scale of the scores passes it.

    Args:
        x: See `self_attention`, as `maps` and `heads`.
        maps: See above.
        heads: See above.
        R: Relevance of the layer's outputs, `(time, features)`.
        rule: A function `(a, W, b, R)` to messages, for the four affine maps.
        bilinear: `"attnlrp"`: a half for each factor of a product; `"cp"`: all for the values,
            none for queries and keys (Ali et al. 2022).
    """
    Q, K, V, attended = self_attention(x, maps, heads)
    R_O = received(rule(attended, *maps[3], R))
    R_Q, R_K, R_V = np.zeros_like(Q), np.zeros_like(K), np.zeros_like(V)
    for c in np.split(np.arange(Q.shape[1]), heads):
        S = Q[:, c] @ K[:, c].T / np.sqrt(len(c))
        R_A, R_V[:, c] = through_matmul(softmax(S), V[:, c], R_O[:, c])
        if bilinear == "cp":
            R_V[:, c] *= 2
            continue
        R_Q[:, c], transposed = through_matmul(Q[:, c], K[:, c].T, through_softmax(S, R_A))
        R_K[:, c] = transposed.T
    factors = zip(maps[:3], (R_Q, R_K, R_V), strict=True)
    return sum(received(rule(x, *affine, R_factor)) for affine, R_factor in factors)


def _through_linear(x, h, W, U, b, R, stabilizer):
    """The epsilon rule of z = x W + h U + b, one pre-activation: `(R_x, R_h)`."""
    R_both = received(epsilon(np.hstack([x, h]), np.vstack([W, U]), b, R, stabilizer))
    return R_both[:, : x.shape[1]], R_both[:, x.shape[1] :]


def simple_rnn(x, W, U, b):
    """Returns each step's h_{t-1}, and the last h; x is `(batch, time, in)`.

    h_t = tanh(x_t W + h_{t-1} U + b).
    """
    h = np.zeros((len(x), len(U)))
    steps = []
    for t in range(x.shape[1]):
        steps.append(h)
        h = np.tanh(x[:, t] @ W + h @ U + b)
    return steps, h


def through_simple_rnn(x, W, U, b, R, stabilizer):
    """Returns the relevance of x from that of the last h, `(batch, units)`; tanh passes it."""
    R_x = np.zeros(x.shape)
    steps, _ = simple_rnn(x, W, U, b)
    for t, before in reversed(list(enumerate(steps))):
        R_x[:, t], R = _through_linear(x[:, t], before, W, U, b, R, stabilizer)
    return R_x


def lstm(x, W, U, b):
    """Returns each step's `(i, f, g, c_{t-1}, c_t, h_{t-1})`, and the last h.

    i, f, o = sigmoid and g = tanh of x_t W + h_{t-1} U + b, columns in the order i, f, g, o; c_t =
    f c_{t-1} + i g; h_t = o tanh(c_t).
    """
    h = c = np.zeros((len(x), len(U)))
    steps = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ W + h @ U + b, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        after = f * c + i * g
        steps.append((i, f, g, c, after, h))
        c, h = after, o * np.tanh(after)
    return steps, h


def through_lstm(x, W, U, b, R, stabilizer):
    """Returns the relevance of x from that of the last h, `(batch, units)`.

    The gates get nothing. R_{c_t} += R_{h_t}; R_g = i g / c_t R_{c_t}; R_{c_{t-1}} = f c_{t-1} /
    c_t R_{c_t}; g passes its own to its pre-activation, which gives by epsilon to x_t and h_{t-1}.

    Source: Arras et al. 2017 (arXiv 1706.07206), section 3, without their epsilon in c_t.
    """
    W_g, U_g, b_g = (np.split(weights, 4, axis=-1)[2] for weights in (W, U, b))
    R_h, R_c = R, np.zeros_like(R)
    R_x = np.zeros(x.shape)
    steps, _ = lstm(x, W, U, b)
    for t, (i, f, g, c_before, c, h_before) in reversed(list(enumerate(steps))):
        R_c = R_c + R_h
        R_g = share(i * g, c) * R_c
        R_c = share(f * c_before, c) * R_c
        R_x[:, t], R_h = _through_linear(x[:, t], h_before, W_g, U_g, b_g, R_g, stabilizer)
    return R_x


def gru(x, W, U, b):
    """Returns each step's `(z, r, g, h_{t-1}, h_t)`, and the last h.

    z, r = sigmoid(x_t W + b + h_{t-1} U + b'), g = tanh(x_t W + b + r (h_{t-1} U + b')), columns in
    the order z, r, g, the two biases `b` of shape `(2, 3 units)`; h_t = z h_{t-1} + (1 - z) g.
    """
    h = np.zeros((len(x), len(U)))
    steps = []
    for t in range(x.shape[1]):
        x_z, x_r, x_g = np.split(x[:, t] @ W + b[0], 3, axis=1)
        h_z, h_r, h_g = np.split(h @ U + b[1], 3, axis=1)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        g = np.tanh(x_g + r * h_g)
        after = z * h + (1 - z) * g
        steps.append((z, r, g, h, after))
        h = after
    return steps, h


def through_gru(x, W, U, b, R, stabilizer):
    """Returns the relevance of x from that of the last h, `(batch, units)`.

    The gates z, 1 - z and r get nothing. R_g = (1 - z) g / h_t R; h_{t-1} gets z h_{t-1} / h_t R,
    and its part of what g's one pre-activation gives by epsilon, r scaling the columns of U.
    """
    W_g, U_g, b_g = (np.split(weights, 3, axis=-1)[2] for weights in (W, U, b))
    R_x = np.zeros(x.shape)
    steps, _ = gru(x, W, U, b)
    for t, (z, r, g, before, h) in reversed(list(enumerate(steps))):
        R_g, R = share((1 - z) * g, h) * R, share(z * before, h) * R
        for n in range(len(x)):
            row = slice(n, n + 1)
            gated = U_g * r[n], b_g[0] + r[n] * b_g[1]
            rows = x[row, t], before[row]
            R_x[row, t], R_h = _through_linear(*rows, W_g, *gated, R_g[row], stabilizer)
            R[row] += R_h
    return R_x
