"""What the campaign of kills builds: random parameters by seed and number, their inputs, and the
bytes that a run gives which nobody disturbs.

Standard library only.
"""
import dataclasses
import math
import pathlib
import random
import shutil
import threading

import build_runs

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "hnswlib"
FORMATS = {"u8": ("u8bin", "bvecs", "npy"), "f32": ("fbin", "fvecs", "npy"), "i8": ("i8bin",)}
LIMIT_S = 600  # of a run before it is known how long an undisturbed one takes
KINDS = ("build", "build", "build", "import", "build", "build", "calibrate")  # in turns


@dataclasses.dataclass
class Recipe:
    """One way to make an index."""
    number: int
    kind: str  # build, import or calibrate
    count: int
    dim: int
    dtype: str
    metric: str
    labelled: bool
    words: list  # arguments of every run
    golden: str = ""  # name of the file that is imported; none: an index that was exported
    exported: list = dataclasses.field(default_factory=list)  # arguments of that index

    def __str__(self):
        what = self.golden or f"{self.count} x {self.dim} {self.dtype} {self.metric}"
        return " ".join([f"recipe {self.number}, {self.kind} of {what}",
                         *(["labelled"] if self.labelled else []), *self.words])


def log_uniform(chance, low, high):
    return round(math.exp(chance.uniform(math.log(low), math.log(high))))


def random_words(chance, dim):
    """Parameters that any vectors of so many dimensions can be built with."""
    words = ["--codes", min(dim, log_uniform(chance, 1, 48)),
             "--degree", log_uniform(chance, 12, 96),
             "--nav-edges", chance.choice((8, 16, 32, 64)),
             "--partitions", chance.choice((0, 1, 2, 4, 7)),
             "--threads", chance.choice((1, 2, 4)),
             "--calibration-rows", chance.choice((0, 8, 20, 40)),
             "--seed", chance.randrange(1, 1000)]
    refine = chance.choice(("", "none", "bytes", "layers"))
    if refine == "layers" and dim >= 6:
        words += ["--refine-layers", f"1,{dim // 3},{dim // 4}"]
    elif refine in ("none", "bytes"):
        words += ["--refine", 0 if refine == "none" else min(dim, log_uniform(chance, 1, 40))]
    if chance.random() < 0.5:
        words += ["--memory", chance.choice(("64M", "96M", "512M"))]
    return [str(word) for word in words]


def random_recipe(seed, number, scale):
    """`scale`: of the number of vectors, 1 for some hundreds to thousands."""
    chance = random.Random(f"recipe {seed} {number}")
    kind = KINDS[number % len(KINDS)]
    dim = log_uniform(chance, 3, 200)
    dtype, metric = chance.choice(("u8", "f32", "i8")), chance.choice(("l2", "ip", "cosine"))
    count = max(20, round(scale * min(3000, log_uniform(chance, 300, 3000) * 64 / (dim + 32))))
    recipe = Recipe(number, kind, count, dim, dtype, metric, chance.random() < 0.4,
                    random_words(chance, dim))
    if kind == "import":
        from_golden(recipe, chance) if chance.random() < 0.25 else from_exported(recipe, chance)
    else:
        recipe.words += ["--metric", recipe.metric]
    return recipe


def from_golden(recipe, chance):
    recipe.golden, recipe.dim, recipe.dtype, recipe.metric = chance.choice(
        (("l2.hnsw", 5, "f32", "l2"), ("deleted.hnsw", 2, "f32", "l2"), ("ip.hnsw", 3, "f32", "ip"),
         ("cosine.hnsw", 4, "f32", "cosine"), ("u8.hnsw", 8, "u8", "l2")))
    recipe.labelled = False  # beyond those of the file
    recipe.words = random_words(chance, recipe.dim)


def from_exported(recipe, chance):
    recipe.dtype = "f32"
    recipe.exported = [*random_words(chance, recipe.dim), "--metric", recipe.metric]
    recipe.words += ["--graph", chance.choice(("rebuild", "keep"))]


class Prepared:
    """A recipe, its input, and what undisturbed runs of it give. Made once, whoever asks."""

    def __init__(self, cairn, folder, recipe):
        self.cairn, self.folder, self.recipe = cairn, folder, recipe
        self.lock = threading.Lock()
        self.builder = self.base = self.expected = None

    def make(self):
        with self.lock:
            if self.base:
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            self.builder = self.make_builder()
            self.base, self.expected = build_runs.ordinary_build(
                self.builder, self.folder / "undisturbed")

    @property
    def index(self):
        """The undisturbed index, to be copied."""
        return self.folder / "undisturbed"

    @property
    def need_bytes(self):
        return build_runs.needed_bytes(self.base)

    def call(self, *words):
        words = [str(word) for word in words]
        run = build_runs.run_command([self.cairn, *words], limit_s=LIMIT_S)
        if run.problem:
            raise build_runs.Failed(f"{' '.join(words)}: {run.problem}")
        return run.out

    def make_builder(self):
        recipe = self.recipe
        if recipe.golden:
            return self.importer(GOLDEN / recipe.golden)
        inputs, labels = self.write_vectors(), []
        if recipe.labelled:
            labels = ["--labels", str(self.write_labels())]
        if recipe.kind != "import":
            return build_runs.Builder(self.cairn, [inputs], [*recipe.words, *labels],
                                      limit_s=LIMIT_S)
        there = self.folder / "exported-from"
        build_runs.drop(there)
        self.call("build", "--input", inputs, "--index", there, "--quiet", *labels,
                  *recipe.exported)
        self.call("export", "--index", there, "--to", "hnswlib", self.folder / "old.hnsw")
        return self.importer(self.folder / "old.hnsw")

    def importer(self, file):
        recipe = self.recipe
        source = ["import", "--from", "hnswlib", str(file), "--dim", str(recipe.dim), "--dtype",
                  recipe.dtype, "--metric", recipe.metric]
        return build_runs.Builder(self.cairn, [], recipe.words, source, LIMIT_S)

    def write_vectors(self):
        recipe = self.recipe
        chance = random.Random(f"input {recipe.number}")
        path = self.folder / f"base.{chance.choice(FORMATS[recipe.dtype])}"
        drawn = path.with_suffix(".u8bin") if recipe.dtype == "i8" else path
        self.call("generate", "--count", recipe.count, "--dim", recipe.dim, "--dtype",
                  "f32" if recipe.dtype == "f32" else "u8", "--seed", recipe.number + 1,
                  "--output", drawn, "--quiet")
        if drawn != path:
            bytes_of = drawn.read_bytes()
            shifted = bytes((byte - 64) % 256 for byte in range(256))
            path.write_bytes(bytes_of[:8] + bytes_of[8:].translate(shifted))
        return path

    def write_labels(self):
        """Distinct ones of 64 bits, in no order, in either format."""
        chance = random.Random(f"labels {self.recipe.number}")
        labels = chance.sample(range(1 << 62), self.recipe.count)
        if chance.random() < 0.5:
            path = self.folder / "labels.txt"
            path.write_text("".join(f"{label}\n" for label in labels))
            return path
        path = self.folder / "labels.u64bin"
        words = [len(labels).to_bytes(4, "little"), (1).to_bytes(4, "little"),
                 *[label.to_bytes(8, "little") for label in labels]]
        path.write_bytes(b"".join(words))
        return path

    def copy_index(self, to):
        build_runs.drop(to)
        shutil.copytree(self.index, to)
