"""The disk of a simulated machine: `MemoryDisk`, and what a fault may do to it besides."""

from pathlib import Path

from fairlead.wal.testing import MemoryDisk


class SimulatedDisk(MemoryDisk):
    """A memory disk whose pending failures can be called off, and whose files can be looked at."""

    def forgive(self) -> None:
        """Call off the failures that have been asked for and have not happened."""
        self._failures.clear()

    def sizes(self, suffix: str) -> list[tuple[Path, int]]:
        """Return every file whose name ends so, in order, and how much of it is on the platter."""
        found = [(path, inode) for path, inode in self._names.items() if path.name.endswith(suffix)]
        return sorted((path, len(inode.durable)) for path, inode in found)

    def wipe(self) -> None:
        """Forget everything: another disk was built in."""
        bytes_max, crashes = self.bytes_max, self.crashes
        seed = self._rng.getrandbits(64)
        self.__init__(seed)  # type: ignore[misc]
        self.bytes_max, self.crashes = bytes_max, crashes + 1
