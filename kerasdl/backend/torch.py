"""Gradients with torch; functions run eagerly, as Keras itself does."""

import functools

import keras
import torch
from keras import tree


def vjp(function, inputs):
    """Returns the value of `function(inputs)` and its pullback; see `kerasdl.backend`."""
    inputs = tree.map_structure(_leaf, inputs)
    with torch.enable_grad():
        outputs = function(inputs)

    def pullback(cotangents):
        pairs = zip(tree.flatten(outputs), tree.flatten(cotangents), strict=True)
        tracked = [(output, cotangent) for output, cotangent in pairs if output.requires_grad]
        if not tracked:
            return tree.map_structure(torch.zeros_like, inputs)
        gradients = torch.autograd.grad(
            [output for output, _ in tracked],
            tree.flatten(inputs),
            [cotangent for _, cotangent in tracked],
            allow_unused=True,
            materialize_grads=True,
        )
        return tree.pack_sequence_as(inputs, list(gradients))

    return tree.map_structure(torch.Tensor.detach, outputs), pullback


def jit(function, variables=()):
    """Returns `function` run without gradient tracking; `variables` are read where they stand."""
    del variables

    @functools.wraps(function)
    def untracked(*arguments):
        with torch.no_grad():
            return function(*arguments)

    return untracked


def preserved_randomness():
    """Returns a context that leaves torch's global random numbers as they were."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    return torch.random.fork_rng(devices=devices)


def with_gradient(value, gradients, held, tensors):
    """Returns `value` with the gradients given; see `kerasdl.backend`."""
    return _Steered.apply(value.detach(), gradients, [tensor.detach() for tensor in held], *tensors)


class _Steered(torch.autograd.Function):
    """A value and the function that makes its gradients."""

    @staticmethod
    def forward(ctx, value, gradients, held, *tensors):
        ctx.gradients = gradients
        ctx.save_for_backward(*held)
        return value

    @staticmethod
    def backward(ctx, given):
        return None, None, None, *ctx.gradients(given, *ctx.saved_tensors)


def _leaf(value):
    return keras.ops.convert_to_tensor(value).detach().requires_grad_()
