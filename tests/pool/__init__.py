"""The farm: the rule, the moves, and what jobs hold, whatever is lost or overtaken."""
