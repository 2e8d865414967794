#include "tools/cli.h"

int main(int argc, char** argv) { return cairn::tools::run(argc, argv); }
