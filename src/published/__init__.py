"""What the authors of the nineteen recipes printed: their curves and their figures, as data."""
