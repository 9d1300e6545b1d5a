"""A strict safetensors reader of another make: standard library only, written from the format's description."""
import json
import struct
import sys

SIZES = {"BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
         "I32": 4, "U32": 4, "F32": 4, "F64": 8, "I64": 8, "U64": 8}


def no_duplicates(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), "duplicate key"
    return dict(pairs)


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    assert length <= 100_000_000 and 8 + length <= len(data), "header length"
    assert data[8:9] == b"{", "header must begin with {"
    header = json.loads(data[8:8 + length].decode("utf-8"), object_pairs_hook=no_duplicates)
    metadata = header.pop("__metadata__", {})
    assert all(isinstance(k, str) and isinstance(v, str) for k, v in metadata.items()), "metadata"
    end = 0
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        assert set(tensor) == {"dtype", "shape", "data_offsets"}, name
        start, stop = tensor["data_offsets"]
        size = SIZES[tensor["dtype"]]
        for dimension in tensor["shape"]:
            assert isinstance(dimension, int) and dimension >= 0, name
            size *= dimension
        assert start == end and stop - start == size, f"{name}: offsets"
        end = stop
        print(name, tensor["dtype"], tensor["shape"], size)
    assert 8 + length + end == len(data), "the tensors do not cover the file"


for argument in sys.argv[1:]:
    read(argument)
