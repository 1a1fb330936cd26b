// The element of a row whose length is a multiple of four: four numbers, 16 bytes in one load.

alias Vec = vec4f;

const WIDE = 4u;

fn first_of(v: Vec) -> f32 {
  return v.x;
}

fn total(v: Vec) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

// The largest of its numbers; NaN if there is one.
fn largest(v: Vec) -> f32 {
  return larger(larger(v.x, v.y), larger(v.z, v.w));
}

// The first of its numbers that is `x`, 4 if there is none.
fn place_of(v: Vec, x: f32) -> u32 {
  let found = v == vec4f(x);
  return select(select(select(select(4u, 3u, found.w), 2u, found.z), 1u, found.y), 0u, found.x);
}

fn exponentials(v: Vec) -> Vec {
  let is_nan = (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
  return select(select(exp(min(v, vec4f(88.722))), vec4f(), v < vec4f(-87.33654)), v, is_nan);
}

// Numbers 4 i to 4 i + 3: which of them are number c.
fn is_number(i: u32, c: u32) -> Vec {
  return select(vec4f(), vec4f(1.0), vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) == vec4u(c));
}

// What dropout multiplies element i of plane j with.
fn kept_factors(site: Site, i: u32, j: u32) -> Vec {
  return dropout_factors(site, i, j);
}
