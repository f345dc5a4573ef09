"""Weights from elsewhere: a ResNet of torchvision or timm, or another run."""

from owdfa_jax.weights.files import read
from owdfa_jax.weights.match import Report, fill, state_dict

__all__ = ['Report', 'fill', 'read', 'state_dict']
