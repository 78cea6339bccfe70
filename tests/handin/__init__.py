"""What is handed in of a run: the report, the zip, and its replay, made by real runs."""
