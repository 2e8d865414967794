// Precompiled for the verbs: the headers of others that take the most of their compiling.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
