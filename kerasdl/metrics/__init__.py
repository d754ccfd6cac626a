"""Metrics: one number from all targets and predictions so far."""

from kerasdl.metrics.cohen_kappa import CohenKappa
from kerasdl.metrics.expected_calibration_error import ExpectedCalibrationError
from kerasdl.metrics.matthews_correlation import MatthewsCorrelation
from kerasdl.metrics.sparsity import Sparsity

__all__ = ["CohenKappa", "ExpectedCalibrationError", "MatthewsCorrelation", "Sparsity"]
