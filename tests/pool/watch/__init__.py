"""The watchers of a farm: on real hosts, and what they tell."""
