// Steps of STEP k of a tile of TILE_ROWS x TILE_COLUMNS results, for variants that bring operands to workgroup memory: what an
// operand has in a step are fours, of type `Four`, which its section loads. Along k four number i is of row i / (STEP / 4) and
// k 4 (i % (STEP / 4)), else of rows 4 (i % (ROWS / 4)) and k i / (ROWS / 4), where ROWS are the tile's. Fours past the end of k are
// zeros, or what nobody uses.
// uses product_edges

fn left_share(row: u32, k: u32, i: u32, size: vec3u) -> Four {
  if (LEFT_ALONG_K) {
    let at = k + i % (STEP / 4u) * 4u;
    if (at >= size.z) {
      return Four();
    }
    return left4(min(row + i / (STEP / 4u), size.x - 1u), at);
  }
  return left4(last_four(row + i % (TILE_ROWS / 4u) * 4u, size.x), k + i / (TILE_ROWS / 4u));
}

fn right_share(column: u32, k: u32, i: u32, size: vec3u) -> Four {
  if (RIGHT_ALONG_K) {
    let at = k + i % (STEP / 4u) * 4u;
    if (at >= size.z) {
      return Four();
    }
    return right4(min(column + i / (STEP / 4u), size.y - 1u), at);
  }
  return right4(last_four(column + i % (TILE_COLUMNS / 4u) * 4u, size.y), k + i / (TILE_COLUMNS / 4u));
}
