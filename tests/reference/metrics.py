"""The metrics' formulas in NumPy and float64, sample by sample."""

import numpy as np


def expected_calibration_error(labels, probabilities, bins, weights=None):
    probabilities = np.asarray(probabilities, "float64")
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, "float64")
    confidence, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
    error = 0.0
    for low, high in zip(np.arange(bins) / bins, np.arange(1, bins + 1) / bins, strict=True):
        within = (confidence > low) & (confidence <= high)
        if weights[within].sum() > 0:
            accuracy = np.average(predicted[within] == labels[within], weights=weights[within])
            mean_confidence = np.average(confidence[within], weights=weights[within])
            error += weights[within].sum() * abs(accuracy - mean_confidence)
    return error / weights.sum()
