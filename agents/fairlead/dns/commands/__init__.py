"""The sub-commands of ``fairlead dns``; each module is imported only when its command is called."""
