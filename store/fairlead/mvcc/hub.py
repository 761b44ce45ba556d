"""The watch hub; it comes with the next commit."""


class WatchHub:
    def __init__(self, history):
        pass

    def notify(self, revision, changes):
        pass
