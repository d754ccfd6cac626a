"""Layer-wise relevance propagation by explicit messages: slow, float64, without any gradient.

An affine layer is a matrix `W` of shape `(in, out)` and a bias `b`, `(out,)`. It reads `a`,
`(batch, in)`, and `R`, `(batch, out)`, is the relevance of its outputs. A rule returns the messages
`R_{j<-k}` from each output k to each input j, `(batch, in, out)`; `received` sums them.
"""

import numpy as np

STABILIZER = 1e-6


def positive(values):
    """x+ = max(x, 0)."""
    return np.maximum(values, 0.0)


def negative(values):
    """x- = min(x, 0)."""
    return np.minimum(values, 0.0)


def stabilized(z, epsilon=STABILIZER):
    """z + epsilon sign(z), where sign(0) = 1."""
    return z + np.where(z < 0, -epsilon, epsilon)


def contributions(a, W):
    """n_jk = a_j w_jk, `(batch, in, out)`."""
    return np.einsum("nj,jk->njk", a, W)


def share(part, whole):
    """part / whole; a whole of zero has no parts."""
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole != 0)


def messages(n, z, R):
    """R_{j<-k} = n_jk / z_k R_k."""
    return share(n, z[:, None, :]) * R[:, None, :]


def received(messages):
    """R_j = sum_k R_{j<-k}."""
    return messages.sum(axis=2)


def zero(a, W, b, R):
    """R_{j<-k} = a_j w_jk / z_k R_k, where z_k = sum_j a_j w_jk + b_k.

    Source: Bach et al. 2015, eq. 56.
    """
    n = contributions(a, W)
    return messages(n, n.sum(axis=1) + b, R)


def epsilon(a, W, b, R, epsilon):
    """R_{j<-k} = a_j w_jk / (z_k + epsilon sign(z_k)) R_k.

    Source: Bach et al. 2015, eq. 58.
    """
    n = contributions(a, W)
    return messages(n, stabilized(n.sum(axis=1) + b, epsilon), R)


def relative_epsilon(a, W, b, R, factor):
    """As `epsilon`, with epsilon_n = factor sqrt(mean_k z_nk^2) for each row n."""
    z = contributions(a, W).sum(axis=1) + b
    root_mean_square = np.sqrt((z**2).mean(axis=1, keepdims=True))
    return epsilon(a, W, b, R, factor * root_mean_square)


def gamma(a, W, b, R, gamma):
    """Where y_k > 0, positive summands count 1 + gamma times; where y_k < 0, negative ones do.

    y_k > 0: n_jk = a_j+ (w_jk + gamma w_jk+) + a_j- (w_jk + gamma w_jk-), z_k = sum_j n_jk + b_k +
    gamma b_k+; y_k < 0: the same with w+ and w-, b+ and b- exchanged; y_k = 0: no message.

    Source: Andeol et al. 2021 (arXiv 2106.07339); Montavon et al. 2019 for a >= 0 and y > 0.
    """
    y = contributions(a, W).sum(axis=1) + b
    up, down = W + gamma * positive(W), W + gamma * negative(W)
    above = contributions(positive(a), up) + contributions(negative(a), down)
    below = contributions(positive(a), down) + contributions(negative(a), up)
    z_above = stabilized(above.sum(axis=1) + b + gamma * positive(b))
    z_below = stabilized(below.sum(axis=1) + b + gamma * negative(b))
    return messages(above, z_above, R * (y > 0)) + messages(below, z_below, R * (y < 0))


def alpha_beta(a, W, b, R, alpha):
    """R_{j<-k} = (alpha n_jk+ / z_k+ - beta n_jk- / z_k-) R_k, where alpha - beta = 1.

    n_jk = a_j w_jk; z_k+ = sum_j n_jk+ + b_k+, z_k- = sum_j n_jk- + b_k-.

    Source: Bach et al. 2015, eq. 60, whose beta is ours with the other sign.
    """
    n = contributions(a, W)
    z_positive = stabilized(positive(n).sum(axis=1) + positive(b))
    z_negative = stabilized(negative(n).sum(axis=1) + negative(b))
    supporting = messages(positive(n), z_positive, R)
    return alpha * supporting - (alpha - 1) * messages(negative(n), z_negative, R)


def z_plus(a, W, b, R):
    """R_{j<-k} = n_jk+ / (sum_j n_jk+ + b_k+) R_k, where n_jk = a_j w_jk.

    Source: Montavon et al. 2017 (Pattern Recognition 65), the z+ rule, for b <= 0.
    """
    n = positive(contributions(a, W))
    return messages(n, stabilized(n.sum(axis=1) + positive(b)), R)


def z_box(a, W, b, R, low, high):
    """n_jk = a_j w_jk - low_j w_jk+ - high_j w_jk-, z_k = sum_j n_jk.

    Source: Montavon et al. 2017, the zB rule.
    """
    lows, highs = np.zeros_like(a) + low, np.zeros_like(a) + high
    n = contributions(a, W) - contributions(lows, positive(W)) - contributions(highs, negative(W))
    return messages(n, stabilized(n.sum(axis=1)), R)


def w_square(a, W, b, R):
    """R_{j<-k} = w_jk^2 / (sum_j w_jk^2 + b_k^2) R_k.

    Source: Montavon et al. 2017, the w^2 rule, there without the bias.
    """
    n = contributions(np.ones_like(a), W**2)
    return messages(n, stabilized(n.sum(axis=1) + b**2), R)


def flat(a, W, b, R):
    """R_{j<-k} = R_k / number of inputs of k, which are the j with w_jk != 0."""
    n = contributions(np.ones_like(a), W != 0)
    return messages(n, stabilized(n.sum(axis=1)), R)


def unchanged(a, W, b, R):
    """R_{j<-k} = R_k where j = k, else 0: the rule pass, and that of elementwise activations."""
    return np.einsum("jk,nk->njk", np.eye(R.shape[1]), R)


def chain(x, layers, rules, activation, target):
    """Walks through affine layers with an activation between them, which passes relevance on.

    Args:
        x: Inputs, `(batch, in)`.
        layers: Pairs `(W, b)`.
        rules: A function `(a, W, b, R)` to messages for each layer.
        activation: An elementwise function; the last layer has none.
        target: The column of the last layer's output that is explained.

    Returns:
        The relevances of each layer's inputs, those of `x` first.
    """
    a = [x]
    for W, b in layers:
        z = a[-1] @ W + b
        a.append(activation(z))
    R = [z * (np.arange(z.shape[1]) == target)]
    for index in reversed(range(len(layers))):
        R.insert(0, received(rules[index](a[index], *layers[index], R[0])))
    return R[:-1]


def convolution(kernel, bias, shape, stride=1):
    """Returns matrix and bias of a valid 2D convolution of flattened images.

    Args:
        kernel: `(height, width, channels, filters)`.
        bias: `(filters,)`.
        shape: Of one image, `(height, width, channels)`.
        stride: Of both axes.
    """
    size_y, size_x, _, filters = kernel.shape
    rows, columns = (shape[0] - size_y) // stride + 1, (shape[1] - size_x) // stride + 1
    W = np.zeros((*shape, rows, columns, filters))
    for row, column, y, x in np.ndindex(rows, columns, size_y, size_x):
        W[row * stride + y, column * stride + x, :, row, column, :] = kernel[y, x]
    return W.reshape(np.prod(shape), -1), np.tile(bias, rows * columns)


def average_pooling(shape, size, stride):
    """Returns matrix and bias of average pooling: the convolution by 1 / size^2 per channel."""
    kernel = np.zeros((size, size, shape[2], shape[2])) + np.eye(shape[2]) / size**2
    return convolution(kernel, np.zeros(shape[2]), shape, stride)


def max_pooling(a, size, stride):
    """Returns the maxima of each window of images `(batch, height, width, channels)`."""
    rows, columns = ((length - size) // stride + 1 for length in a.shape[1:3])
    y = np.zeros((len(a), rows, columns, a.shape[3]))
    for row, column in np.ndindex(rows, columns):
        top, left = row * stride, column * stride
        y[:, row, column] = a[:, top : top + size, left : left + size].max(axis=(1, 2))
    return y


def through_max_pooling(a, R, size, stride):
    """The winner takes all: R_j = sum of R_k over the windows k in which a_j is the greatest."""
    relevance = np.zeros_like(a)
    for n, row, column, channel in np.ndindex(R.shape):
        top, left = row * stride, column * stride
        window = a[n, top : top + size, left : left + size, channel]
        y, x = np.unravel_index(window.argmax(), window.shape)
        relevance[n, top + y, left + x, channel] += R[n, row, column, channel]
    return relevance


def through_add(branches, R):
    """R_i = a_i / sum_i a_i R for each branch i."""
    return [share(a, sum(branches)) * R for a in branches]


def through_gate(R):
    """The signal takes all, the gate nothing: `(R_signal, R_gate)`.

    Source: Arras et al. 2017 (arXiv 1706.07206), section 3.
    """
    return R, np.zeros_like(R)


def through_product(count, R):
    """R_i = R / count for each of several factors of one kind.

    Source: Achtibat et al. 2024 (arXiv 2402.05602), proposition 3.2.
    """
    return [R / count] * count


def through_scaling(a, scale, offset, R):
    """LRP-0 of y = scale a + offset: R_a = scale a / y R; the offset absorbs its share."""
    return share(scale * a, scale * a + offset) * R


def scale_and_offset(scale, offset, mean, variance, epsilon):
    """BatchNormalization as y = s a + o: s = scale / sqrt(variance + epsilon), o = offset - s mean.

    Its parameters are `(channels,)`.
    """
    s = scale / np.sqrt(variance + epsilon)
    return s, offset - s * mean


def folded(W, b, scale, offset):
    """Folds y = scale z + offset, both `(out,)`, into z = a W + b."""
    return W * scale, b * scale + offset


def through_layer_normalization(x, scale, offset, epsilon, R):
    """LRP-0 of y = (x - mean(x)) / d scale + offset, d held constant.

    x is `(batch, size)`, d = sqrt(var(x) + epsilon). As a matrix per row: w_jk = ([j = k] - 1 /
    size) scale_k / d.
    """
    size = x.shape[1]
    relevance = []
    for row, R_row in zip(x, R, strict=True):
        W = (np.eye(size) - 1 / size) * scale / np.sqrt(row.var() + epsilon)
        relevance.append(received(zero(row[None], W, offset, R_row[None]))[0])
    return np.array(relevance)


def through_rms_normalization(R):
    """R_x = R_y, scale included: y = scale x / d is elementwise once d is held constant."""
    return R
