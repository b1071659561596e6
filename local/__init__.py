"""The local stack: what stands in for Azure and Partner Center on one machine. Never deployed."""
