"""What takes how much of the disk, and a budget for what can be deleted."""
