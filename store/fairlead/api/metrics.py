"""/metrics: what dashboards and alerts made for etcd expect, under etcd's names, and our own."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from fairlead.api.version import VERSION
from fairlead.api.watch import Watches
from fairlead.member import Histogram, Member
from fairlead.raft import NOBODY
from fairlead.rpc import Code, HttpReply, HttpRequest, Server


class Metrics:
    """Reads the member's and the port's counters when it is asked."""

    def __init__(self, member: Member, watches: Watches) -> None:
        self._member = member
        self._watches = watches
        self.server: Server | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def serve(self, request: HttpRequest, reply: HttpReply) -> None:
        """Answer GET /metrics."""
        del request
        reply.send(200, (("content-type", CONTENT_TYPE_LATEST),), generate_latest(self._registry))

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family; called by the registry."""
        yield from self._server_metrics()
        yield from self._storage_metrics()
        yield from self._port_metrics()

    def _server_metrics(self) -> Iterator[Metric]:
        replica = self._member.replica
        raft = replica.raft
        version = GaugeMetricFamily(
            "etcd_server_version", "Version of the API served.", labels=["server_version"]
        )
        version.add_metric([VERSION], 1)
        yield version
        yield GaugeMetricFamily(
            "etcd_server_has_leader", "Whether a leader exists.", float(raft.leader != NOBODY)
        )
        yield GaugeMetricFamily("etcd_server_is_leader", "Whether this member leads.", float(replica.leads))
        yield GaugeMetricFamily(
            "etcd_server_is_learner", "Whether this member is a learner.", float(self._member.is_learner)
        )
        yield CounterMetricFamily(
            "etcd_server_leader_changes_seen", "Leader changes seen.", replica.leader_changes_total
        )
        yield GaugeMetricFamily(
            "etcd_server_proposals_committed_total", "Last committed index.", raft.log.commit
        )
        yield GaugeMetricFamily("etcd_server_proposals_applied_total", "Last applied index.", replica.applied)
        yield GaugeMetricFamily("etcd_server_proposals_pending", "Proposals that wait.", len(replica.pending))
        yield CounterMetricFamily(
            "etcd_server_proposals_failed", "Proposals that failed.", replica.pending.failed_total
        )
        yield GaugeMetricFamily(
            "etcd_server_quota_backend_bytes", "Quota of the database.", self._member.config.quota_bytes
        )

    def _storage_metrics(self) -> Iterator[Metric]:
        member = self._member
        backend, store = member.machine.backend, member.store
        yield GaugeMetricFamily("etcd_mvcc_db_total_size_in_bytes", "Size of the file.", backend.size_bytes)
        yield GaugeMetricFamily(
            "etcd_mvcc_db_total_size_in_use_in_bytes", "Size of what is used.", backend.size_in_use_bytes
        )
        yield GaugeMetricFamily("etcd_debugging_mvcc_current_revision", "Current revision.", store.revision)
        yield GaugeMetricFamily(
            "etcd_debugging_mvcc_compact_revision", "Last compaction.", max(store.compact_revision, 0)
        )
        yield GaugeMetricFamily(
            "etcd_debugging_mvcc_keys_total", "Live keys.", store.range(b"\0", b"\0", count_only=True).count
        )
        yield GaugeMetricFamily(
            "etcd_debugging_mvcc_watch_stream_total", "Watch streams.", len(self._watches.streams)
        )
        yield GaugeMetricFamily("etcd_debugging_mvcc_watcher_total", "Watchers.", member.hub.watchers_count)
        yield GaugeMetricFamily("etcd_debugging_lease_total", "Live leases.", len(member.leases))
        yield _histogram(
            "etcd_disk_wal_fsync_duration_seconds", "Time of a log fsync.", member.fsync_histogram
        )
        yield _histogram(
            "etcd_disk_backend_commit_duration_seconds", "Time of a commit.", member.upkeep.commit_histogram
        )

    def _port_metrics(self) -> Iterator[Metric]:
        if self.server is None:
            return
        handled = CounterMetricFamily(
            "grpc_server_handled",
            "Calls finished, by their status.",
            labels=["grpc_code", "grpc_method", "grpc_service"],
        )
        for (path, code), count in sorted(self.server.counters.handled().items()):
            service, _, method = path.strip("/").partition("/")
            # grpc-go's names of the codes: OK, NotFound.
            name = "OK" if code is Code.OK else code.name.title().replace("_", "")
            handled.add_metric([name, method, service], count)
        yield handled


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(name, text, buckets=histogram.cumulative(), sum_value=histogram.sum_s)
