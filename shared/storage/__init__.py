"""Blob storage: the only place that speaks its protocol and knows azure-storage-blob."""
