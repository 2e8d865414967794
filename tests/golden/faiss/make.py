#!/usr/bin/python3
"""Writes the indexes here and, beside each, what FAISS itself reads in it; see README.md."""
import pathlib

import faiss
import numpy as np

IP, L2 = faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L2
DIM = 8
FOLDER = pathlib.Path(__file__).resolve().parent
SQ = faiss.ScalarQuantizer


def vectors(count, dim=DIM, seed=1):
    return np.random.RandomState(seed).randn(count, dim).astype("float32")


def ids_of(count):
    """No order, no number of an element, one above 2^62."""
    ids = (np.arange(count, dtype="int64") * 7919 + 13) % 100003
    ids[0] = 2**62 + 5
    return ids


def trained(index, count, dim=DIM, train=300):
    index.train(vectors(train, dim, 2))
    if count != 0:
        index.add(vectors(count, dim))
    return index


def with_ids(index, count):
    index.add_with_ids(vectors(count), ids_of(count))
    return index


def hnsw_links(hnsw):
    most = hnsw.nb_neighbors(0)
    offsets = faiss.vector_to_array(hnsw.offsets).astype("int64")
    links = faiss.vector_to_array(hnsw.neighbors)
    return np.stack([links[o:o + most] for o in offsets[:-1]]).astype("int32")


def ivf_rows(ivf):
    """Vectors and ids, list after list."""
    rows, ids = [], []
    for number in range(ivf.nlist):
        size = ivf.invlists.list_size(number)
        if size == 0:
            continue
        ids.append(faiss.rev_swig_ptr(ivf.invlists.get_ids(number), size).copy())
        for offset in range(size):
            row = np.empty(ivf.d, "float32")
            ivf.reconstruct_from_offset(number, offset, faiss.swig_ptr(row))
            rows.append(row)
    return np.stack(rows), np.concatenate(ids)


def rows_of(index):
    """(vectors, labels or None, links or None) of an index of any kind."""
    index = faiss.downcast_index(index)
    if isinstance(index, (faiss.IndexIDMap, faiss.IndexIDMap2)):
        rows, numbers, links = rows_of(index.index)
        ids = faiss.vector_to_array(index.id_map)
        return rows, ids if numbers is None else ids[numbers], links
    if isinstance(index, faiss.IndexPreTransform):
        rows, ids, links = rows_of(index.index)
        for i in reversed(range(index.chain.size())):
            step = faiss.downcast_VectorTransform(index.chain.at(i))
            rows = step.reverse_transform(rows)
        return rows, ids, links
    if isinstance(index, faiss.IndexIVF):
        return ivf_rows(index) + (None,)
    links = hnsw_links(index.hnsw) if isinstance(index, faiss.IndexHNSW) else None
    return np.stack([index.reconstruct(i) for i in range(index.ntotal)]), None, links


def levels_of(index):
    """0 for an element without links above level 0."""
    index = faiss.downcast_index(index)
    if isinstance(index, (faiss.IndexIDMap, faiss.IndexIDMap2, faiss.IndexPreTransform)):
        return levels_of(index.index)
    if isinstance(index, faiss.IndexHNSW):
        return faiss.vector_to_array(index.hnsw.levels) - 1
    return np.zeros(index.ntotal, int)


def write(name, index):
    faiss.write_index(index, str(FOLDER / f"{name}.faiss"))
    rows, labels, links = rows_of(index)
    labels = np.arange(len(rows)) if labels is None else labels
    links = np.full((len(rows), 1), -1) if links is None else links
    with open(FOLDER / f"{name}.txt", "w", encoding="ascii") as file:
        for label, level, row, vector in zip(labels, levels_of(index), links, rows):
            row = [str(link) for link in row[:(np.append(row, -1) == -1).argmax()]]
            print(label, 0, level, "(", *row, ")", vector.astype("<f4").tobytes().hex(), file=file)


def ivf(kind, lists=6, metric=L2, count=40, **fields):
    index = faiss.index_factory(DIM, f"IVF{lists},{kind}", metric)
    for field, value in fields.items():
        setattr(index, field, value)
    index.train(vectors(300, DIM, 2))
    return with_ids(index, count)


def mapped(index, kind):
    """With a map from ids to places: 1 an array, 2 a hash table."""
    index.set_direct_map_type(kind)
    return index


def flat_and_graphs():
    yield "flat-l2", trained(faiss.IndexFlatL2(DIM), 20)
    yield "flat-ip", trained(faiss.IndexFlatIP(DIM), 20)
    yield "hnsw-flat", trained(faiss.IndexHNSWFlat(DIM, 4), 60)
    yield "hnsw-flat-ip", trained(faiss.IndexHNSWFlat(DIM, 3, IP), 60)
    yield "hnsw-one", trained(faiss.IndexHNSWFlat(DIM, 4), 1)
    yield "hnsw-sq8", trained(faiss.IndexHNSWSQ(DIM, SQ.QT_8bit, 4), 60)
    yield "hnsw-pq", trained(faiss.IndexHNSWPQ(2, 1, 4), 40, 2)
    yield "idmap-flat", with_ids(faiss.IndexIDMap(faiss.IndexFlatL2(DIM)), 20)
    yield "idmap2-hnsw", with_ids(faiss.IndexIDMap2(faiss.IndexHNSWFlat(DIM, 4)), 40)


def codes():
    for name in ["8bit", "4bit", "6bit", "fp16", "8bit_uniform", "4bit_uniform", "8bit_direct"]:
        # 9 dimensions: 4-bit and 6-bit codes end within a byte.
        index = faiss.IndexScalarQuantizer(9, getattr(SQ, "QT_" + name), L2)
        index.train(vectors(300, 9, 2))
        index.add(np.abs(vectors(20, 9) * 60).round() if name == "8bit_direct" else vectors(20, 9))
        yield "sq-" + name.replace("_", "-"), index
    half = faiss.IndexScalarQuantizer(8, SQ.QT_fp16, IP)
    half.add(np.array([[0, -0.0, 1e-7, 6e-5, 65504, 1e6, -3.1e-5, 1]], "float32"))
    yield "sq-fp16-extremes", half
    yield "pq-8bit", trained(faiss.IndexPQ(4, 2, 8), 30, 4)
    yield "pq-4bit", trained(faiss.IndexPQ(9, 3, 4, IP), 30, 9)
    yield "pq-5bit", trained(faiss.IndexPQ(6, 3, 5), 30, 6)


def lists():
    yield "ivf-flat", ivf("Flat")
    yield "ivf-flat-sparse", ivf("Flat", lists=24, count=5)
    yield "ivf-flat-ip", ivf("Flat", metric=IP)
    yield "ivf-flat-array", mapped(trained(faiss.index_factory(DIM, "IVF6,Flat"), 40), 1)
    yield "ivf-flat-hashtable", mapped(ivf("Flat"), 2)
    yield "ivf-sq8", ivf("SQ8")
    yield "ivf-sq4-whole", ivf("SQ4", by_residual=False)
    yield "ivf-pq", ivf("PQ4x4")
    yield "ivf-pq-whole", ivf("PQ4x4", by_residual=False)
    yield "ivf-hnsw-sq8", with_ids(trained(faiss.index_factory(DIM, "IVF8_HNSW4,SQ8"), 0), 30)
    yield "idmap2-ivf", with_ids(trained(faiss.index_factory(DIM, "IDMap2,IVF6,SQ8"), 0), 40)


def transformed():
    yield "l2norm-flat-ip", trained(faiss.index_factory(DIM, "L2norm,Flat", IP), 20)
    yield "l2norm-flat-l2", trained(faiss.index_factory(DIM, "L2norm,Flat"), 20)
    yield "l2norm-hnsw-ip", trained(faiss.index_factory(DIM, "L2norm,HNSW4,Flat", IP), 40)
    yield "rotated-flat-ip", trained(faiss.index_factory(DIM, "RR8,Flat", IP), 20)
    yield "pca-flat", trained(faiss.index_factory(DIM, "PCA4,Flat"), 20)
    yield "pca-flat-ip", trained(faiss.index_factory(DIM, "PCAR8,Flat", IP), 20)
    yield "opq-ivf-pq", trained(faiss.index_factory(DIM, "OPQ4_8,IVF4,PQ4x4"), 40)
    yield "idmap-l2norm-rr-sq8", with_ids(
        trained(faiss.index_factory(DIM, "IDMap,L2norm,RR4,SQ8", IP), 0), 20)
    centred = faiss.IndexPreTransform(faiss.CenteringTransform(DIM), faiss.IndexFlatL2(DIM))
    yield "centred-flat", trained(centred, 20)


def refused():
    """Files that FAISS reads and nobody can decode, or that we do not."""
    yield "whitened", trained(faiss.index_factory(DIM, "PCAW4,Flat"), 3)
    yield "itq", trained(faiss.index_factory(DIM, "ITQ8,Flat"), 3)
    yield "l1", trained(faiss.IndexFlat(DIM, faiss.METRIC_L1), 3)
    yield "lsh", trained(faiss.IndexLSH(DIM, 16), 3)
    yield "untrained", faiss.index_factory(DIM, "IVF6,SQ8")


def main():
    faiss.omp_set_num_threads(1)
    for group in (flat_and_graphs, codes, lists, transformed):
        for name, index in group():
            write(name, index)
    for name, index in refused():
        faiss.write_index(index, str(FOLDER / f"refused-{name}.faiss"))
    binary = faiss.IndexBinaryFlat(16)
    binary.add(np.arange(6, dtype="uint8").reshape(3, 2))
    faiss.write_index_binary(binary, str(FOLDER / "refused-binary.faiss"))


if __name__ == "__main__":
    main()
