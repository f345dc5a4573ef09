"""From the published datasets' folders to the benchmarks' meta CSVs."""
