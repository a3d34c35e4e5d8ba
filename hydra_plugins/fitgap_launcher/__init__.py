"""The Hydra launcher `hydra/launcher=fitgap`."""
