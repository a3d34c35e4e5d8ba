"""The machine's GPUs: what there is, how full and busy each is, and which share of one a trial's process has."""
