"""Weights from elsewhere: a ResNet of torchvision or timm, or another run.

Reading a file needs no jax, and a command reads it before jax is imported. What
needs jax is imported when it is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from owdfa_jax.weights.readers import read_weights

if TYPE_CHECKING:
  from owdfa_jax.weights.match import LoadReport, fill_network, to_state_dict

__all__ = ['LoadReport', 'fill_network', 'read_weights', 'to_state_dict']


def __getattr__(name: str) -> Any:
  if name not in __all__:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return getattr(importlib.import_module('owdfa_jax.weights.match'), name)
