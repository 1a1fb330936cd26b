// Gradients of layer normalisation. With g = d * weight, x^ = (x - mean) rstd for a gradient d of the output:
//
//   dx = rstd (g - mean(g) - x^ mean(g x^)),   dweight = sum over rows of d x^,   dbias = sum over rows of d
//
// Work split: rows as in the forward pass, both means in one reduction. Sums over rows: one invocation is one element of
// a block of 64 rows and leaves its two sums in `partial` [blocks, 2, width]; sixteen blocks are then joined at a time
// in the first of them, and those are added: no chain is longer than 64 rows, 16 blocks or a thousandth of the rows.
// Reads of d and x: two each.
//
// A section declares its element (`uses vec4` or `single`), `params.rows`, `mean`, `rstd`, `partial`, `dweight`, `dbias` and
//   norm_width()             elements of a row
//   norm_gradient(n, i)      d
//   norm_value(n, i)         x
//   norm_weight(i)
//   norm_give(n, i, dx)
// uses rows

const BLOCK = 64u;  // NORM_BLOCK in src/ops/layernorm.ts
const JOIN = 16u;

fn norm_backward(n: u32, lane: u32) {
  let width = norm_width();
  let m = mean[n];
  let r = rstd[n];
  var kept_g: array<Vec, KEPT>;
  var kept_hat: array<Vec, KEPT>;
  var sum_g = Vec();
  var sum_gx = Vec();
  for (var k = 0u; k < KEPT; k++) {
    let i = lane + k * TEAM;
    if (i < width) {
      kept_g[k] = norm_gradient(n, i) * norm_weight(i);
      kept_hat[k] = (norm_value(n, i) - m) * r;
      sum_g += kept_g[k];
      sum_gx += kept_g[k] * kept_hat[k];
    }
  }
  for (var i = lane + KEPT * TEAM; i < width; i += TEAM) {
    let g = norm_gradient(n, i) * norm_weight(i);
    sum_g += g;
    sum_gx += g * ((norm_value(n, i) - m) * r);
  }
  let means = row_sums(vec2f(total(sum_g), total(sum_gx)), lane) / f32(width * WIDE);
  for (var k = 0u; k < KEPT; k++) {
    let i = lane + k * TEAM;
    if (i < width) {
      norm_give(n, i, r * (kept_g[k] - means.x - kept_hat[k] * means.y));
    }
  }
  for (var i = lane + KEPT * TEAM; i < width; i += TEAM) {
    let hat = (norm_value(n, i) - m) * r;
    norm_give(n, i, r * (norm_gradient(n, i) * norm_weight(i) - means.x - hat * means.y));
  }
}

fn norm_blocks() -> u32 {
  return (params.rows + BLOCK - 1u) / BLOCK;
}

// Sums of a block of rows; e is an element of [blocks, width].
fn sum_block(e: u32) {
  let width = norm_width();
  let block = e / width;
  if (block >= norm_blocks()) {
    return;
  }
  let i = e % width;
  var w = Vec();
  var b = Vec();
  for (var n = block * BLOCK; n < min(params.rows, (block + 1u) * BLOCK); n++) {
    let d = norm_gradient(n, i);
    w += d * ((norm_value(n, i) - mean[n]) * rstd[n]);
    b += d;
  }
  partial[2u * block * width + i] = w;
  partial[(2u * block + 1u) * width + i] = b;
}

// Adds the sums of every `step`th block from `first` to `end`.
fn add_partial(first: u32, end: u32, step: u32, i: u32, sums: array<Vec, 2>) -> array<Vec, 2> {
  let width = norm_width();
  var w = sums[0];
  var b = sums[1];
  for (var block = first; block < end; block += step) {
    w += partial[2u * block * width + i];
    b += partial[(2u * block + 1u) * width + i];
  }
  return array<Vec, 2>(w, b);
}

// Joins sixteen blocks in the first of them; e is an element of [blocks / 16, width].
fn join_blocks(e: u32) {
  let width = norm_width();
  let first = e / width * JOIN;
  if (first >= norm_blocks()) {
    return;
  }
  let i = e % width;
  let sums = add_partial(first, min(first + JOIN, norm_blocks()), 1u, i, array<Vec, 2>());
  partial[2u * first * width + i] = sums[0];
  partial[(2u * first + 1u) * width + i] = sums[1];
}

// Adds what has been joined onto the gradients.
fn add_blocks(i: u32) {
  if (i >= norm_width()) {
    return;
  }
  let sums = add_partial(0u, norm_blocks(), JOIN, i, array<Vec, 2>(dweight[i], dbias[i]));
  dweight[i] = sums[0];
  dbias[i] = sums[1];
}
