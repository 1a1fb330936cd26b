// The element of a row of any length: one number.

alias Vec = f32;

const WIDE = 1u;

fn first_of(v: Vec) -> f32 {
  return v;
}

fn total(v: Vec) -> f32 {
  return v;
}

fn largest(v: Vec) -> f32 {
  return v;
}

// 0 if it is `x`, else 1.
fn place_of(v: Vec, x: f32) -> u32 {
  return select(1u, 0u, v == x);
}

fn exponentials(v: Vec) -> Vec {
  return exponential(v);
}

fn is_number(i: u32, c: u32) -> Vec {
  return select(0.0, 1.0, i == c);
}

// What dropout multiplies element i of plane j with.
fn kept_factors(site: Site, i: u32, j: u32) -> Vec {
  return dropout_factor(site, i, j);
}
