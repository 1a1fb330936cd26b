// Steps of 16 k of a tile of 64 x 64 results, for variants of `product` that bring operands to workgroup memory: a step of an
// operand is 256 fours, which its section loads. Along k four number i is of row i / 4 and k 4 (i % 4), else of rows 4 (i % 16)
// and k i / 16. Fours past the end of k are zeros, or what nobody uses.
// uses product_blocks

const STEP = 16u;

fn left_share(row: u32, k: u32, i: u32, size: vec3u) -> vec4f {
  if (LEFT_ALONG_K) {
    let at = k + (i & 3u) * 4u;
    if (at >= size.z) {
      return vec4f();
    }
    return left4(min(row + (i >> 2u), size.x - 1u), at);
  }
  return left4(last_four(row + (i & 15u) * 4u, size.x), k + (i >> 4u));
}

fn right_share(column: u32, k: u32, i: u32, size: vec3u) -> vec4f {
  if (RIGHT_ALONG_K) {
    let at = k + (i & 3u) * 4u;
    if (at >= size.z) {
      return vec4f();
    }
    return right4(min(column + (i >> 2u), size.y - 1u), at);
  }
  return right4(last_four(column + (i & 15u) * 4u, size.y), k + (i >> 4u));
}
