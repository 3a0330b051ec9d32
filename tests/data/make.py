"""Writes the sample files beside it, with NumPy: `python3 make.py`. They are kept in the repository, so that the
tests need no NumPy; running this again changes no byte (long double files: on x86 only)."""

import gzip
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
TYPES = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "f16"]


def values(dtype):
    """Three rows of two values: small ones, the extremes of the type, something special."""
    if dtype.kind == "b":
        return [[0, 1], [1, 0], [1, 1]]
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return [[0, 1], [info.min, info.max], [2, 100]]
    if dtype.itemsize == 16:
        return [[0, 1], [-1e300, 1e300], [0.5, np.longdouble(1) / 3]]
    info = np.finfo(dtype)
    return [[0, 1], [info.min, info.max], [0.5, info.smallest_subnormal]]


def write_npy():
    for name in TYPES:
        for order, letter in (("little", "<"), ("big", ">")):
            dtype = np.dtype(letter + name)
            if order == "big" and dtype.itemsize == 1:
                continue
            a = np.array(values(dtype), dtype)
            np.save(HERE / f"{name}-{order}-c.npy", a)
            np.save(HERE / f"{name}-{order}-f.npy", np.asfortranarray(a))
    for version in (1, 2, 3):
        with open(HERE / f"version-{version}.npy", "wb") as file:
            np.lib.format.write_array(file, np.arange(4.0), (version, 0))


def pack(data):
    return gzip.compress(data, mtime=0)


def write_gzip():
    csv = [b"a,b\n1,2\n3,", b"4\n5,6\n"]
    idx = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 1, 2, 3, 4])
    (HERE / "plain.csv").write_bytes(b"".join(csv))
    (HERE / "one-member.csv.gz").write_bytes(pack(b"".join(csv)))
    (HERE / "two-members.csv.gz").write_bytes(b"".join(map(pack, csv)))
    (HERE / "images.idx.gz").write_bytes(pack(idx))
    (HERE / "array.npy.gz").write_bytes(pack((HERE / "f8-little-c.npy").read_bytes()))


write_npy()
write_gzip()
