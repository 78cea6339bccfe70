"""Sets that people add to a run that goes on (`spe run --add`).

    additions  Takes new sets into one run
    carrying   Sets of earlier readings that stay today's, as people have added to them
"""
