"""Results that the papers report, by the classes of their protocol."""

from collections.abc import Collection, Mapping

from input_pipeline.benchmarks.owdfa_classes import owdfa_protocol

# Protocol 1 of OW-DFA, in percent, in the order of the papers' seven columns
# (Sun et al., "Contrastive pseudo learning for open-world deepfake
# attribution", ICCV 2023): ResNet-50, 256 pixels.
_PROTOCOL1 = {
  'lower bound': (99.96, 40.96, 46.43, 24.05, 46.90, 63.18, 36.35),
  'CPL': (97.50, 71.89, 68.20, 59.37, 83.70, 82.31, 77.64),
  'upper bound': (98.21, 95.36, 91.57, 92.14, 96.68, 93.94, 93.59),
}


def published_rows(
  classes: Collection[str],
) -> tuple[str, Mapping[str, tuple[float, ...]]] | None:
  """Returns the published results of the protocol with these classes.

  Args:
    classes: the names of all classes of a run.

  Returns:
    The protocol, and its rows in percent by their names, in the order of the
    papers' seven columns; None for other classes.
  """
  # Simulated images have shorter names: they are other images.
  if set(classes) == {entry.name for entry in owdfa_protocol(1)}:
    return 'OW-DFA, Protocol 1', _PROTOCOL1
  return None
