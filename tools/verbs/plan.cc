// cairn plan: what each design would take and give, before anything is built.
#include <filesystem>
#include <memory>

#include "tools/formats/output_file.h"
#include "tools/interrupt.h"
#include "tools/json_line.h"
#include "tools/plan/report.h"
#include "tools/verbs/verbs.h"

namespace cairn::tools {
namespace {

struct Options {
  plan::Workload workload;
  std::optional<Size> memory;
  BuildOptions build;
  std::string sample, queries, folder, prices, device, measure, device_output;
  std::uint64_t sample_rows = plan::SampleOptions{}.rows, seed = 1;
  bool json = false, quiet = false;
};

Result<plan::Device> device_of(const Options& options) {
  if (!options.device.empty()) return plan::load_device(options.device);
  if (options.measure.empty()) return plan::assumed_device();
  CAIRN_ASSIGN(const plan::Device device, plan::measure_device(options.measure, check_interrupt));
  if (options.device_output.empty()) return device;
  CAIRN_ASSIGN(const auto file, formats::OutputFile::create(options.device_output));
  const std::string text = plan::device_text(device);
  CAIRN_TRY(file->append(std::as_bytes(std::span(text))));
  CAIRN_TRY(file->commit());
  return device;
}

Status run_plan(const Options& options) {
  install_interrupt();
  plan::Request request{
      .workload = options.workload, .build = options.build, .device = {}, .prices = {}};
  if (options.memory) request.workload.memory_bytes = options.memory->total(request.workload.count);
  CAIRN_ASSIGN(request.prices, options.prices.empty()
                                   ? plan::parse_prices(plan::default_prices_text(), "(built in)")
                                   : plan::load_prices(options.prices));
  CAIRN_ASSIGN(request.device, device_of(options));
  if (!options.sample.empty()) {
    plan::SampleOptions sample{.vectors = options.sample,
                               .queries = options.queries,
                               .rows = options.sample_rows,
                               .seed = options.seed,
                               .folder = options.folder,
                               .threads = options.build.threads,
                               .tick = {}};
    if (sample.folder.empty()) {
      std::error_code none;  // then the folder of scratch files says what is missing
      sample.folder = std::filesystem::temp_directory_path(none).string();
      if (none) sample.folder = "/tmp";
    }
    sample.tick = [quiet = options.quiet](const std::string& doing) {
      if (!quiet) say("cairn: " + doing + "\n");
      return check_interrupt();
    };
    request.sample = std::move(sample);
  }
  CAIRN_ASSIGN(const plan::Plan made, plan::make_plan(request));
  print(options.json ? json_line(plan::plan_json(made)) : plan::plan_text(made));
  return {};
}

/// A value that `parse` reads, or how CLI11 is told that it is none.
template <class T, class Parse>
CLI::Option* add_parsed(CLI::App& command, const std::string& name, T& value, Parse parse,
                        const std::string& help) {
  return command.add_option_function<std::string>(
      name,
      [&value, parse, name](const std::string& text) {
        auto parsed = parse(text);
        if (!parsed) throw CLI::ValidationError(name, parsed.error().to_string());
        value = *parsed;
      },
      help);
}

void declare_workload(CLI::App& command, Options& options) {
  plan::Workload& workload = options.workload;
  add_parsed(command, "--count", workload.count, parse_count, "Vectors, e.g. 50M or 1500000")
      ->required();
  command.add_option("--dim", workload.dim, "Dimension")
      ->required()
      ->check(at_least(1))
      ->check(CLI::Range(1U, kDimMax));
  command
      .add_option_function<std::string>(
          "--dtype", [&workload](const std::string& name) { workload.dtype = *parse_dtype(name); },
          "f32, u8 or i8; default f32")
      ->check(CLI::IsMember({"f32", "u8", "i8"}));
  add_metric(command, workload.metric);
  command.add_option("-k", workload.k, "Neighbours a query, default 10")
      ->check(at_least(1))
      ->check(CLI::Range(1U, 1000U));
  command.add_option("--recall", workload.recall, "recall@k to reach, default 0.95")
      ->check(within(0.5, 0.999));
  add_parsed(command, "--qps", workload.qps, parse_count, "Queries a second to answer");
  add_parsed(command, "--p99", workload.p99_s, parse_duration,
             "Time in which 99 of 100 queries are answered, e.g. 20ms");
  add_size(command, "--memory", options.memory,
           "RAM that the index may take, e.g. 16G or 100B/v; one row more shows it");
}

void declare_sources(CLI::App& command, Options& options) {
  const auto sample = command.add_option("--sample", options.sample,
                                         "Vectors like those to come, in any format: indexes of "
                                         "parts of them are built and measured, in minutes");
  command
      .add_option("--sample-rows", options.sample_rows,
                  "At most so many rows, drawn from the sample; default 65536")
      ->check(at_least(plan::DrawnRows::kRowsLeast))
      ->needs(sample);
  command.add_option("--seed", options.seed, "Which rows; default 1")->needs(sample);
  command
      .add_option("--queries", options.queries,
                  "Queries like those to come; default: rows of the sample that are kept out")
      ->needs(sample);
  command
      .add_option("--work", options.folder,
                  "Folder for the indexes of the sample; default: of "
                  "temporary files")
      ->needs(sample);
  command.add_option("--prices", options.prices,
                     "JSON list of machines in place of the built-in one");
  const auto device =
      command.add_option("--device", options.device, "JSON description of the device");
  const auto measure = command
                           .add_option("--measure", options.measure,
                                       "Folder on the device to be measured, in some seconds")
                           ->excludes(device);
  command
      .add_option("--device-output", options.device_output,
                  "File to write what was measured to, for --device")
      ->needs(measure);
  add_bytes(command, "--build-memory", options.build.memory_bytes,
            "Most that a build may hold in RAM; default: half of what there is");
  add_threads(command, options.build.threads);
}

Run declare(CLI::App& command) {
  auto options = std::make_shared<Options>();
  declare_workload(command, *options);
  declare_sources(command, *options);
  add_json(command, options->json);
  add_quiet(command, options->quiet);
  return [options] { return run_plan(*options); };
}

}  // namespace

Verb plan_verb() {
  return {
      "plan", "Say what each design would take and cost, before anything is built",
      "HNSW, IVF and Cairn at several memory limits: memory, disk, build, reads, latency and the\n"
      "cheapest machine. With a sample of your vectors Cairn's figures are measured on it; "
      "without,\n"
      "what is assumed is said.\n\n",
      "  cairn plan --count 50M --dim 768 --dtype f32 --recall 0.95 --qps 500 --p99 20ms\n"
      "  cairn plan --count 10M --dim 128 --dtype u8 --sample part.u8bin --measure . \\\n"
      "      --qps 2000 --p99 5ms",
      declare};
}

}  // namespace cairn::tools
