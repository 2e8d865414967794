#!/usr/bin/python3
"""Writes the indexes of this folder that hnswlib's Python module writes; see README.md."""
import hnswlib
import numpy


def write(name, space, dim, degree, count, capacity=None, deleted=(), levels_seed=100):
    rows = numpy.random.default_rng(count + dim).integers(-64, 64, (count, dim)) / 8
    index = hnswlib.Index(space=space, dim=dim)
    index.init_index(max_elements=capacity or count, ef_construction=40, M=degree,
                     random_seed=levels_seed)
    index.set_num_threads(1)
    if count:
        index.add_items(rows.astype(numpy.float32), [i * 1000003 + 2**40 for i in range(count)])
    for i in deleted:
        index.mark_deleted(i * 1000003 + 2**40)
    index.save_index(name + ".hnsw")


write("l2", "l2", dim=5, degree=4, count=50)
write("ip", "ip", dim=3, degree=5, count=40, capacity=64)
write("cosine", "cosine", dim=4, degree=2, count=40)
write("deleted", "l2", dim=2, degree=3, count=30, deleted=range(0, 30, 4))
write("one", "l2", dim=3, degree=16, count=1)
write("empty", "l2", dim=3, degree=16, count=0, capacity=10)
