"""spe.yaml as a document: what is read of it and what each wrong one is told."""
