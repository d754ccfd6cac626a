"""What LRP makes of operations without a kernel.

Most pass values on, sum or choose: their own gradient is the rule. Elementwise activations pass
relevance on unchanged. Products of two activations, and what scales by statistics of its input,
would count relevance twice by their own gradient; `products.py` and `normalizations.py` mend it.
"""

import keras
from keras import tree

from xai.graph import Tensor
from xai.tracing import FoldTime, UnfoldTime

_RANKS = ("1D", "2D", "3D")


def _layers(names):
    """Returns Keras' layer classes of these names, `{}` standing for 1D, 2D and 3D."""
    spelled = [name.format(rank) for name in names.split() for rank in _RANKS]
    return tuple(getattr(keras.layers, name) for name in dict.fromkeys(spelled))


def _names(text):
    return frozenset(text.split())


# Non-negative wherever their inputs are.
_KEEP_SIGN = _layers(
    "MaxPooling{} AveragePooling{} GlobalMaxPooling{} GlobalAveragePooling{} "
    "AdaptiveMaxPooling{} AdaptiveAveragePooling{} ZeroPadding{} Cropping{} UpSampling{} "
    "SpatialDropout{} Dropout AlphaDropout GaussianDropout ActivityRegularization Identity "
    "Add Average Concatenate Maximum Minimum Flatten Reshape Permute RepeatVector "
    "CenterCrop Resizing RandomFlip RandomRotation RandomZoom RandomTranslation RandomShear "
    "RandomPerspective RandomElasticTransform RandomErasing RandomGaussianBlur RandomContrast "
    "RandomBrightness RandomSaturation RandomHue RandomColorJitter RandomGrayscale RandomSharpness "
    "RandomPosterization RandomColorDegeneration RandomInvert RandomCrop"
)
_KEEP_SIGN = (*_KEEP_SIGN, FoldTime, UnfoldTime)
_TRANSPARENT = (*_KEEP_SIGN, *_layers("Subtract BatchNormalization GaussianNoise"))

_ARITHMETIC = _names("Add Subtract Negative Multiply Divide TrueDivide")
_SCALINGS = (keras.layers.Rescaling, keras.layers.Normalization)

# The same among `keras.ops`, whose classes are private: by name.
_OPS_KEEP_SIGN = _names(
    "Add Amax Append Average AdaptiveAveragePool AdaptiveMaxPool AveragePool BroadcastTo Cast "
    "Concatenate ConvertToTensor Copy Cumsum DepthToSpace Diagonal Dstack ExpandDims Flip Fliplr "
    "Flipud GetItem "
    "Hsplit Hstack Max MaxPool Maximum Mean Min Minimum Moveaxis Pad Ravel Repeat Reshape "
    "Resize Roll Rot90 Slice SpaceToDepth Split Squeeze Stack Sum Swapaxes Take Tile Transpose "
    "Unstack Vsplit Vstack"
)
_OPS_TRANSPARENT = _OPS_KEEP_SIGN | _names(
    "Absolute BatchNorm Negative Sort Subtract TakeAlongAxis TopK Where"
)

# No gradient passes.
_CUTS = _names(
    "Argmax Argmin Argpartition Argsort Bincount Ceil Digitize Equal Floor FloorDivide FullLike "
    "Greater GreaterEqual IsFinite IsInf IsNan Less LessEqual LogicalAnd LogicalNot LogicalOr "
    "LogicalXor MultiHot NotEqual OneHot OnesLike Round Searchsorted Sign StopGradient Trunc "
    "ZerosLike"
)
_CONSTANTS = _names("FullLike OnesLike ZerosLike")
_INVERSES = _names("Rsqrt Reciprocal")

_ACTIVATION_LAYERS = _layers("ELU LeakyReLU PReLU Softmax")
_ACTIVATION_OPS = _names(
    "Celu Elu Gelu HardShrink HardSigmoid HardSilu HardTanh LeakyRelu LogSigmoid Relu Relu6 "
    "Selu Sigmoid Silu SoftShrink Softplus Softsign SparsePlus SparseSigmoid Squareplus Tanh "
    "TanhShrink Threshold Exp Mish Square Sqrt Softmax LogSoftmax Sparsemax Glu"
)
_SOFTMAXES = _names("softmax Softmax log_softmax LogSoftmax sparsemax Sparsemax")
_NOT_ELEMENTWISE = _names("softmax logsoftmax log_softmax sparsemax glu")
_NONNEGATIVE = _names(
    "relu Relu relu6 Relu6 bounded_relu sigmoid Sigmoid hard_sigmoid HardSigmoid softplus "
    "Softplus softmax Softmax exponential Exp Square Sqrt Absolute"
)
_BOUNDED = _names("relu6 Relu6 bounded_relu sigmoid Sigmoid hard_sigmoid HardSigmoid")


def keeps_sign(node):
    """Whether a node's outputs are non-negative wherever its inputs are."""
    operation = node.operation
    if getattr(operation, "interpolation", "nearest") not in ("nearest", "bilinear"):
        return False  # the others overshoot
    known = isinstance(operation, _KEEP_SIGN) or op_name(operation) in _OPS_KEEP_SIGN
    return known and all(map(_is_no_negative_constant, tree.flatten((node.args, node.kwargs))))


def signs_of_summands(node):
    """Returns 1 or -1 for each tensor that a sum or difference reads, None for another node."""
    name = op_name(node.operation) or type(node.operation).__name__
    if name not in ("Add", "Subtract", "Negative"):
        return None
    places = tree.flatten((node.args, node.kwargs))
    last = -1 if name != "Add" else 1
    signs = [last if place is places[-1] else 1 for place in places]
    return [sign for place, sign in zip(places, signs, strict=True) if isinstance(place, Tensor)]


def is_nonnegative(operation):
    """Whether outputs are never negative."""
    return (activation_name(operation) or op_name(operation)) in _NONNEGATIVE


def cuts_gradient(operation):
    """Whether no gradient passes the operation."""
    return op_name(operation) in _CUTS


def is_constant(operation):
    """Whether the operation takes no more than the shape from what it reads."""
    return op_name(operation) in _CONSTANTS


def is_inverse(operation):
    """Whether the operation makes a divisor a factor."""
    return op_name(operation) in _INVERSES


def is_bounded(operation):
    """Whether an activation's outputs lie between zero and a bound, as those of a gate do."""
    return activation_name(operation) in _BOUNDED


def is_known(operation):
    """Whether any of the treatments below is for the operation."""
    tests = (
        *(is_transparent, is_activation, is_scaling, is_softmax, is_embedding),
        is_gated_linear_unit,
    )
    return any(test(operation) for test in tests)


def is_transparent(operation):
    """Whether the operation's own gradient distributes relevance as it should."""
    known = isinstance(operation, _TRANSPARENT) or op_name(operation) in _OPS_TRANSPARENT
    return known or is_plain_relu(operation)


def is_plain_relu(operation):
    """Whether the operation is a ReLU without slope, threshold or bound."""
    return activation_name(operation) in ("relu", "Relu")


def is_activation(operation):
    """Whether the operation is an elementwise activation, which passes relevance on unchanged."""
    name = activation_name(operation)
    return name is not None and name.lower() not in _NOT_ELEMENTWISE


def is_scaling(operation):
    """Whether the operation is a preprocessing layer, elementwise affine, offset or not."""
    return isinstance(operation, _SCALINGS)


def is_arithmetic(node):
    """Whether a node adds, subtracts, multiplies or divides each element by a constant."""
    has_one = len(node.inputs) == 1 and node.inputs[0].shape == node.outputs[0].shape
    return has_one and op_name(node.operation) in _ARITHMETIC


def is_embedding(operation):
    """Whether the operation is a layer that looks up vectors of integers."""
    return type(operation) is keras.layers.Embedding


def is_lookup(node):
    """Whether a node looks up vectors of integers in a table that depends on no input."""
    if is_embedding(node.operation):
        return True
    takes = op_name(node.operation) == "Take" and len(node.inputs) == 1
    return takes and isinstance([*node.args, *node.kwargs.values()][1], Tensor)


def is_cast(operation):
    """Whether the operation changes the dtype alone."""
    return op_name(operation) in ("Cast", "ConvertToTensor")


def is_softmax(operation):
    """Whether the operation is a softmax, its logarithm, or a sparse one."""
    return activation_name(operation) in _SOFTMAXES


def is_gated_linear_unit(operation):
    """Whether the operation scales one half of what it reads by the sigmoid of the other."""
    return activation_name(operation) in ("glu", "Glu")


def activation_name(operation):
    """Returns the name of the activation that an operation applies, None if it is none.

    A ReLU layer with a slope or threshold is `"leaky_relu"`, one with a bound `"bounded_relu"`.
    """
    if type(operation) is keras.layers.ReLU or op_name(operation) == "ReLU":
        return _relu_name(operation)
    if type(operation) is keras.layers.Activation:
        operation = operation.activation
    elif isinstance(operation, _ACTIVATION_LAYERS):
        return type(operation).__name__
    if op_name(operation) in _ACTIVATION_OPS:
        return op_name(operation)
    return getattr(operation, "__name__", None)  # a function; layers and operations have none


def op_name(operation):
    """Returns the class name of a `keras.ops` operation, None for anything else."""
    cls = type(operation)
    private = ("keras.src.ops.", "keras.src.activations.")
    return cls.__name__ if cls.__module__.startswith(private) else None


def _is_no_negative_constant(leaf):
    """Whether an argument is a tensor to come, no number at all, or numbers of zero and more."""
    if isinstance(leaf, keras.Variable):
        return False  # its values may change
    is_numeric = isinstance(leaf, int | float) or hasattr(leaf, "__array__")
    return not is_numeric or bool((keras.ops.convert_to_numpy(leaf) >= 0).all())


def _relu_name(layer):
    if layer.negative_slope or layer.threshold:
        return "leaky_relu"
    return "relu" if layer.max_value is None else "bounded_relu"
