"""The forms of values in what programs write: numbers, JSON, progress bars.

    foreign_numbers  Numbers as locales and Fortran write them, and why they are none
    json_path        Values in a JSON document, found by a dotted path, spelled as they came
    last_states      Output as a person sees it: of a line that was written over, its last state
    numerals         The spelling of numbers
    refusal          The refusal of a result: its bytes do not give the value that spe.yaml asks for
    same_number      Compares two cells as the numbers that they spell, exactly
"""
