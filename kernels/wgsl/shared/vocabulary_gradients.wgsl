// Gradients of linear_cross_entropy by tiles of logits, which are computed again.
// uses blocks
//
// A section that uses this declares
//
//     fn x4(m: u32, e: u32) -> vec4f            // fours along the width; zero at `width` and behind
//     fn weight4(v: u32, e: u32) -> vec4f
//     fn add_dweight(v: u32, e: u32, sums: vec4f)
//     fn partial4(at: u32) -> vec4f             // four words of `partial` from `at` on, and what writes them
//     fn set_partial(group: u32, m: u32, e: u32, sums: vec4f)
//
// Work split: a workgroup of 8 x 8 invocations makes 32 rows x 64 words of dlogits, an invocation 4 x 8 of them, and leaves them in
// workgroup memory (8 KiB), from where all multiply them once more: 128 multiply-adds for 12 loads of 16 bytes in each of the three
// products. dweight: a workgroup is 64 words and all rows. dx: a workgroup is 32 rows and one of GROUPS groups of words; the
// sums of a group lie in partial [groups, rows, width], which are joined in their order.

const ROWS = 32u;
const WORDS = 64u;
const CHUNK = 256u;   // VOCABULARY_CHUNK in src/ops/linear_cross_entropy.ts
const GROUPS = 32u;   // VOCABULARY_GROUPS

// dlogits of a tile, [row][word / 4].
var<workgroup> dlogits: array<vec4f, ROWS * WORDS / 4u>;

fn x_block(m: u32, e: u32) -> mat4x4f {
  let end = params.rows - 1u;
  return mat4x4f(x4(min(m, end), e), x4(min(m + 1u, end), e), x4(min(m + 2u, end), e), x4(min(m + 3u, end), e));
}

fn weight_block(v: u32, e: u32) -> mat4x4f {
  let end = params.vocabulary - 1u;
  return mat4x4f(weight4(min(v, end), e), weight4(min(v + 1u, end), e), weight4(min(v + 2u, end), e), weight4(min(v + 3u, end), e));
}

// Gradient of a logit, of which `sum` is the product; 0 for rows and words that are not there.
fn dlogit(m: u32, v: u32, sum: f32) -> f32 {
  if (m >= params.rows || v >= params.vocabulary) {
    return 0.0;
  }
  if (labels[m] < 0 || labels[m] >= i32(params.vocabulary)) {
    return 0.0;
  }
  return dloss[m] * (exponential(sum + bias[v] - lse[m]) - select(0.0, 1.0, labels[m] == i32(v)));
}

fn store_block(row: u32, column: u32, sums: mat4x4f) {
  let at = row * WORDS + column;
  dlogits[at / 4u] = sums[0];
  dlogits[(at + WORDS) / 4u] = sums[1];
  dlogits[(at + 2u * WORDS) / 4u] = sums[2];
  dlogits[(at + 3u * WORDS) / 4u] = sums[3];
}

// dlogits of rows from m0 and words from v0 on, of which m0 and v0 are there.
fn make_dlogits(m0: u32, v0: u32, lane: u32) {
  let row = lane / 8u * 4u;
  let column = lane % 8u * 4u;
  var sums0 = mat4x4f();
  var sums1 = mat4x4f();
  for (var e = 0u; e < params.width; e += 4u) {
    let left = x_block(m0 + row, e);
    sums0 = multiply_add(sums0, left, transpose(weight_block(v0 + column, e)));
    sums1 = multiply_add(sums1, left, transpose(weight_block(v0 + column + 32u, e)));
  }
  workgroupBarrier();
  store_block(row, column, sums0);
  store_block(row, column + 32u, sums1);
  workgroupBarrier();
  for (var n = lane; n < ROWS * WORDS; n += LANES) {
    dlogits[n / 4u][n % 4u] = dlogit(m0 + n / WORDS, v0 + n % WORDS, dlogits[n / 4u][n % 4u]);
  }
  workgroupBarrier();
}

fn dlogits_block(row: u32, column: u32) -> mat4x4f {
  let at = row * WORDS + column;
  return mat4x4f(dlogits[at / 4u], dlogits[(at + WORDS) / 4u], dlogits[(at + 2u * WORDS) / 4u], dlogits[(at + 3u * WORDS) / 4u]);
}

fn add_rows(v: u32, e: u32, sums: mat4x4f) {
  for (var i = 0u; i < 4u; i++) {
    if (v + i < params.vocabulary && e < params.width) {
      add_dweight(v + i, e, sums[i]);
    }
  }
}

// dweight[v,e] += sum over m of dlogits[m,v] x[m,e],  dbias[v] += sum over m of dlogits[m,v]
fn weight_gradient(index: u32, lane: u32) {
  let v0 = index * WORDS;
  if (v0 >= params.vocabulary) {
    return;
  }
  let column = lane / 8u * 4u;
  var bias_sum = 0.0;
  for (var m0 = 0u; m0 < params.rows; m0 += ROWS) {
    make_dlogits(m0, v0, lane);
    for (var r = 0u; r < ROWS; r++) {
      bias_sum += dlogits[(r * WORDS + lane) / 4u][lane % 4u];
    }
    let count = min(ROWS, params.rows - m0);
    for (var e = lane % 8u * 4u; e < params.width; e += 32u) {
      var sums0 = mat4x4f();
      var sums1 = mat4x4f();
      for (var r = 0u; r < count; r += 4u) {
        let right = x_block(m0 + r, e);
        sums0 = multiply_add(sums0, transpose(dlogits_block(r, column)), right);
        sums1 = multiply_add(sums1, transpose(dlogits_block(r, column + 32u)), right);
      }
      add_rows(v0 + column, e, sums0);
      add_rows(v0 + column + 32u, e, sums1);
    }
  }
  if (v0 + lane < params.vocabulary) {
    dbias[v0 + lane] += bias_sum;
  }
}

fn group_count() -> u32 {
  return min(GROUPS, (params.vocabulary + CHUNK - 1u) / CHUNK);
}

fn put_rows(group: u32, m: u32, e: u32, sums: mat4x4f, starts: bool) {
  for (var i = 0u; i < 4u; i++) {
    if (m + i < params.rows && e < params.width) {
      let before = partial4((group * params.rows + m + i) * params.width + e);
      set_partial(group, m + i, e, select(before, vec4f(), starts) + sums[i]);
    }
  }
}

// partial[g,m,e] = sum over the words v of group g of dlogits[m,v] weight[v,e]
fn x_gradient(index: u32, lane: u32) {
  let groups = group_count();
  let m0 = index / groups * ROWS;
  if (m0 >= params.rows) {
    return;
  }
  let group = index % groups;
  let words = ((params.vocabulary + CHUNK - 1u) / CHUNK + groups - 1u) / groups * CHUNK;
  let start = group * words;
  let end = min(start + words, params.vocabulary);
  let row = lane / 8u * 4u;
  // a group may be without words: its sums are zero
  for (var e = lane % 8u * 4u; start >= end && e < params.width; e += 32u) {
    put_rows(group, m0 + row, e, mat4x4f(), true);
  }
  for (var v0 = start; v0 < end; v0 += WORDS) {
    make_dlogits(m0, v0, lane);
    let count = min(WORDS, end - v0);
    for (var e = lane % 8u * 4u; e < params.width; e += 64u) {
      var sums0 = mat4x4f();
      var sums1 = mat4x4f();
      for (var c = 0u; c < count; c += 4u) {
        let left = dlogits_block(row, c);
        sums0 = multiply_add(sums0, left, weight_block(v0 + c, e));
        sums1 = multiply_add(sums1, left, weight_block(v0 + c, min(e + 32u, (params.width - 1u) & ~3u)));
      }
      put_rows(group, m0 + row, e, sums0, v0 == start);
      put_rows(group, m0 + row, e + 32u, sums1, v0 == start);
    }
  }
}

// Sum over the groups, four columns of row m from e on.
fn joined_partials(m: u32, e: u32) -> vec4f {
  var sum = vec4f();
  for (var group = 0u; group < group_count(); group++) {
    sum += partial4((group * params.rows + m) * params.width + e);
  }
  return sum;
}
