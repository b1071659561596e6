"""What the application does: place an order, attach documents, process a drop, sweep."""
