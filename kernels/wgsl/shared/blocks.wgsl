// Blocks of 4 x 4 as matrices, of which products are made.

// sums + sum over k of left[k] right[k], for four columns. A chain for each of them, because software adapters keep a vector in
// memory between one operation on it and the next.
fn row_sums(sums: vec4f, left: vec4f, right: mat4x4f) -> vec4f {
  return vec4f(
    sums.x + left.x * right[0].x + left.y * right[1].x + left.z * right[2].x + left.w * right[3].x,
    sums.y + left.x * right[0].y + left.y * right[1].y + left.z * right[2].y + left.w * right[3].y,
    sums.z + left.x * right[0].z + left.y * right[1].z + left.z * right[2].z + left.w * right[3].z,
    sums.w + left.x * right[0].w + left.y * right[1].w + left.z * right[2].w + left.w * right[3].w,
  );
}

// sums[row] += sum over k of left[row][k] right[k].
fn multiply_add(sums: mat4x4f, left: mat4x4f, right: mat4x4f) -> mat4x4f {
  return mat4x4f(
    row_sums(sums[0], left[0], right), row_sums(sums[1], left[1], right), row_sums(sums[2], left[2], right), row_sums(sums[3], left[3], right),
  );
}

// Four values of which those at `end` and behind count as zero.
fn before(end: u32, first: u32, values: vec4f) -> vec4f {
  return select(vec4f(), values, vec4u(first) + vec4u(0u, 1u, 2u, 3u) < vec4u(end));
}
