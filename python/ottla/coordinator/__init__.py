"""What the coordinators of groups and of transactions share: decisions that are records first, and their log."""
