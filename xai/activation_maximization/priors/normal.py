"""Normal densities and their mixtures, over flat rows."""

import numbers

import numpy as np

MOST_ELEMENTS = 3000
MOST_ENTRIES = 50_000_000  # of all covariances: 400 MB in float64


def check_components(components):
    """Refuses a number of components that is no positive int.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(components, numbers.Integral) or components < 1:
        raise ValueError(f"components is a positive int; received {components!r}.")


def check_size(elements, components):
    """Refuses more input elements than full covariances can hold.

    Raises:
        ValueError: Too many input elements, or too many for so many components.
    """
    if elements > MOST_ELEMENTS or components * elements**2 > MOST_ENTRIES:
        raise ValueError(
            f"Received {components} component(s) of {elements} elements: a mixture holds full "
            f"covariances, of up to {MOST_ELEMENTS} elements and {MOST_ENTRIES} entries in all. "
            "Fit on smaller or cropped inputs, with fewer components, or another prior, such as "
            "Gaussian or Spectral."
        )


def factor(weights, covariances):
    """Returns what `log_density` needs besides the means.

    Args:
        weights: Of the components, `(components,)`; they sum to one.
        covariances: `(components, elements, elements)`.

    Returns:
        Whitening matrices W with W W^T the inverse covariance, `(components, elements, elements)`,
        and the components' log-densities at their means, `(components,)`.

    Raises:
        ValueError: A covariance is not positive definite.
    """
    try:
        cholesky = np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError:
        raise ValueError(
            "A covariance is not positive definite. Fit on data that vary in every direction, or "
            "add a small multiple of the identity."
        ) from None
    whitening = np.swapaxes(np.linalg.inv(cholesky), -1, -2)
    log_volumes = np.log(np.diagonal(whitening, axis1=-2, axis2=-1)).sum(axis=-1)
    elements = covariances.shape[-1]
    return whitening, np.log(weights) + log_volumes - elements / 2 * np.log(2 * np.pi)


def log_density(parameters, x, ops):
    """Returns the log-density of a mixture of normals, `(batch, ...)` to `(batch,)`.

    Args:
        parameters: Means `(components, elements)` and the two arrays of `factor`.
        x: Rows; flattened here.
        ops: `keras.ops` or `numpy`.
    """
    _, logs = _whiten(parameters, x, ops)
    return _log_sum(logs, ops)


def log_density_and_score(parameters, x, ops):
    """Returns what `log_density` does, and its gradient, flat `(batch, elements)`."""
    white, logs = _whiten(parameters, x, ops)
    values = _log_sum(logs, ops)
    shares = ops.expand_dims(ops.exp(logs - values), axis=-1)
    pulls = ops.matmul(shares * white, ops.transpose(parameters[1], (0, 2, 1)))
    return values, -ops.sum(pulls, axis=0)


def _whiten(parameters, x, ops):
    """Returns whitened differences from the means, `(components, batch, elements)`, and their logs.

    The logs are those of each component's density by its weight, `(components, batch)`.
    """
    means, whitening, peaks = parameters
    difference = ops.reshape(x, (1, -1, means.shape[1])) - ops.expand_dims(means, axis=1)
    white = ops.matmul(difference, whitening)
    return white, ops.expand_dims(peaks, axis=1) - 0.5 * ops.sum(white * white, axis=-1)


def _log_sum(logs, ops):
    """Returns the logarithm of the sum of the exponentials over components."""
    highest = ops.max(logs, axis=0)
    return highest + ops.log(ops.sum(ops.exp(logs - highest), axis=0))


def sample(means, covariances, components, random):
    """Returns one row from each of the chosen components, `(len(components), elements)`."""
    noise = random.standard_normal((len(components), means.shape[1]))
    rows = np.empty_like(noise)
    for component in np.unique(components):
        chosen = components == component
        rows[chosen] = noise[chosen] @ np.linalg.cholesky(covariances[component]).T
    return rows + means[components]
