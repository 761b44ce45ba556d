"""The sub-commands of ``fairlead render``, one module each.

A command reads its options, calls what does the work, and prints; it decides nothing.  ``cli.SUBCOMMANDS`` lists
them all.
"""
