"""The descriptor pool of Fairlead's messages.

The generated modules register here and not in protobuf's default pool: a process that also imports
another etcd client would otherwise fail at import, since both describe ``mvccpb.KeyValue``.
"""

from google.protobuf.descriptor_pool import DescriptorPool

POOL = DescriptorPool()
