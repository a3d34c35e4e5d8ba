"""Sweeps that start by themselves: timers, locks on GPUs, the search's process, what came of it, and who is told."""
