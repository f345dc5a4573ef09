"""Names that a config may give for a network, without importing JAX.

Settings are checked against these names before anything slow is imported;
`tests/models/test_names.py` keeps them equal to the definitions.
"""

# Keys of `owdfa_jax.models.backbones.BACKBONES`.
BACKBONE_NAMES = (
  'resnet18',
  'resnet34',
  'resnet50',
  'small',
  'efficientnet_lite0',
  'efficientnet_lite0_stride16',
)
# Keys of `owdfa_jax.models.create.DTYPES`.
DTYPE_NAMES = ('float32', 'bfloat16')
# Keys of `owdfa_jax.models.front_end.FRONT_ENDS`.
FRONT_END_NAMES = ('rgb', 'residual', 'scaled_residual', 'both')
