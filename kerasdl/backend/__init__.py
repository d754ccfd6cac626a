"""The boiler room: what `keras.ops` lacks, under the same names for every framework.

`vjp(function, inputs)` returns `(outputs, pullback)`: the value of `function(inputs)` and a
function that maps cotangents, structured as the outputs, to gradients, structured as the inputs.
Inputs that the outputs do not depend on get zeros. The pullback can be called once.

`jit(function, variables=())` compiles a function of tensors. It reads the current values of
`variables` (Keras variables that the function uses) at every call; on JAX they are arguments of
the compiled function, so that new weights neither go unseen nor compile anew. A compiled function
tracks no gradients except those of a `vjp` within it.

`with_gradient(value, gradients, held, tensors)` returns `value` as if it were a function of
`tensors` whose gradients are `gradients(given, *held)`, one for each: `given` is the gradient for
the value, and the constants `held` are all that is kept for the way back. (`ops.custom_gradient`
keeps every argument on torch, and on JAX none but floating-point ones can be kept.)

`dense(gradient)` returns a gradient as a tensor: TensorFlow has the gradient of an embedding as
slices.

`TwoPassTraining` is a base class for a `keras.Model` (to be named before it) that trains with the
gradients at other weights than its own: a step takes gradients, adds what
`self.perturbations(gradients)` returns for them (`None` leaves a weight) to the trainable weights,
takes gradients again and gives these to the optimizer at the weights of before. Losses, metrics,
random states and moving statistics are those of the first pass; the second draws the same numbers.

`preserved_randomness()` is a context that leaves the framework's global random numbers as they
were: on torch, Keras draws them for layers without a seed.

`spectral_norm(matrix, iterations)` returns the largest singular value of a matrix and its vectors,
with the gradient of the value.
"""

import keras

from kerasdl.backend.spectral_norm import spectral_norm

if keras.backend.backend() == "tensorflow":
    from kerasdl.backend.tensorflow import (
        TwoPassTraining,
        dense,
        jit,
        preserved_randomness,
        vjp,
        with_gradient,
    )
elif keras.backend.backend() == "jax":
    from kerasdl.backend.jax import (
        TwoPassTraining,
        dense,
        jit,
        preserved_randomness,
        vjp,
        with_gradient,
    )
elif keras.backend.backend() == "torch":
    from kerasdl.backend.torch import (
        TwoPassTraining,
        dense,
        jit,
        preserved_randomness,
        vjp,
        with_gradient,
    )
else:
    raise ImportError(
        f"kerasdl runs on the Keras backends 'tensorflow', 'jax' and 'torch', "
        f"but the chosen one is {keras.backend.backend()!r}. "
        "Set the environment variable KERAS_BACKEND to one of them before Keras is imported."
    )

__all__ = [
    "TwoPassTraining",
    "dense",
    "jit",
    "preserved_randomness",
    "spectral_norm",
    "vjp",
    "with_gradient",
]
