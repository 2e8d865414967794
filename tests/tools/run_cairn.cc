#include "tests/tools/run_cairn.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace cairn::tools {
namespace {

void redirect(const std::string& path, int fd) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || ::dup2(file, fd) < 0) ::_exit(126);
}

}  // namespace

const char* cairn_binary() { return CAIRN_BINARY; }

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

CairnProcess::CairnProcess(const io::ScratchDir& folder, const std::vector<std::string>& args,
                           const std::string& out)
    : out_(out.empty() ? folder.file("stdout.txt") : out), err_(folder.file("stderr.txt")) {
  std::vector<char*> argv{const_cast<char*>(cairn_binary())};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  start(folder, argv);
}

CairnProcess::CairnProcess(const io::ScratchDir& folder, Shell shell)
    : out_(folder.file("stdout.txt")), err_(folder.file("stderr.txt")) {
  std::string script = "cairn='" + std::string(cairn_binary()) + "'\n" + shell.script;
  std::string bash = "/bin/bash", option = "-c";
  start(folder, {bash.data(), option.data(), script.data(), nullptr});
}

void CairnProcess::start(const io::ScratchDir& folder, const std::vector<char*>& argv) {
  child_ = ::fork();
  if (child_ != 0) return;
  ::signal(SIGHUP, SIG_DFL);  // the tests may run under nohup
  redirect(out_, STDOUT_FILENO);
  redirect(err_, STDERR_FILENO);
  if (::chdir(folder.path().c_str()) == 0) ::execv(argv[0], argv.data());
  ::_exit(127);
}

Ran CairnProcess::wait() const {
  int status = 0;
  EXPECT_EQ(::waitpid(child_, &status, 0), child_);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
  // A device such as /dev/full gives bytes for ever.
  const bool has_text = std::filesystem::is_regular_file(out_);
  std::string said = read_text(err_);
  // Where io_uring is refused the command says so once, and then what it says anywhere.
  if (said.starts_with("cairn: reads by threads: ")) said.erase(0, said.find('\n') + 1);
  return {code, has_text ? read_text(out_) : "", std::move(said)};
}

Ran run_cairn(const io::ScratchDir& folder, const std::vector<std::string>& args) {
  return CairnProcess(folder, args).wait();
}

Ran run_shell(const io::ScratchDir& folder, const std::string& script) {
  return CairnProcess(folder, Shell{script}).wait();
}

Ran run_ok(const io::ScratchDir& folder, const std::vector<std::string>& args) {
  Ran ran = run_cairn(folder, args);
  EXPECT_EQ(ran.code, 0) << args[0] << ": " << ran.err;
  EXPECT_EQ(ran.err, "") << args[0];
  return ran;
}

void expect_error(const io::ScratchDir& folder, const std::vector<std::string>& args, int code,
                  const std::vector<std::string>& parts) {
  const Ran ran = run_cairn(folder, args);
  EXPECT_EQ(ran.code, code) << ran.err;
  EXPECT_EQ(ran.out, "");
  ASSERT_FALSE(ran.err.empty());
  EXPECT_EQ(ran.err.find('\n'), ran.err.size() - 1) << ran.err;
  for (const std::string& part : parts)
    EXPECT_NE(ran.err.find(part), std::string::npos) << "no '" << part << "' in: " << ran.err;
}

}  // namespace cairn::tools
