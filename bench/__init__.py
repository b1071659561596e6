"""Measurements: ratios of two ways of doing the same, taken in one run. Never part of a test."""
