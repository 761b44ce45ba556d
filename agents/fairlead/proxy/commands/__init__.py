"""The sub-commands of ``fairlead proxy``; ``cli`` lists them."""
