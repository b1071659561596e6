"""Drives the Partner Center simulator from outside: over HTTP with requests, and over bare sockets."""
