#!/usr/bin/env python3
"""Every rule of tools/lint is shown to fail on a planted violation, and to pass beside it."""
import importlib.machinery
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load_lint():
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("lint", str(ROOT / "tools" / "lint"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("lint", loader))
    loader.exec_module(module)
    return module


lint = load_lint()


class Tree(unittest.TestCase):
    """A small tree in a temporary folder; `found` runs the rules over it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def found(self, tree_rules=()):
        return lint.findings(self.root, tree_rules=tree_rules)

    def assert_clean(self, path, text):
        self.write(path, text)
        self.assertEqual(self.found(), [])

    def assert_found(self, path, text, line, words):
        self.write(path, text)
        found = self.found()
        self.assertEqual([(f[0], f[1]) for f in found], [(path, line)], found)
        self.assertIn(words, found[0][2])


class Includes(Tree):
    def test_direction(self):
        self.assert_found("layout/a.h", '#include "io/fs.h"\n', 1, "may not include io/fs.h")

    def test_io_may_not_reach_engine(self):
        self.assert_found("io/a.h", "\n#include <cairn/index.h>\n", 2, "of engine/")

    def test_engine_may_not_reach_tools(self):
        self.assert_found("engine/a.cc", '#include "tools/x.h"\n', 1, "of tools/")

    def test_public_header_of_layout_is_of_layout(self):
        self.write("layout/cairn/result.h", "#pragma once\n")
        self.assert_clean("io/a.h", '#include <cairn/result.h>\n#include "layout/b.h"\n')

    def test_tests_may_include_anything(self):
        self.assert_clean("tests/a.cc", '#include "tools/x.h"\n#include <gtest/gtest.h>\n')

    def test_bare_name(self):
        self.assert_found("io/a.h", '#include "fs.h"\n', 1, "not relative to the root")

    def test_boost_lives_in_one_header(self):
        self.assert_clean("engine/cairn/asio.h", "#include <boost/asio/post.hpp>\n")
        self.assert_found("engine/b.h", "#include <boost/asio/post.hpp>\n", 1, "boost")

    def test_old_indexes_live_in_one_folder(self):
        self.assert_clean("tools/compare/a.cc", "#include <faiss/Index.h>\n")
        self.assert_found("tools/verbs/b.cc", "#include <hnswlib/hnswlib.h>\n", 1, "hnswlib")

    def test_third_party_by_layer(self):
        for path, name in (("layout/a.h", "liburing.h"), ("engine/a.h", "liburing.h"),
                           ("io/a.h", "hwy/highway.h"), ("engine/a.h", "fmt/format.h"),
                           ("io/a.h", "CLI/CLI.hpp"), ("engine/a.h", "zlib.h")):
            with self.subTest(path=path, name=name):
                self.assert_found(path, f"#include <{name}>\n", 1, name)
                (self.root / path).unlink()

    def test_third_party_where_it_belongs(self):
        self.write("layout/a.h", "#include <tl/expected.hpp>\n#include <xxhash.h>\n")
        self.write("io/a.h", "#include <liburing.h>\n#include <sys/stat.h>\n#include <fcntl.h>\n")
        self.write("engine/a.h", "#include <hwy/highway.h>\n#include <vector>\n")
        self.assert_clean("tools/a.h", "#include <fmt/format.h>\n#include <nlohmann/json.hpp>\n")

    def test_unknown_library(self):
        self.assert_found("tools/a.h", "#include <absl/strings/str_cat.h>\n", 1, "unknown library")

    def test_layout_is_pure(self):
        self.assert_found("layout/a.h", "#include <fstream>\n", 1, "no I/O and no threads")
        self.assert_found("layout/a.h", "#include <unistd.h>\n", 1, "standard library")

    def test_commented_include_is_no_include(self):
        self.assert_clean("layout/a.h", '// #include "io/fs.h"\n/*\n#include "io/fs.h"\n*/\n')


class Sizes(Tree):
    def test_file_lines(self):
        self.assert_clean("io/a.h", "//\n" * 450)
        self.assert_found("io/a.h", "//\n" * 451, 451, "file has 451 lines")

    def test_columns(self):
        self.assert_clean("tools/a.py", "#" * 100 + "\n")
        self.assert_found("tools/a.py", "\n" + "#" * 101 + "\n", 2, "101 columns")

    def test_prose_may_be_wide(self):
        self.assert_clean("README.md", "w" * 300 + "\n")

    def test_lines_of_patches_are_those_of_other_files(self):
        self.assert_clean("tests/a.patch", "+" + "w" * 100 + "\n")

    def function(self, head, lines, tail="}\n"):
        return head + " {\n" + "  ++x;\n" * (lines - 2) + tail

    def test_function_lines(self):
        self.assert_clean("io/a.cc", self.function("void f()", 70))
        self.assert_found("io/a.cc", self.function("void f()", 71), 1, "function has 71 lines")

    def test_function_within_namespace_and_class(self):
        text = "namespace a::b {\nnamespace {\nclass C : public D<int> {\n public:\n"
        text += self.function("  int f(int x) const noexcept override", 71) + "};\n}\n}\n"
        self.assert_found("io/a.cc", text, 5, "71 lines")

    def test_many_short_functions_are_fine(self):
        body = self.function("void f()", 40)
        self.assert_clean("io/a.cc", "namespace a {\nstruct S {\n" + body * 5 + "};\n}\n")

    def test_constructor_with_braced_initialisers(self):
        text = self.function("C::C(int a)\n    : a_{a}, b_(2), c_{3}", 70)
        self.assert_found("io/a.cc", text, 1, "71 lines")

    def test_template_default_and_operator(self):
        for head in ("template <class T = int, class = void>\nbool f(T t)",
                     "bool operator==(const A& a, const B& b)", "void operator()(int x)",
                     "struct Error fail(int x)", "TEST(A, B)", "auto kF = [](int x)"):
            with self.subTest(head=head):
                self.assert_found("io/a.cc", self.function(head, 80), 1, "function has")

    def test_tables_are_no_functions(self):
        self.assert_clean("io/a.cc", "const int kTable[] = {\n" + "  1,\n" * 90 + "};\n")
        self.assert_clean("io/a.cc", "enum class E {\n" + "  a,\n" * 90 + "};\n")

    def test_braces_in_literals_comments_and_macros(self):
        odd = ('  a("}"); // }\n  b(\'}\'); /* } */ c(R"x(}")x"); d(1\'000\'000);\n'
               "#define M(x) } \\\n  }\n")
        text = "void f() {\n" + odd + "  ++x;\n" * 65 + "}\n"
        self.assert_found("io/a.cc", text, 1, "71 lines")


class Words(Tree):
    def test_banned(self):
        for word in ("FIX" + "ME", "X" + "XX", "TO" + "DO", "TO" + "DO: later"):
            with self.subTest(word=word):
                self.assert_found("tools/a.sh", f"x\n# {word}\n", 2, "banned word")

    def test_owned_and_lookalike(self):
        self.assert_clean("tools/a.sh", "# TO" + "DO(ann): see FORMAT.md\nmktemp d.X" + "XXXX\n")

    def test_machine_path(self):
        home = "/ho" + "me/ann/x"
        self.assert_found("README.md", f"see {home}\n", 1, "path of one machine")
        self.assert_found("README.md", f"-I{home}\n", 1, "path of one machine")

    def test_other_paths(self):
        self.assert_clean("README.md", "/usr/share/x ../work/y https://a.org/home/b $HOME/home/c\n")


class Library(Tree):
    def test_prints_and_exits(self):
        for call in ("std::cerr << 1;", 'printf("x");', "std::exit(1);", "sigaction(1, a, b);"):
            with self.subTest(call=call):
                self.assert_found("engine/a.cc", f"void f() {{\n  {call}\n}}\n", 2, "never prints")

    def test_tools_may_and_words_in_comments_may(self):
        self.write("tools/a.cc", "void f() { std::exit(1); }\n")
        self.assert_clean("io/a.cc", "// never calls exit(1)\nint n = snprintf(b, 1, f);\n")


class Registration(Tree):
    def test_unregistered(self):
        self.write("tests/io/meson.build", "# 'device_test.cc'\n")
        self.assert_found("tests/io/device_test.cc", "\n", 1, "nobody runs it")

    def test_registered_here_above_or_by_stem(self):
        self.write("tests/io/a_test.cc", "\n")
        self.write("tests/io/b_test.cc", "\n")
        self.write("tests/io/c_test.cc", "\n")
        self.write("tests/meson.build", "x = ['io/a_test.cc']\n")
        self.write("tests/io/meson.build", "foreach n : ['b']\n  x = n + '_test.cc'\n"
                                           "endforeach\ny = 'c_test.cc'\n")
        self.assertEqual(self.found(), [])


class Compiled(Tree):
    def test_header_that_needs_another(self):
        self.write("io/good.h", "#pragma once\n#include <vector>\nextern std::vector<int> a;\n")
        self.write("io/bad.h", "#pragma once\nextern std::vector<int> b;\n")
        found = self.found([lint.check_headers])
        self.assertEqual([f[0] for f in found], ["io/bad.h"], found)
        self.assertIn("does not compile alone", found[0][2])

    def test_header_that_a_source_includes_first_is_left_to_the_build(self):
        self.write("io/first.h", "#pragma once\nextern std::vector<int> a;\n")
        self.write("io/second.h", "#pragma once\nextern std::vector<int> b;\n")
        self.write("io/first.cc", '// What it is.\n\n#include "io/first.h"\n\n'
                                  '#include "io/second.h"\n')
        found = self.found([lint.check_headers])
        self.assertEqual([f[0] for f in found], ["io/second.h"], found)

    @unittest.skipUnless(lint.which("clang-format-14") or lint.which("clang-format"),
                         "clang-format is not installed")
    def test_format(self):
        shutil.copy(ROOT / ".clang-format", self.root)
        self.write("io/good.h", "int f(int x);\n")
        self.write("io/bad.h", "int g(int x);\nint   f( int x );\n")
        found = self.found([lint.check_format])
        self.assertEqual({(f[0], f[1]) for f in found}, {("io/bad.h", 2)}, found)

    def test_command_line(self):
        def run():
            return subprocess.run([sys.executable, ROOT / "tools" / "lint", "--fast", "--root",
                                   self.root], capture_output=True, text=True, check=False)
        self.write("io/a.h", "int x;\n")
        self.assertEqual(run().returncode, 0)
        self.write("io/a.h", '#include "engine/b.h"\n')
        done = run()
        self.assertEqual(done.returncode, 1)
        self.assertIn("io/a.h:1: io/ may not include engine/b.h of engine/", done.stdout)

    def test_git_ignored_files_are_left_alone(self):
        subprocess.run(["git", "init", "-q", self.root], check=True)
        self.write(".gitignore", "out/\n")
        self.write("out/a.h", '#include "fs.h"\n')
        self.assertEqual(self.found(), [])
        self.write("io/a.h", '#include "fs.h"\n')
        self.assertEqual(len(self.found()), 1)


if __name__ == "__main__":
    unittest.main()
