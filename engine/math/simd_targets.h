// Which Highway targets the kernels are compiled for. Include before any Highway header.
#pragma once

// SSSE3 gains nothing over SSE4 on machines that still exist. The tile kernels keep arrays of
// vectors, which scalable vectors (SVE, RVV) cannot be: Arm runs NEON. AVX3_DL is left out because
// Highway 1.0 compiles it with AVX-VNNI, which the first AVX-512 VNNI machines do not have.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
