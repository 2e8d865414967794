#include "bench/compare/ann_result.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <limits>
#include <utility>

namespace cairn::compare {
namespace {

/// An HDF5 identifier, closed at the end.
class Id {
 public:
  Id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Id() {
    if (id_ >= 0) close_(id_);
  }
  Id(const Id&) = delete;
  Id& operator=(const Id&) = delete;
  operator hid_t() const { return id_; }
  bool ok() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// Writes into one open file; remembers whether anything failed.
class Writer {
 public:
  explicit Writer(const std::string& path)
      : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose),
        ok_(file_.ok()) {}

  void attribute(const char* name, double value) {
    scalar(name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
  }
  void attribute(const char* name, std::int64_t value) {
    scalar(name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
  }
  void attribute(const char* name, const std::string& value) {
    const Id type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    const char* text = value.c_str();
    scalar(name, type, type, &text);
  }
  /// As h5py writes a bool: an enumeration of bytes.
  void flag(const char* name, bool value) {
    const Id type(H5Tenum_create(H5T_NATIVE_INT8), H5Tclose);
    for (const auto& [word, number] : {std::pair{"FALSE", 0}, std::pair{"TRUE", 1}}) {
      const auto byte = static_cast<std::int8_t>(number);
      H5Tenum_insert(type, word, &byte);
    }
    const auto byte = static_cast<std::int8_t>(value);
    scalar(name, type, type, &byte);
  }

  void dataset(const char* name, std::initializer_list<hsize_t> shape, hid_t stored, hid_t given,
               const void* data) {
    const Id space(H5Screate_simple(static_cast<int>(shape.size()), shape.begin(), nullptr),
                   H5Sclose);
    const Id set(H5Dcreate2(file_, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                 H5Dclose);
    ok_ = ok_ && set.ok() && H5Dwrite(set, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
  }

  /// Whether all of it was written, and is the system's now.
  bool finish() { return ok_ && H5Fflush(file_, H5F_SCOPE_LOCAL) >= 0; }

 private:
  void scalar(const char* name, hid_t stored, hid_t given, const void* value) {
    const Id space(H5Screate(H5S_SCALAR), H5Sclose);
    const Id attribute(H5Acreate2(file_, name, stored, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    ok_ = ok_ && attribute.ok() && H5Awrite(attribute, given, value) >= 0;
  }

  Id file_;
  bool ok_;
};

/// Runs of anything but letters, digits, points and dashes become one dash.
std::string file_word(const std::string& text) {
  std::string word;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
    if (plain || (!word.empty() && word.back() != '-')) word += plain ? c : '-';
  }
  return word;
}

std::string algorithm(const Point& point) {
  return file_word(point.memory.empty() ? point.system : point.system + " " + point.memory);
}

const char* distance_name(Metric metric) {
  switch (metric) {
    case Metric::l2:
      return "euclidean";
    case Metric::cosine:
      return "angular";
    case Metric::ip:
      break;
  }
  return "ip";
}

void write_attributes(Writer& file, const AnnRun& run, const Point& point,
                      const peers::AnswerTable& answers) {
  const auto filled = std::count_if(answers.ids.begin(), answers.ids.end(),
                                    [](std::int64_t id) { return id >= 0; });
  file.attribute("algo", algorithm(point));
  file.attribute("name", fmt::format("{}({})", algorithm(point), point.setting()));
  file.attribute("dataset", run.dataset);
  file.attribute("distance", std::string(distance_name(run.metric)));
  file.attribute("count", std::int64_t{answers.k});
  file.flag("batch_mode", point.batch > 0);
  file.flag("expect_extra", false);
  file.attribute("run_count", std::int64_t{1});
  file.attribute("candidates", static_cast<double>(filled) / static_cast<double>(point.queries));
  file.attribute("best_search_time", 1 / point.row.qps);
  file.attribute("build_time",
                 point.build_wall_s.value_or(std::numeric_limits<double>::quiet_NaN()));
  file.attribute("index_size", static_cast<double>(point.row.index_ram_bytes) / 1024);  // KiB there
  // Not of ann-benchmarks, which keeps what else it finds.
  file.attribute("threads", std::int64_t{point.row.threads});
  file.attribute("reads_per_query", point.row.reads);
  file.attribute("core_us_per_query", point.row.cpu_us);
  file.attribute("description", point.description);
}

void write_answers(Writer& file, const AnnRun& run, const Point& point,
                   const peers::AnswerTable& answers) {
  std::vector<float> distances = answers.distances;
  if (run.metric == Metric::l2)
    for (float& distance : distances) distance = std::sqrt(distance);
  std::vector<double> times_s = answers.latency_us;
  for (double& time : times_s) time = point.batch > 0 ? 1 / point.row.qps : time / 1e6;
  const hsize_t queries = answers.queries();
  file.dataset("times", {queries}, H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, times_s.data());
  file.dataset("neighbors", {queries, answers.k}, H5T_STD_I32LE, H5T_NATIVE_INT64,
               answers.ids.data());
  file.dataset("distances", {queries, answers.k}, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT,
               distances.data());
}

}  // namespace

std::string ann_result_file(const AnnRun& run, const Point& point, std::uint32_t k) {
  return fmt::format("results/{}/{}/{}{}/{}.hdf5", file_word(run.dataset), k, algorithm(point),
                     point.batch > 0 ? "-batch" : "", file_word(point.setting()));
}

Status write_ann_result(const std::string& folder, const AnnRun& run, const Point& point,
                        const peers::AnswerTable& answers) {
  for (const std::int64_t id : answers.ids)
    if (id < -1 || id > std::numeric_limits<std::int32_t>::max())
      return fail(ErrorCode::over_limit,
                  fmt::format("ann-benchmarks stores ids below 2^31, found {}", id));
  const std::filesystem::path path = std::filesystem::path(folder) / point.result_file;
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // it would print each failure itself
  Writer file(path);
  write_attributes(file, run, point, answers);
  write_answers(file, run, point, answers);
  if (file.finish()) return {};
  return fail({.code = ErrorCode::io, .what = "write a result file", .file = path});
}

}  // namespace cairn::compare
