"""Seconds that sets will take, learned from their parameters, and the order that follows from them. Pure.

    effects        How one parameter, or the host, changes the time of a set
    longest_first  The order of the waiting sets: longest first, where that pays
    makespans      How long a queue takes in an order, played through
    model          The seconds of a set as a product of effects, and how far they can be trusted
    plans          The order in which the waiting sets end earliest
    samples        The sets that ended, of which durations are learned
    unseen         Forecasts for sets with a value of a parameter that no ended set had
"""
