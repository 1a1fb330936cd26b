// Activations that are stored as f16, four of them in two words: 8 bytes where f32 has 16. Rows are whole fours, so no word has
// two writers.
//
// The bits are made here, in 12 operations on whole numbers for each stored one: rounded to the nearest with ties to even, 65520
// and above to an infinity, a NaN to a NaN, down to the subnormal. WGSL's conversions, pack2x16float and f16(), leave the
// direction of rounding open and give anything for what is too large, while loss scaling lives by seeing infinities. Loads are
// one instruction for two numbers, on adapters with f16 and without; all 65,536 are tested.

alias Stored = vec2u;

fn loaded(v: Stored) -> vec4f {
  return vec4f(unpack2x16float(v.x), unpack2x16float(v.y));
}

// x / 2^places, the nearest.
fn rounded_shift(x: vec4u, places: vec4u) -> vec4u {
  return (x + (vec4u(1u) << (places - 1u)) - 1u + ((x >> places) & vec4u(1u))) >> places;
}

fn stored(v: vec4f) -> Stored {
  let bits = bitcast<vec4u>(v);
  let x = bits & vec4u(0x7fffffffu);
  // from 2^-14 on the exponent goes from a bias of 127 to one of 15, and rounding may carry into it
  let normal = rounded_shift(x - (112u << 23u), vec4u(13u));
  // below, units of 2^-24 are counted
  let subnormal = rounded_shift((x & vec4u(0x7fffffu)) | vec4u(0x800000u), min(126u - (x >> vec4u(23u)), vec4u(25u)));
  let finite = select(subnormal, normal, x >= vec4u(0x38800000u));
  let large = select(vec4u(0x7c00u), vec4u(0x7e00u), x > vec4u(0x7f800000u));
  let halves = select(finite, large, x >= vec4u(0x47800000u)) | ((bits >> vec4u(16u)) & vec4u(0x8000u));
  return halves.xz | (halves.yw << vec2u(16u));
}

// One number of f32 in the place of four.
fn stored_number(x: f32) -> Stored {
  return vec2u(bitcast<u32>(x), 0u);
}

fn loaded_number(v: Stored) -> f32 {
  return bitcast<f32>(v.x);
}
