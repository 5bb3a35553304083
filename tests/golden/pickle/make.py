"""Makes the pickles beside this file: one value in every protocol, with numpy arrays, and a CIFAR-10 batch in both forms.

Needs numpy. Python 2's form is written opcode by opcode, as its cPickle does in protocol 2.
"""
import collections, pickle, struct, sys
from pathlib import Path
import numpy as np

here = Path(__file__).parent
value = {
    "none": None, "yes": True, "no": False, "small": 7, "negative": -300, "large": 1 << 40, "huge": -(1 << 80) - 5,
    "half": 0.5, "text": "caf\u00e9 \u2713 \\u \n", "bytes": b"\x00\xff'\n", "list": [1, [2, (3, 4, 5, 6)]], "empty": [(), [], {}],
    "set": {11}, "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
    "u1": np.arange(12, dtype=np.uint8).reshape(3, 4), "f4": np.array([[1.5, -2.0]], np.float32),
    "big": np.array([1, 2, 3], ">i4"), "fortran": np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
    "scalar": np.float64(0.25), "scalar4": np.int64(-3),
}
shared = ["shared"]
value["one"], value["same"] = shared, shared
cycle = []
cycle.append(cycle)
value["cycle"] = cycle
for protocol in range(6):
    (here / f"protocol-{protocol}.pkl").write_bytes(pickle.dumps(value, protocol=protocol))

pixels = (np.arange(2 * 3072) % 251).astype(np.uint8).reshape(2, 3072)
names = ["a.png", "b.png"]
batch3 = {b"batch_label": b"training batch 1 of 5", b"labels": [3, 9], b"data": pixels, b"filenames": [n.encode() for n in names]}
(here / "cifar-python3.pkl").write_bytes(pickle.dumps(batch3, protocol=2))


def python2(p):
    s = lambda b: b"U" + bytes([len(b)]) + b if len(b) < 256 else b"T" + struct.pack("<i", len(b)) + b
    dtype = b"cnumpy\ndtype\nq\x0a" + s(b"u1") + b"K\x00K\x01\x87R" + b"(K\x03" + s(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = (b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85" + s(b"b") + b"\x87R"
             + b"(K\x01K\x02M\x00\x0c\x86" + dtype + b"\x89" + s(p.tobytes()) + b"tb")
    return (b"\x80\x02}q\x01(" + s(b"batch_label") + s(b"training batch 1 of 5") + s(b"labels") + b"]q\x02(K\x03K\x09e"
            + s(b"data") + array + s(b"filenames") + b"]q\x03(" + b"".join(map(s, [b"a.png", b"b.png"])) + b"eu.")


two = python2(pixels)
(here / "cifar-python2.pkl").write_bytes(two)
back = pickle.loads(two, encoding="bytes")  # Python itself must read it
assert (back[b"data"] == pixels).all() and back[b"labels"] == [3, 9], back
print("numpy", np.__version__, "python", sys.version.split()[0])
