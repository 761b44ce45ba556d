"""A process full of watchers: ``python -m tests.bench.watchers ADDRESS STREAMS WATCHES EVENTS``.

Opens ``STREAMS`` streams of ``WATCHES`` watches each, prints ``ready``, counts until every watch has been told
``EVENTS`` events, and prints ``done``.  Messages are counted by their bytes alone: decoding them would measure
the client.
"""

import sys
import threading
from collections.abc import Iterator

import grpc

from fairlead.proto import rpc_pb2 as pb

KEY = b"fan"
_EVENTS_FIELD = 0x5A  # field 11, length-delimited: the tag of each event in a WatchResponse


def _count(channel: grpc.Channel, watches: int, events: int, ready: threading.Semaphore) -> None:
    connect = channel.stream_stream("/etcdserverpb.Watch/Watch")
    create = pb.WatchRequest(create_request=pb.WatchCreateRequest(key=KEY)).SerializeToString()
    ended = threading.Event()

    def requests() -> Iterator[bytes]:
        for _ in range(watches):
            yield create
        ended.wait()

    answers = connect(requests())
    for _ in range(watches):
        next(answers)
    ready.release()
    left = watches * events
    for message in answers:
        left -= _events_in(message)
        if left <= 0:
            break
    ended.set()
    answers.cancel()


def _events_in(message: bytes) -> int:
    """How many events a WatchResponse holds: walk its top-level fields."""
    place, found = 0, 0
    while place < len(message):
        tag, place = message[place], place + 1
        value, shift = 0, 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        found += tag == _EVENTS_FIELD
        if tag & 7 == 2:
            place += value
    return found


def main(address: str, streams: int, watches: int, events: int) -> None:
    """Watch, say ``ready``, count, say ``done``."""
    ready = threading.Semaphore(0)
    channels = [
        # A channel of its own for each stream: else all would share one connection.
        grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        for _ in range(streams)
    ]
    threads = [
        threading.Thread(target=_count, args=(channel, watches, events, ready)) for channel in channels
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        ready.acquire()
    print("ready", flush=True)
    for thread in threads:
        thread.join()
    print("done", flush=True)
    for channel in channels:
        channel.close()


if __name__ == "__main__":
    main(sys.argv[1], *(int(word) for word in sys.argv[2:]))
