import pytest

from fairlead.client import Compare, op_delete, op_get, op_put
from fairlead.proto import rpc_pb2


@pytest.mark.parametrize("target", ["version", "create_revision", "mod_revision", "lease"])
def test_a_comparison_carries_its_operand_in_the_field_of_its_target(target: str) -> None:
    message = getattr(Compare, target)("a").is_above(7)

    assert message.WhichOneof("target_union") == target
    assert getattr(message, target) == 7
    assert message.result == rpc_pb2.Compare.GREATER


def test_relations_are_etcds() -> None:
    version = Compare.version("a")

    results = [
        m.result for m in (version.equals(1), version.is_above(1), version.is_below(1), version.differs(1))
    ]
    assert results == [
        rpc_pb2.Compare.EQUAL,
        rpc_pb2.Compare.GREATER,
        rpc_pb2.Compare.LESS,
        rpc_pb2.Compare.NOT_EQUAL,
    ]


def test_comparing_with_zero_sends_the_zero() -> None:
    """Version 0 is "not there"; an operand left out would make etcd refuse the comparison."""
    assert Compare.version("a").equals(0).HasField("version")


def test_a_value_is_compared_with_text_and_a_number_with_a_number() -> None:
    assert Compare.value("a").equals("é").value == "é".encode()
    with pytest.raises(TypeError):
        Compare.value("a").equals(1)
    with pytest.raises(TypeError):
        Compare.version("a").equals("1")


def test_operations_take_text_and_prefixes() -> None:
    assert op_put("a", "b", lease=3).request_put == rpc_pb2.PutRequest(key=b"a", value=b"b", lease=3)
    assert op_get("a", prefix=True).request_range.range_end == b"b"
    assert op_get("a", keys_only=True).request_range.keys_only
    assert op_delete("a", range_end="c").request_delete_range.range_end == b"c"
