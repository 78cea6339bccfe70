"""`notify:` in spe.yaml: who is told of what happens to a run.

    recipients  Those who are told, and of which events
"""
