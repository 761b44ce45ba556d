"""The version that the store reports: the etcd API level that it serves, numeric as clients parse it."""

VERSION = "3.6.0"
CLUSTER_VERSION = "3.6.0"
STORAGE_VERSION = "3.6.0"
