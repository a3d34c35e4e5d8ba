"""What histories and runs say about overfitting: pure computations, which know nothing of where runs are kept."""
