"""Requests that mean harm, while a sweep runs."""
