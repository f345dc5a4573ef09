"""Makes the meta CSVs of published benchmarks from the datasets' folders."""
