#include "tools/cli.h"

#include <fmt/format.h>
#include <sched.h>

#include <charconv>
#include <csignal>
#include <new>
#include <sstream>
#include <stdexcept>

namespace cairn::tools {
namespace {

constexpr int kOk = 0, kFailed = 1, kUsage = 2;

/// One line whatever the message holds.
void print_error(std::string_view where, std::string message) {
  for (char& c : message)
    if (c == '\n' || c == '\r') c = ' ';
  say(fmt::format("{}: {}\n", where, message));
}

int conclude(const std::string& where, const Status& status) {
  if (status) return kOk;
  print_error(where, status.error().to_string());
  return kFailed;
}

/// CLI11 reports help, version and misuse by exceptions.
int report(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) {
    std::ostringstream text;
    app.exit(error, text, text);
    print(text.str());
    return conclude("cairn", flush_output());
  }
  const auto chosen = app.get_subcommands();
  const std::string where = chosen.empty() ? "cairn" : "cairn " + chosen.front()->get_name();
  print_error(where, fmt::format("{} (see `{} --help`)", error.what(), where));
  return kUsage;
}

int execute(const std::string& where, const Run& body) {
  Status status;
  try {
    status = body();
  } catch (const std::bad_alloc&) {
    status = fail(ErrorCode::out_of_memory, "out of memory");
  } catch (const std::length_error&) {
    status = fail(ErrorCode::out_of_memory, "out of memory: more than can be addressed");
  } catch (const std::exception& error) {  // threads that the system refuses, and the like
    status = fail({.code = ErrorCode::io, .what = "unexpected failure", .found = error.what()});
  }
  Status printed = flush_output();
  if (status) status = std::move(printed);
  return conclude(where, status);
}

/// The argument of an option, or how CLI11 is told that it is none.
Size size_of(const std::string& name, const std::string& text) {
  auto parsed = parse_size(text);
  if (!parsed) throw CLI::ValidationError(name, parsed.error().to_string());
  return *parsed;
}

}  // namespace

int run(int argc, const char* const* argv, const std::vector<Verb>& verbs) {
  // A reader that left is then an error of print() or say(), and unfinished files are removed.
  ::signal(SIGPIPE, SIG_IGN);
  CLI::App app{"Disk-resident vector search: build an index, search it, measure it."};
  app.name("cairn");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string{"cairn "} + CAIRN_VERSION);
  app.footer("`cairn VERB --help` shows an example. Exit codes: 0 ok, 1 failed, 2 usage.");
  std::string where;
  Run body;
  for (const Verb& verb : verbs) {
    CLI::App* command = app.add_subcommand(verb.name, verb.summary);
    command->footer(fmt::format("{}Example:\n{}", verb.details, verb.example));
    command->callback([&where, &body, name = verb.name, run_verb = verb.declare(*command)] {
      where = std::string{"cairn "} + name;
      body = run_verb;
    });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return report(app, error);
  }
  return execute(where, body);
}

void add_quiet(CLI::App& command, bool& quiet) {
  command.add_flag("--quiet", quiet, "No progress and no notes");
}

void add_json(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "Print JSON, one object a line");
}

void add_threads(CLI::App& command, std::uint32_t& threads) {
  command.add_option("--threads", threads, "Threads; 0: as many as there are processors")
      ->check(at_least(0))
      ->check(CLI::Range(0U, kThreadsMax))
      ->capture_default_str();
}

void add_metric(CLI::App& command, Metric& metric) {
  command
      .add_option_function<std::string>(
          "--metric", [&metric](const std::string& name) { metric = *parse_metric(name); },
          "l2 (squared), ip (1 - dot) or cosine (1 - cos)")
      ->check(CLI::IsMember({"l2", "ip", "cosine"}))
      ->default_str(std::string{metric_name(metric)});
}

void add_index_file(CLI::App& command, std::optional<std::uint32_t>& dim,
                    std::optional<DType>& dtype, std::optional<Metric>& metric) {
  command.add_option("--dim", dim, "Elements of a vector, where the file does not say")
      ->check(at_least(1));
  command
      .add_option_function<std::string>(
          "--dtype", [&dtype](const std::string& name) { dtype = parse_dtype(name); },
          "Elements, where the file does not say: f32, u8 or i8")
      ->check(CLI::IsMember({"f32", "u8", "i8"}));
  command
      .add_option_function<std::string>(
          "--metric", [&metric](const std::string& name) { metric = parse_metric(name); },
          "l2, ip or cosine, where the file does not say")
      ->check(CLI::IsMember({"l2", "ip", "cosine"}));
}

CLI::Option* add_size(CLI::App& command, const std::string& name, std::optional<Size>& size,
                      const std::string& help) {
  const auto assign = [&size, name](const std::string& text) { size = size_of(name, text); };
  return command.add_option_function<std::string>(name, assign, help)->type_name("SIZE");
}

CLI::Option* add_bytes(CLI::App& command, const std::string& name, std::uint64_t& bytes,
                       const std::string& help) {
  const auto assign = [&bytes, name](const std::string& text) {
    const Size size = size_of(name, text);
    if (size.per_vector || size.bytes < 1)
      throw CLI::ValidationError(
          name, fmt::format("found '{}', expected bytes in all, such as 512M or 8G", text));
    bytes = size.total(0);
  };
  return command.add_option_function<std::string>(name, assign, help)->type_name("SIZE");
}

CLI::Validator within(double least, double most) {
  const auto check = [least, most](std::string& text) -> std::string {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc{} && end == text.data() + text.size() && value >= least && value <= most)
      return {};
    return fmt::format("found '{}', expected a number from {:g} to {:g}", text, least, most);
  };
  return CLI::Validator{check, "", "within"};
}

CLI::Validator at_least(std::uint64_t least) {
  const auto check = [least](std::string& text) -> std::string {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc{} && end == text.data() + text.size() && value >= least) return {};
    return fmt::format("found '{}', expected a whole number of at least {}", text, least);
  };
  return CLI::Validator{check, "", "at least"};
}

std::uint32_t thread_count(std::uint32_t threads) {
  if (threads != 0) return threads;
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<std::uint32_t>(CPU_COUNT(&set));
}

}  // namespace cairn::tools
