"""The losses' formulas in NumPy and float64, sample by sample: slow and obvious."""

import math

import numpy as np


def perceptron_loss(y_true, y_pred):
    return np.mean(np.maximum(0, -np.asarray(y_true, "float64") * y_pred), axis=-1)


def huber(y_true, y_pred, delta):
    error = np.abs(np.asarray(y_pred, "float64") - y_true)
    return np.mean(np.where(error <= delta, error**2 / 2, delta * (error - delta / 2)), axis=-1)


def contrastive(y_true, y_pred, margin):
    y_true, y_pred = np.asarray(y_true, "float64"), np.asarray(y_pred, "float64")
    apart = np.maximum(0, margin - y_pred) ** 2
    return np.mean(np.where(y_true == 1, y_pred**2, apart), axis=-1)


def gaussian_scale(raw, min_scale=1e-3):
    return min_scale + np.log1p(np.exp(np.asarray(raw, "float64")))


def gaussian_nll(y_true, y_pred, weight=1.0):
    """The likelihood's terms times `weight`, which stands for the constant of beta-NLL."""
    mean, raw = np.split(np.asarray(y_pred, "float64"), 2, axis=-1)
    variance = gaussian_scale(raw) ** 2
    return np.mean(weight * (np.log(variance) + (y_true - mean) ** 2 / variance) / 2, axis=-1)


def expected_cost(y_true, probabilities, cost):
    return [
        sum(p * cost[label][action] for action, p in enumerate(row))
        for label, row in zip(y_true, probabilities, strict=True)
    ]


def softmax(logits):
    powers = np.exp(np.asarray(logits, "float64"))
    return powers / powers.sum(axis=-1, keepdims=True)


def distance(a, b, kind):
    if kind == "cosine":
        return 1 - a @ b / math.sqrt((a @ a) * (b @ b))
    squared = float(np.sum((a - b) ** 2))
    return squared if kind == "squared_euclidean" else math.sqrt(squared)


def triplet(labels, embeddings, margin, mining, kind):
    embeddings = np.asarray(embeddings, "float64")
    losses = []
    for anchor, label in enumerate(labels):
        to = [distance(embeddings[anchor], other, kind) for other in embeddings]
        positives = [to[i] for i, b in enumerate(labels) if b == label and i != anchor]
        negatives = [to[i] for i, b in enumerate(labels) if b != label]
        losses.append(_anchor_loss(positives, negatives, margin, mining))
    return losses


def _anchor_loss(positives, negatives, margin, mining):
    if not positives or not negatives:
        return 0.0
    if mining == "hard":
        return max(0.0, max(positives) - min(negatives) + margin)
    chosen = [min((n for n in negatives if n > p), default=max(negatives)) for p in positives]
    pairs = zip(positives, chosen, strict=True)
    return np.mean([max(0.0, p - n + margin) for p, n in pairs])


def supervised_contrastive(labels, embeddings, temperature):
    embeddings = np.asarray(embeddings, "float64")
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    losses = []
    for anchor, label in enumerate(labels):
        rest = [i for i in range(len(labels)) if i != anchor]
        score = {i: unit[anchor] @ unit[i] / temperature for i in rest}
        total = math.log(sum(math.exp(score[i]) for i in rest))
        found = [total - score[i] for i in rest if labels[i] == label]
        losses.append(np.mean(found) if found else 0.0)
    return losses
