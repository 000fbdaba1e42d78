"""What a forward pass records, and how it is walked."""
