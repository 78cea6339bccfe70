"""Holds every fit that claims to have converged against NIST's certified values, to six digits."""

CERTIFIED = {"b1": 2.3894212918e02, "b2": 5.5015643181e-04}
DIGITS = 6


def certified(task, result):
    """True, or why not. A start that does not converge, and says so, is an answer too."""
    if result["converged"] == "no":
        return True
    if result["converged"] != "yes":
        return f"converged is {result['converged']!r}, neither yes nor no"
    for name, wanted in CERTIFIED.items():
        if abs(float(result[name]) / wanted - 1.0) > 10.0**-DIGITS:
            return f"claims to have converged, but {name} = {result[name]} is not {wanted} to {DIGITS} digits"
    return True
