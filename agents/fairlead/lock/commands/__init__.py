"""The sub-commands of ``fairlead lock``, a module for those that belong together."""
