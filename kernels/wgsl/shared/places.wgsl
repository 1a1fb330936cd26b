// Places in a tensor of four dimensions: two divisions for the line and the element, two more only where lines have
// several indices.

fn indices(element: u32, d: vec4u) -> vec4u {
  let line = element / d.w;
  let last = element - line * d.w;
  if (d.x * d.y == 1u) {
    return vec4u(0u, 0u, line, last);
  }
  let plane = line / d.z;
  let block = plane / d.y;
  return vec4u(block, plane - block * d.y, line - plane * d.z, last);
}

// Where strides lead; they may be negative as two's complement.
fn place(i: vec4u, s: vec4u) -> u32 {
  let v = i * s;
  return v.x + v.y + v.z + v.w;
}
