// Every verb of `cairn`.
#pragma once

#include <vector>

#include "tools/cli.h"

namespace cairn::tools {

Verb plan_verb();
Verb build_verb();
Verb import_verb();
Verb export_verb();
Verb search_verb();
Verb groundtruth_verb();
Verb recall_verb();
Verb compare_verb();
Verb explain_verb();
Verb doctor_verb();
Verb calibrate_verb();
Verb inspect_verb();
Verb verify_verb();
Verb convert_verb();
Verb generate_verb();

/// In the order of `cairn --help`.
inline std::vector<Verb> all_verbs() {
  return {plan_verb(),        build_verb(),   export_verb(),  import_verb(),  search_verb(),
          groundtruth_verb(), recall_verb(),  compare_verb(), explain_verb(), doctor_verb(),
          calibrate_verb(),   inspect_verb(), verify_verb(),  convert_verb(), generate_verb()};
}

}  // namespace cairn::tools
