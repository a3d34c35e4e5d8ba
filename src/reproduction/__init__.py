"""The published recipes trained anew: what is missing is run, and all runs are held against what was printed."""
