"""Weights from elsewhere: a ResNet of torchvision or timm, or another run."""

from owdfa_jax.weights.match import LoadReport, fill_network, to_state_dict
from owdfa_jax.weights.readers import read_weights

__all__ = ['LoadReport', 'fill_network', 'read_weights', 'to_state_dict']
