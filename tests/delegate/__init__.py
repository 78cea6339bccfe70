"""Tests of a user's delegate, with farms whose account has been taken over among them."""
