"""What wrappers that compute the kernel of a layer have in common."""

import contextlib

import keras
from keras import ops

from kerasdl.layers.layer_wrapper import LayerWrapper


class KernelWrapper(LayerWrapper):
    """A wrapper that lets its layer see a kernel computed from the variable it trains.

    The layer keeps its variable, its regularizer and its constraint. During `call`, and only then,
    the attribute that holds the variable holds the computed tensor instead: gradients flow through
    the computation into the variable, and nothing is assigned to it. Threads must not call one
    such layer at the same time.

    Subclasses define `computed_kernel`.
    """

    def build(self, input_shape=None):
        """Builds the layer and finds its kernel.

        Raises:
            ValueError: The layer has no kernel variable.
        """
        super().build(input_shape)
        self._kernel_attribute = _kernel_attribute(self.layer)
        if self._kernel_attribute is None:
            raise ValueError(
                f"{type(self).__name__}(layer={self.layer.name!r}): a "
                f"{type(self.layer).__name__} has no variable `kernel` or `embeddings` (or LoRA or "
                "quantization stands before it). Wrap a layer such as Dense, Conv2D or Embedding."
            )

    def computed_kernel(self, training=None):
        """Returns the kernel that the layer is to see, in at least float32."""
        raise NotImplementedError(f"{type(self).__name__} must define computed_kernel(training).")

    def call(self, inputs, mask=None, training=None):
        """Returns the layer's outputs with the computed kernel."""
        kernel = ops.cast(self.computed_kernel(training), self.layer.compute_dtype)
        with self._kernel_replaced(kernel):
            return self.call_layer(inputs, mask)

    @property
    def kernel_variable(self):
        """The variable that the layer trains."""
        return vars(self.layer)[self._kernel_attribute]

    def raw_kernel(self):
        """Returns the value of the variable in at least float32."""
        value = ops.convert_to_tensor(self.kernel_variable)
        return ops.cast(value, keras.backend.result_type(self.variable_dtype, "float32"))

    @contextlib.contextmanager
    def _kernel_replaced(self, kernel):
        # Through vars(), past Keras' __setattr__: it would track the tensor, or refuse it.
        variable = self.kernel_variable
        vars(self.layer)[self._kernel_attribute] = kernel
        try:
            yield
        finally:
            vars(self.layer)[self._kernel_attribute] = variable


def _kernel_attribute(layer):
    """The name of the attribute that holds the kernel variable: `_kernel` in Dense, or None."""
    for public_name in ("kernel", "embeddings"):
        kernel = getattr(layer, public_name, None)
        if isinstance(kernel, keras.Variable):
            names = (name for name, value in vars(layer).items() if value is kernel)
            return next(names, None)
    return None
