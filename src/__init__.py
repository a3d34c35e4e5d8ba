"""fitgap: experiment-tracked sweeps for image classifiers that show overfitting."""
