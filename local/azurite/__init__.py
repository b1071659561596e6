"""Azurite, the storage emulator: installed from the lock file, started and stopped. Never deployed.

https://learn.microsoft.com/en-us/azure/storage/common/storage-use-azurite
"""
