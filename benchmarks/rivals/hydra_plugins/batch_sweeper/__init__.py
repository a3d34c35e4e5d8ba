"""The rival of fitgap's sweeper, found by Hydra where `benchmarks/rivals` is on the path."""
