#include "bench/peers/process.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace cairn::peers {
namespace {

void read_lines(int fd, const Line& line) {
  std::FILE* stream = fdopen(fd, "r");
  if (stream == nullptr) return;
  char* text = nullptr;
  std::size_t room = 0;
  for (ssize_t size; (size = getline(&text, &room, stream)) > 0;) {
    if (text[size - 1] == '\n') --size;
    line(std::string(text, static_cast<std::size_t>(size)));
  }
  std::free(text);
  std::fclose(stream);
}

}  // namespace

int run_program(const std::string& program, const std::vector<std::string>& args,
                const Line& line) {
  std::vector<char*> argv;
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  int ends[2] = {-1, -1};
  if (line && pipe(ends) != 0) return 1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (line) {
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
  }
  pid_t child = 0;
  const int failed = posix_spawnp(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (line) close(ends[1]);
  if (line && failed) close(ends[0]);
  if (failed) return 127;
  if (line) read_lines(ends[0], line);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace cairn::peers
