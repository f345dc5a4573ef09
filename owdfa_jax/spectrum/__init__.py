"""The floor: what a spectrum and k-means reach without a network.

Everything here is NumPy and imports no jax. The pure functions:

- features: `image_residual`, `log_spectrum`, `residual_histogram`.
- whitening: `whitened_components`, `within_class_whitening`.
- kmeans: `semi_supervised_kmeans`, `merge_centres`.
- group_means: `group_means`.
"""
