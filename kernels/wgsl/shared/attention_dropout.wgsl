// Dropout masks of attention: element = key within the sequence, plane = row * A + head. One counter gives the words of four
// keys, all of which are used.

// Bits 4 i + j: whether four rows i, whose planes are `step` apart, keep elements e + j; e is a multiple of 4.
fn kept_of_rows(site: Site, e: u32, plane: u32, step: u32) -> u32 {
  var kept = 0u;
  for (var i = 0u; i < 4u; i++) {
    kept |= kept_elements(site, e, plane + i * step) << (4u * i);
  }
  return kept;
}

// Bits j: whether a plane keeps elements e + j.
fn kept_elements(site: Site, e: u32, plane: u32) -> u32 {
  let words = philox(vec4u(e / 4u, plane, (site.stream << 16u) | site.layer, site.draw), site.seed);
  let is = words >= vec4u(u32(site.p * 4294967296.0));
  return dot(vec4u(1u, 2u, 4u, 8u), select(vec4u(), vec4u(1u), is));
}

// Of four rows, whether each keeps element j of four.
fn kept_bits(kept: u32, j: u32) -> vec4<bool> {
  return ((vec4u(kept) >> (vec4u(0u, 4u, 8u, 12u) + j)) & vec4u(1u)) != vec4u();
}

// Of four neighbouring elements of one row, whether each is kept.
fn kept_columns(kept: u32) -> vec4<bool> {
  return (vec4u(kept) & vec4u(1u, 2u, 4u, 8u)) != vec4u();
}
