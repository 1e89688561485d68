"""Chaos: real servers, real workers, a seeded murderer, and a checker that believes only the log and the histories.

Numbers of invariants (I-1 …, L-1 …) are those of the project's reliability promises. Power cuts are next door.
"""
