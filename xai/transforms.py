"""Random transforms of what a model sees of the inputs that an activation maximization climbs."""

from xai.activation_maximization.transforms import Crop, Jitter, Noise, Rotate, Scale, Transform

__all__ = ["Crop", "Jitter", "Noise", "Rotate", "Scale", "Transform"]
