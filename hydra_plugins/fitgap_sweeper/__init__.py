"""fitgap as a Hydra plugin. The folder above has no `__init__.py`: it is a namespace shared with other plugins."""
