"""Learning rates by step in plain Python: slow, obvious, one branch per phase."""

import math


def robbins_monro(step, initial_learning_rate, decay_steps, power):
    return initial_learning_rate / (1 + step / decay_steps) ** power


def linear_warmup(step, inner, warmup_steps, start):
    if step < warmup_steps:
        return start + (inner(0) - start) * step / warmup_steps
    return inner(step - warmup_steps)


def one_cycle(step, max_learning_rate, total_steps, warmup_fraction, division, final_division):
    first = max_learning_rate / division
    peak = warmup_fraction * total_steps
    if step < peak:
        return _cosine(first, max_learning_rate, step / peak)
    progress = min((step - peak) / (total_steps - peak), 1)
    return _cosine(max_learning_rate, first / final_division, progress)


def _cosine(start, end, progress):
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def cyclical(step, low, high, half_cycle_steps, mode, decay):
    cycle = math.floor(step / (2 * half_cycle_steps))
    x = abs(step / half_cycle_steps - 2 * cycle - 1)
    scale = {"triangular": 1, "triangular2": 2.0**-cycle, "exp_range": decay**step}[mode]
    return low + (high - low) * (1 - x) * scale


def warmup_stable_decay(step, rate, warmup_steps, stable_steps, decay_steps, final, shape):
    if step < warmup_steps:
        return rate * step / warmup_steps
    if step < warmup_steps + stable_steps:
        return rate
    progress = min((step - warmup_steps - stable_steps) / decay_steps, 1)
    return final + (rate - final) * (1 - (progress if shape == "linear" else math.sqrt(progress)))


def inverse_sqrt(step, d_model, warmup_steps):
    """Equation 3 of the paper, whose steps count from 1."""
    t = step + 1
    return d_model**-0.5 * min(t**-0.5, t * warmup_steps**-1.5)
