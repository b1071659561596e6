"""Blob storage: the only place that speaks to azure-core and azure-storage-blob."""
