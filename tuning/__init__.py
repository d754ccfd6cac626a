"""Hyperparameter searches over Keras models that survive a kill and can be read afterwards.

>>> result = tuning.search(build, x, y, strategy="random", trials=10, directory="runs/digits")
>>> result.table
"""

from tuning.result import Result
from tuning.search import search
from tuning.space import choose

__all__ = ["Result", "choose", "search"]
