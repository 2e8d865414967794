#include "tools/verbs/verbs.h"

int main(int argc, char** argv) { return cairn::tools::run(argc, argv, cairn::tools::all_verbs()); }
