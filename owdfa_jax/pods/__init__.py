"""Pods: if one of several processes ends, the others end too."""
