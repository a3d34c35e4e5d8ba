"""Local worker processes, in which Hydra jobs run one at a time each; nothing here knows of Optuna or MLflow."""
