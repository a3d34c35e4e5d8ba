"""Hydra applications that benchmarks have searched; they know nothing of fitgap but what any application may."""
