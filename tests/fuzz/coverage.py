#!/usr/bin/env python3
"""Lines of the decoders that the fuzz corpora reach.

  coverage.py LINES [LINES_OF_UNIT_TESTS]

Each argument is what `llvm-cov export -format=lcov` prints; tests/run-fuzz --coverage calls this.
Exits 1 when less than 95 % of the lines of all decoders are reached by the first. Standard library
only.
"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARE_MIN = 0.95

# Whatever takes bytes apart that somebody else may have written.
DECODERS = [
    "engine/build/cell_files.cc", "engine/build/journal.cc", "engine/build/temp_files.cc",
    "engine/search/calibration_file.cc", "engine/search/index_folder.cc",
    "engine/search/label_lookup.cc", "engine/search/vector_scan.cc", "engine/search/verify.cc",
    "engine/search/verify_blocks.cc", "engine/search/verify_labels.cc",
    "io/page_file.cc",
    "layout/adjacency.cc", "layout/byte_reader.h", "layout/calibration.cc",
    "layout/label_pages.cc", "layout/leb128.h", "layout/manifest.cc", "layout/manifest_check.cc",
    "layout/node_block.cc", "layout/page.cc", "layout/segment_map.cc", "layout/streams.cc",
    "tools/formats/byte_source.cc",
    "tools/formats/faiss_codec.cc", "tools/formats/faiss_file.cc", "tools/formats/faiss_graph.cc",
    "tools/formats/faiss_id_map.cc", "tools/formats/faiss_index.cc",
    "tools/formats/faiss_lists.cc", "tools/formats/faiss_reader.cc", "tools/formats/faiss_rows.cc",
    "tools/formats/faiss_transform.cc", "tools/formats/hnswlib_reader.cc", "tools/formats/idx.cc",
    "tools/formats/index_checks.cc", "tools/formats/label_file.cc", "tools/formats/label_text.cc",
    "tools/formats/npy.cc", "tools/formats/read_window.cc", "tools/formats/result_file.cc",
    "tools/formats/usearch_head.cc", "tools/formats/usearch_reader.cc",
    "tools/formats/vector_format.cc", "tools/formats/vector_reader.cc",
    "tools/plan/device.cc", "tools/plan/json_fields.cc", "tools/plan/prices.cc", "tools/units.cc",
]


def read_lines(path):
    """File -> line -> how often it was reached."""
    files, lines = {}, {}
    for row in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        kind, _, value = row.partition(":")
        if kind == "SF":
            name = pathlib.Path(value).resolve()
            inside = name.is_relative_to(ROOT)
            lines = files.setdefault(str(name.relative_to(ROOT)) if inside else value, {})
        elif kind == "DA":
            line, count = (int(part) for part in value.split(",")[:2])
            lines[line] = lines.get(line, 0) + count
    return files


def ranges(lines):
    """[3, 4, 5, 9] -> "3-5 9"."""
    parts = []
    for line in lines:
        if parts and parts[-1][1] == line - 1:
            parts[-1][1] = line
        else:
            parts.append([line, line])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def main(arguments):
    corpora = read_lines(arguments[0])
    tests = read_lines(arguments[1]) if len(arguments) > 1 else None
    print(f"{'decoder':36} {'lines':>6} {'corpora':>8}" + ("  and tests" if tests else "")
          + "  missed")
    all_lines = all_reached = all_either = 0
    absent = [name for name in DECODERS if not corpora.get(name)]
    for name in DECODERS:
        if name in absent:
            print(f"{name:36} not in these programs")
            continue
        lines = corpora[name]
        missed = sorted(line for line, count in lines.items() if count == 0)
        reached = len(lines) - len(missed)
        other = tests.get(name, {}) if tests else {}
        either = reached + sum(1 for line in missed if other.get(line, 0) != 0)
        all_lines, all_reached = all_lines + len(lines), all_reached + reached
        all_either += either
        shown = ranges(missed) if reached < SHARE_MIN * len(lines) else ""
        print(f"{name:36} {len(lines):6} {reached / len(lines):8.1%}"
              + (f" {either / len(lines):10.1%}" if tests else "") + f"  {shown}")
    share = all_reached / all_lines
    there = len(DECODERS) - len(absent)
    print(f"fuzz coverage: {share:.2%} of {all_lines} lines of {there} decoders"
          + (f", with unit tests {all_either / all_lines:.2%}" if tests else ""))
    return 0 if share >= SHARE_MIN and not absent else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
