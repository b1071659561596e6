"""Blobs and queues: the only place that speaks their protocols and knows azure-storage-blob."""
