"""Holds every Ising run against Onsager's solution, and its file of spins against its own output."""

import math

ENERGY_TOLERANCE = 0.03  # per spin: what lattices of 64 x 64 and a few hundred sweeps may be off
UP, DOWN = b"\x01", b"\xff"


def physics(task, result):
    """True, or why not: the mean energy is right, and the spins are those that were measured."""
    energy = float(result["energy"])
    wanted = onsager(float(task.parameters["temperature"]))
    if abs(energy - wanted) > ENERGY_TOLERANCE:
        return f"energy {energy:.4f} is more than {ENERGY_TOLERANCE} from Onsager's {wanted:.4f}"
    return spins(result, int(task.parameters["size"]) ** 2)


def spins(result, lattice):
    """The file is read a lattice at a time: results may be larger than memory."""
    samples, total = int(result["samples"]), 0.0
    with open(result.path("spins"), "rb") as file:
        for sample in range(samples):
            block = file.read(lattice)
            up, down = block.count(UP), block.count(DOWN)
            if up + down != lattice:
                return f"lattice {sample + 1} of {samples} in spins.bin has {up + down} spins, not {lattice}"
            total += abs(up - down) / lattice
        if file.read(1):
            return f"spins.bin goes on after {samples} lattices"
    if abs(total / samples - float(result["magnetisation"])) > 1e-5:
        return f"spins.bin has magnetisation {total / samples:.6f}, the output says {result['magnetisation']}"
    return True


def onsager(temperature):
    """Energy per spin of the infinite lattice (L. Onsager, 1944)."""
    x = 2.0 / temperature
    modulus = 2.0 * math.sinh(x) / math.cosh(x) ** 2
    bracket = 1.0 + 2.0 / math.pi * (2.0 * math.tanh(x) ** 2 - 1.0) * elliptic(modulus)
    return -bracket / math.tanh(x)


def elliptic(modulus):
    """The complete elliptic integral of the first kind, by the arithmetic-geometric mean."""
    a, b = 1.0, math.sqrt(1.0 - modulus * modulus)
    while abs(a - b) > 1e-14:
        a, b = (a + b) / 2.0, math.sqrt(a * b)
    return math.pi / (2.0 * a)
