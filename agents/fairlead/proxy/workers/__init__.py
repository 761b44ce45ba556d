"""``--workers N``: processes that share the addresses, and the one that starts them, sums them up and answers operators."""

from fairlead.proxy.workers.desk import Desk, desk_path
from fairlead.proxy.workers.supervisor import Supervising, Supervisor, worker_number

__all__ = ["Desk", "Supervising", "Supervisor", "desk_path", "worker_number"]
