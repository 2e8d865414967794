// What a core can do at most on one path, with operands in registers: the yardstick of the tiles.
#pragma once

namespace cairn::math {

/// Multiply-accumulates a second of int16 pairs (multiply, add pairs, add) and of floats (FMA),
/// measured for some milliseconds on the calling thread; the best moment counts.
double peak_byte_macs();
double peak_float_macs();

}  // namespace cairn::math
