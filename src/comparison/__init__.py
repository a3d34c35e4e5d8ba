"""What the runs of a sweep show side by side, from the tracking store alone; knows nothing of how they were started."""
