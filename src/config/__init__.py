"""The configuration: typed, bounded, and checked before any work begins. Nothing here imports TensorFlow."""
