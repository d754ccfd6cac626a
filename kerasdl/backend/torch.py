"""Gradients with torch; functions run eagerly, as Keras itself does."""

import functools

import keras
import torch
from keras import tree


def dense(gradient):
    """Returns the gradient, which is a tensor already; see `kerasdl.backend`."""
    return gradient


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


class TwoPassTraining:
    """The training step of a model in two passes; see `kerasdl.backend`."""

    def train_step(self, data):
        """Returns the logs of one batch."""
        x, y, sample_weight = batch = keras.utils.unpack_x_y_sample_weight(data)
        weights = self.trainable_variables
        state = [*self.non_trainable_variables, *self.metrics_variables]
        start, before = _values(weights), _values(state)
        loss, y_pred, gradients = self._pass(*batch)
        after = _values(state)
        for weight, change in zip(weights, self.perturbations(gradients), strict=True):
            if change is not None:
                weight.assign_add(change)
        _assign(state, before)
        _, _, gradients = self._pass(*batch)
        _assign([*weights, *state], [*start, *after])
        rows = next(part for part in tree.flatten(x) if part is not None).shape[0]
        self._loss_tracker.update_state(loss, sample_weight=rows)
        with torch.no_grad():
            self.optimizer.apply(gradients, weights)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def _pass(self, x, y, sample_weight):
        """Returns the loss, the predictions and the gradients, scaled as the optimizer wants."""
        self.zero_grad()
        y_pred = self(x, training=True)
        given = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": sample_weight}
        loss = self._compute_loss(**given, training=True)
        self.optimizer.scale_loss(loss).backward()
        return loss.detach(), y_pred, [weight.value.grad for weight in self.trainable_weights]


def _values(variables):
    return [variable.value.detach().clone() for variable in variables]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


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
