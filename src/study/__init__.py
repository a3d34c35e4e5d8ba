"""A study: what is searched, asked of Optuna and told to it; the one place that speaks to Optuna."""
