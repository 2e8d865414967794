#!/usr/bin/env python3
"""Imports indexes that other libraries wrote, and compares what is in them afterwards.

  bench/imports.py --cairn build/tools/cairn [--work DIR] [--only WORDS] [--sift FILE.u8bin]
                   [--usearch FOLDER]

For each index: written by the library itself, imported, written back by `cairn export`; every label
and vector must be equal. Then 200 queries: recall@10 against exact of the library as it searches by
default, and of the import as `cairn search` does. A line a case; exits 1 when one fails.

Wants Debian's python3-numpy, python3-hnswlib and python3-faiss, and for USearch a folder in which
`npm install usearch@2.25.3` was run. --sift adds indexes of real vectors of bytes, as f32.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import numpy as np

QUERIES, K = 200, 10
LOSS_MAX = 0.01


def clustered(count, dim, seed):
    """Vectors about a few hundred centres, as f32; the queries are drawn alike."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(1, min(300, count // 20)), dim))
    rows = centres[rng.integers(len(centres), size=count + QUERIES)]
    rows = (rows + 0.5 * rng.normal(size=rows.shape)).astype(np.float32)
    return rows[:count], rows[count:]


def labels_of(kind, count, seed):
    if kind == "rows":
        return np.arange(count, dtype=np.int64)
    rng = np.random.default_rng(seed)
    return rng.permutation(np.unique(rng.integers(0, 2**31, size=2 * count + 8)))[:count]


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)


def exact(rows, queries, metric, k):
    """Positions of the k nearest, in double."""
    rows, queries = rows.astype(np.float64), queries.astype(np.float64)
    if metric == "cosine":
        rows, queries = unit(rows), unit(queries)
    out = []
    for begin in range(0, len(queries), 50):
        part = queries[begin:begin + 50]
        if metric == "l2":
            score = (rows**2).sum(1)[None, :] - 2 * part @ rows.T
        else:
            score = -(part @ rows.T)
        out.append(np.argsort(score, axis=1, kind="stable")[:, :k])
    return np.concatenate(out)


def recall_of(found, truth):
    k = truth.shape[1]
    return float(np.mean([len(set(f[:k]) & set(t)) / k for f, t in zip(found, truth)]))


class Case:
    """What a library wrote: the file, what Cairn is told of it, what should be in it."""

    def __init__(self, name, source, metric, rows, labels, queries, search, **more):
        self.name, self.source, self.metric = name, source, metric
        self.rows, self.labels, self.queries, self.search = rows, labels, queries, search
        self.tell = more.get("tell", [])
        self.graphs = more.get("graphs", ["rebuild"])
        self.tolerance = more.get("tolerance", 0.0)
        self.query_dtype = more.get("query_dtype", np.float32)


# ---- hnswlib


def hnswlib_case(path, name, space, count, dim, m=16, labels="rows", deleted=0.0, data=None):
    import hnswlib

    rows, queries = data if data else clustered(count, dim, len(name))
    names = labels_of(labels, count, 7)
    index = hnswlib.Index(space=space, dim=dim)
    index.init_index(max_elements=count + 5, ef_construction=200, M=m, random_seed=3)
    index.add_items(rows, names)
    gone = np.random.default_rng(5).random(count) < deleted
    for label in names[gone]:
        index.mark_deleted(int(label))
    index.save_index(str(path))
    kept, stored = names[~gone], rows[~gone]
    if space == "cosine":
        stored = np.asarray(index.get_items(kept), dtype=np.float32)

    def search(k):
        index.set_ef(max(k, 10))  # what a loaded index has by default
        return index.knn_query(queries, k=k)[0]

    metric = {"l2": "l2", "ip": "ip", "cosine": "cosine"}[space]
    return Case(name, "hnswlib", metric, stored, kept, queries, search, graphs=["rebuild", "keep"],
                tell=["--dim", str(dim), "--dtype", "f32", "--metric", metric])


# ---- FAISS


def faiss_case(path, name, make, metric, count, dim, ids=None, graphs=("rebuild",), norm=False,
               decoded=False, data=None):
    import faiss

    rows, queries = data if data else clustered(count, dim, len(name))
    index = make(faiss, dim)
    if not index.is_trained:
        index.train(rows)
    names = labels_of(ids or "rows", count, 9)
    if ids:
        index.add_with_ids(rows, names)
    else:
        index.add(rows)
    faiss.write_index(index, str(path))
    stored = rows
    if norm:
        stored = rows.copy()
        faiss.normalize_L2(stored)
    if decoded:
        inner = faiss.downcast_index(index)
        if hasattr(inner, "make_direct_map"):
            inner.make_direct_map()
        stored = np.stack([inner.reconstruct(i) for i in range(count)])
    return Case(name, "faiss", metric, stored, names, queries,
                lambda k: index.search(queries, k)[1], graphs=list(graphs),
                tolerance=2e-6 if decoded or norm else 0.0)


# ---- USearch

USEARCH_JS = """
const fs = require('fs'), u = require('usearch');
const [,, spec, rowsFile, keysFile, queriesFile, out, found] = process.argv;
const s = JSON.parse(fs.readFileSync(spec));
const f32 = f => {
  const b = fs.readFileSync(f);
  return new Float32Array(b.buffer, b.byteOffset, b.length / 4);
};
const keysRaw = fs.readFileSync(keysFile);
const keys = new BigUint64Array(keysRaw.buffer, keysRaw.byteOffset, keysRaw.length / 8);
const index = new u.Index({
  dimensions: s.dim, metric: s.metric, quantization: s.scalar, connectivity: s.m});
const rows = f32(rowsFile);
index.add(keys, rows);
for (const k of s.remove) index.remove(BigInt(k));
index.save(out);
const queries = f32(queriesFile), lines = [];
for (let q = 0; q < queries.length / s.dim; ++q) {
  const m = index.search(queries.subarray(q * s.dim, (q + 1) * s.dim), 10, 1);
  lines.push(Array.from(m.keys).map(String));
}
fs.writeFileSync(found, JSON.stringify(lines));
"""


def usearch_case(path, name, metric, scalar, count, dim, folder, labels="rows", removed=0.0, m=16,
                 data=None):
    rows, queries = data if data else clustered(count, dim, len(name))
    if scalar == "i8":  # USearch scales vectors to unit length before it rounds
        rows, queries = unit(rows).astype(np.float32), unit(queries).astype(np.float32)
    names = labels_of(labels, count, 11)
    gone = np.random.default_rng(5).random(count) < removed
    work = path.parent
    rows.tofile(work / "rows")
    names.astype(np.uint64).tofile(work / "keys")
    queries.tofile(work / "queries")
    spec = {"dim": dim, "metric": {"l2": "l2sq", "ip": "ip", "cosine": "cos"}[metric],
            "scalar": scalar, "m": m, "remove": [str(x) for x in names[gone]]}
    (work / "make.js").write_text(USEARCH_JS)
    (work / "spec.json").write_text(json.dumps(spec))
    subprocess.run(["node", str(work / "make.js"), "spec.json", "rows", "keys", "queries",
                    str(path), "found"], check=True, cwd=work,
                   env={**os.environ, "NODE_PATH": str(folder / "node_modules")})
    found = [[int(x) for x in line] for line in json.loads((work / "found").read_text())]
    kept, stored = names[~gone], rows[~gone]
    query_dtype = np.float32
    if scalar == "f16":
        stored = stored.astype(np.float16).astype(np.float32)
    if scalar == "bf16":
        bits = stored.view(np.uint32).astype(np.uint64)
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16
        stored = rounded.astype(np.uint32).view(np.float32)
    if scalar == "i8":
        stored = (stored * 127 / np.linalg.norm(stored, axis=1, keepdims=True)).astype(np.int8)
        queries = np.rint(unit(queries) * 127).astype(np.int8)
        query_dtype = np.int8
    return Case(name, "usearch", metric, stored, kept, queries, lambda k: found,
                graphs=["rebuild", "keep"], query_dtype=query_dtype,
                tolerance=1.0 if scalar == "i8" else 0.0)


def cases(args, work):
    path = work / "index.file"

    def hnswlib(*a, **k):
        return lambda: hnswlib_case(path, *a, **k)

    def faiss(*a, **k):
        return lambda: faiss_case(path, *a, **k)

    def usearch(*a, **k):
        return lambda: usearch_case(path, *a, folder=args.usearch, **k)

    yield "hnswlib one", hnswlib("hnswlib one", "l2", 1, 8)
    yield "hnswlib l2", hnswlib("hnswlib l2", "l2", 20000, 32)
    yield "hnswlib ip, labels", hnswlib("hnswlib ip, labels", "ip", 20000, 48, labels="random")
    yield "hnswlib cosine", hnswlib("hnswlib cosine", "cosine", 20000, 100, labels="random")
    yield "hnswlib M 5", hnswlib("hnswlib M 5", "l2", 5000, 3, m=5)
    yield "hnswlib M 48", hnswlib("hnswlib M 48", "l2", 8000, 200, m=48)
    yield "hnswlib 30 % deleted", hnswlib("hnswlib 30 % deleted", "l2", 30000, 32, deleted=0.3,
                                          labels="random")
    yield "hnswlib cosine deleted", hnswlib("hnswlib cosine deleted", "cosine", 10000, 64,
                                            deleted=0.5)
    yield "faiss flat l2", faiss("faiss flat l2", lambda f, d: f.IndexFlatL2(d), "l2", 20000, 32)
    yield "faiss flat ip", faiss("faiss flat ip", lambda f, d: f.IndexFlatIP(d), "ip", 20000, 48)
    yield "faiss one", faiss("faiss one", lambda f, d: f.IndexFlatL2(d), "l2", 1, 7)
    yield "faiss hnsw", faiss("faiss hnsw", lambda f, d: f.IndexHNSWFlat(d, 32), "l2", 20000, 32,
                              graphs=["rebuild", "keep"])
    yield "faiss hnsw ip", faiss("faiss hnsw ip", lambda f, d: f.IndexHNSWFlat(
        d, 16, f.METRIC_INNER_PRODUCT), "ip", 20000, 32, graphs=["rebuild", "keep"])
    yield "faiss idmap hnsw", faiss("faiss idmap hnsw", lambda f, d: f.IndexIDMap(
        f.IndexHNSWFlat(d, 16)), "l2", 10000, 64, ids="random", graphs=["rebuild", "keep"])
    yield "faiss idmap2 flat", faiss("faiss idmap2 flat", lambda f, d: f.IndexIDMap2(
        f.IndexFlatL2(d)), "l2", 10000, 64, ids="random")
    yield "faiss ivf flat", faiss("faiss ivf flat", lambda f, d: f.index_factory(
        d, "IVF100,Flat"), "l2", 20000, 32, ids="random")
    yield "faiss ivf sparse", faiss("faiss ivf sparse", lambda f, d: f.index_factory(
        d, "IVF1024,Flat"), "l2", 1500, 16)
    yield "faiss l2norm", faiss("faiss l2norm", lambda f, d: f.index_factory(
        d, "L2norm,Flat", f.METRIC_INNER_PRODUCT), "cosine", 10000, 32, norm=True)
    yield "faiss sq8", faiss("faiss sq8", lambda f, d: f.index_factory(d, "SQ8"), "l2", 10000, 32,
                             decoded=True)
    yield "faiss ivf pq", faiss("faiss ivf pq", lambda f, d: f.index_factory(d, "IVF64,PQ16"), "l2",
                                20000, 32, decoded=True)
    yield "faiss hnsw sq", faiss("faiss hnsw sq", lambda f, d: f.index_factory(d, "HNSW16_SQ8"),
                                 "l2", 10000, 32, decoded=True)
    if args.usearch:
        yield "usearch one", usearch("usearch one", "l2", "f32", 1, 8)
        yield "usearch l2", usearch("usearch l2", "l2", "f32", 20000, 32, labels="random")
        yield "usearch ip", usearch("usearch ip", "ip", "f32", 20000, 48)
        yield "usearch cosine f16", usearch("usearch cosine f16", "cosine", "f16", 20000, 64)
        yield "usearch l2 bf16", usearch("usearch l2 bf16", "l2", "bf16", 10000, 32)
        yield "usearch cosine i8", usearch("usearch cosine i8", "cosine", "i8", 20000, 96)
        yield "usearch removed", usearch("usearch removed", "l2", "f32", 20000, 32, removed=0.3,
                                         labels="random")
    if args.sift:
        head = np.fromfile(args.sift, dtype=np.uint32, count=2)
        rows = np.fromfile(args.sift, dtype=np.uint8, offset=8).reshape(head[0], head[1])
        pick = np.random.default_rng(1).choice(len(rows), QUERIES, replace=False)
        data = (rows.astype(np.float32), rows[pick].astype(np.float32) + 1)
        count, dim = rows.shape
        if args.usearch:
            yield "usearch real", usearch("usearch real", "l2", "f32", count, dim, data=data)
            yield "usearch real f16", usearch("usearch real f16", "l2", "f16", count, dim,
                                              data=data, labels="random", removed=0.3)
        yield "faiss idmap ivf real", faiss("faiss idmap ivf real", lambda f, d: f.IndexIDMap(
            f.index_factory(d, "IVF1024,Flat")), "l2", count, dim, ids="random", data=data)
        yield "faiss hnsw real", faiss("faiss hnsw real", lambda f, d: f.IndexHNSWFlat(d, 16), "l2",
                                       count, dim, data=data, graphs=["rebuild", "keep"])
        yield "hnswlib real", hnswlib("hnswlib real", "l2", count, dim, data=data)
        yield "hnswlib real deleted", hnswlib("hnswlib real deleted", "l2", count, dim, data=data,
                                              deleted=0.3, labels="random")


def write_vectors(path, rows):
    suffix = {np.dtype(np.float32): ".fbin", np.dtype(np.int8): ".i8bin"}[rows.dtype]
    name = path.with_suffix(suffix)
    with open(name, "wb") as file:
        np.array(rows.shape, dtype=np.uint32).tofile(file)
        np.ascontiguousarray(rows).tofile(file)
    return name


def cairn(args, *words):
    done = subprocess.run([args.cairn, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


def check(args, work, case, graph):
    index = work / "i.cairn"
    shutil.rmtree(index, ignore_errors=True)
    began = time.time()
    report = json.loads(cairn(args, "import", "--from", case.source, work / "index.file",
                              *case.tell, "--index", index, "--graph", graph,
                              "--calibration-rows", "0", "--json", "--quiet", "--threads",
                              "2").splitlines()[0])
    took = time.time() - began
    if report["vectors"] != len(case.labels):
        return f"{report['vectors']} vectors, {len(case.labels)} expected", 0, 0, took
    cairn(args, "export", "--index", index, work / "out.npy", "--labels", work / "out.u64bin",
          "--quiet")
    rows = np.load(work / "out.npy")
    labels = np.fromfile(work / "out.u64bin", dtype=np.uint64, offset=8)
    order = np.argsort(case.labels.astype(np.uint64), kind="stable")
    if not np.array_equal(labels, case.labels[order].astype(np.uint64)):
        return "labels differ", 0, 0, took
    wanted = case.rows[order]
    if rows.dtype != wanted.dtype or rows.shape != wanted.shape:
        return f"{rows.dtype} {rows.shape}, {wanted.dtype} {wanted.shape} expected", 0, 0, took
    off = np.abs(rows.astype(np.float64) - wanted.astype(np.float64)).max()
    scale = max(1.0, np.abs(wanted.astype(np.float64)).max()) if case.tolerance < 1 else 1.0
    if off > case.tolerance * scale:
        return f"vectors differ by {off:g}", 0, 0, took
    k = min(K, len(case.labels))
    queries = write_vectors(work / "q", case.queries.astype(case.query_dtype))
    lines = cairn(args, "search", "--index", index, "--queries", queries, "-k", k, "--json",
                  "--quiet").splitlines()
    found = [json.loads(line)["labels"] for line in lines]
    truth = case.labels[exact(case.rows, case.queries, case.metric, k)]
    ours, theirs = recall_of(found, truth), recall_of(case.search(k), truth)
    return ("" if ours >= theirs - LOSS_MAX else "recall lost"), ours, theirs, took


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("imports.work"))
    parser.add_argument("--only", default="")
    parser.add_argument("--sift")
    parser.add_argument("--usearch", type=pathlib.Path)
    args = parser.parse_args()
    args.work = args.work.resolve()
    args.work.mkdir(parents=True, exist_ok=True)
    failed = 0
    print(f"{'index':26} {'graph':8} {'vectors':>8} {'recall':>7} {'theirs':>7} {'s':>6}")
    for name, make in cases(args, args.work):
        if args.only and args.only not in name:
            continue
        case = make()
        for graph in case.graphs:
            problem, ours, theirs, took = check(args, args.work, case, graph)
            failed += problem != ""
            print(f"{name:26} {graph:8} {len(case.labels):8} {ours:7.4f} {theirs:7.4f} {took:6.1f} "
                  f"{problem or 'equal'}", flush=True)
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
