// Names of the persisted enumerators and the one-line form of an error.
#include <cairn/result.h>
#include <cairn/types.h>

namespace cairn {

std::string_view error_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::already_exists:
      return "already_exists";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::io:
      return "io";
    case ErrorCode::no_space:
      return "no_space";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::over_limit:
      return "over_limit";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::out_of_memory:
      return "out_of_memory";
  }
  return "unknown";
}

std::string Error::to_string() const {
  std::string line{error_name(code)};
  line += ": " + what;
  if (!file.empty()) line += " '" + file + "'";
  if (block) line += " block " + std::to_string(*block);
  if (!found.empty()) line += ": found " + found;
  if (!expected.empty()) line += (found.empty() ? ": expected " : ", expected ") + expected;
  return line;
}

std::string_view dtype_name(DType dtype) {
  switch (dtype) {
    case DType::u8:
      return "u8";
    case DType::i8:
      return "i8";
    case DType::f32:
      return "f32";
  }
  return "unknown";
}

std::string_view metric_name(Metric metric) {
  switch (metric) {
    case Metric::l2:
      return "l2";
    case Metric::ip:
      return "ip";
    case Metric::cosine:
      return "cosine";
  }
  return "unknown";
}

std::optional<DType> parse_dtype(std::string_view name) {
  for (DType dtype : {DType::u8, DType::i8, DType::f32})
    if (dtype_name(dtype) == name) return dtype;
  return std::nullopt;
}

std::optional<Metric> parse_metric(std::string_view name) {
  for (Metric metric : {Metric::l2, Metric::ip, Metric::cosine})
    if (metric_name(metric) == name) return metric;
  return std::nullopt;
}

}  // namespace cairn
