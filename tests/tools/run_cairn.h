// Runs the real binary and keeps what it printed.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/io/io_test_util.h"

namespace cairn::tools {

struct Ran {
  int code = -1;  // 256 + signal when one ended it
  std::string out, err;
};

/// Lines for bash, to which `$cairn` is the binary.
struct Shell {
  std::string script;
};

class CairnProcess {
 public:
  /// Starts `cairn args...` in `folder`, its output going to files there; `out` replaces the file
  /// of standard output and is read back only if it is a file.
  CairnProcess(const io::ScratchDir& folder, const std::vector<std::string>& args,
               const std::string& out = {});
  /// Starts bash instead.
  CairnProcess(const io::ScratchDir& folder, Shell shell);
  CairnProcess(const CairnProcess&) = delete;
  CairnProcess& operator=(const CairnProcess&) = delete;

  pid_t pid() const { return child_; }
  Ran wait() const;

 private:
  void start(const io::ScratchDir& folder, const std::vector<char*>& argv);

  std::string out_, err_;
  pid_t child_ = -1;
};

Ran run_cairn(const io::ScratchDir& folder, const std::vector<std::string>& args);

/// For pipes and limits around the command; the code is the script's.
Ran run_shell(const io::ScratchDir& folder, const std::string& script);

/// Expects code 0 and nothing on standard error.
Ran run_ok(const io::ScratchDir& folder, const std::vector<std::string>& args);

/// Expects the code, and one line on standard error that holds every one of `parts`.
void expect_error(const io::ScratchDir& folder, const std::vector<std::string>& args, int code,
                  const std::vector<std::string>& parts);

/// Path of the binary under test.
const char* cairn_binary();

std::string read_text(const std::string& path);

}  // namespace cairn::tools
