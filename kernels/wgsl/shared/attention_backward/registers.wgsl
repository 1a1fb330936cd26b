// uses attention_blocks, attention_dropout
//
// Attention backward without workgroup memory, in the manner of attention_forward/registers.wgsl: an invocation is ROWS keys of
// a sequence and a head and walks over the queries that see them, then ROWS queries and walks over the keys that they see. With
// keys at rest 2 D floats are loaded for 16 D multiply-adds, with queries for 12 D.

const ROWS = 4u;    // of a block: the columns of a matrix
const GROUP = 16u;  // invocations of a workgroup
const TASKS = 16u;  // blocks and heads of a workgroup

// Of chunk c, what is at rest: columns of the head down, rows of the block across.
var<private> score_side: array<mat4x4f, CHUNKS>;   // keys, or queries
var<private> gradient_side: array<mat4x4f, CHUNKS>;  // values, or gradients of y
var<private> score_sums: array<mat4x4f, CHUNKS>;   // dk or dq
var<private> value_sums: array<mat4x4f, CHUNKS>;   // dv
// The row that passes: its key or query, and its gradient of y.
var<private> score_row: array<vec4f, CHUNKS>;
var<private> gradient_row: array<vec4f, CHUNKS>;
// Of the four rows.
var<private> score: vec4f;
var<private> dp: vec4f;
var<private> ds: vec4f;
var<private> kept_p: vec4f;

fn outer(x: vec4f, f: vec4f) -> mat4x4f {
  return mat4x4f(f.x * x, f.y * x, f.z * x, f.w * x);
}

// Delta of one row and head.
fn put_delta(index: u32) {
  if (index >= params.rows * params.heads) {
    return;
  }
  let n = index / params.heads;
  let a = index % params.heads;
  let at = hidden_at(n, a);
  var sum = vec4f();
  for (var c = 0u; c < chunks(); c++) {
    sum += dy4(at, c) * y4(at, c);
  }
  set_delta(n, a, (sum.x + sum.y) + (sum.z + sum.w));
}

// ---------------------------------------------------------------- keys at rest, queries pass

fn score_query_chunk(q: u32, g: u32, c: u32) {
  let x = qkv4(q, c);
  score_row[c] = x;
  score += x * score_side[c];
  let z = dy4(g, c);
  gradient_row[c] = z;
  dp += z * gradient_side[c];
}
fn score_query_chunks(q: u32, g: u32, c: u32) {
  score_query_chunk(q, g, c);
  score_query_chunk(q, g, c + 1u);
  score_query_chunk(q, g, c + 2u);
  score_query_chunk(q, g, c + 3u);
}

fn score_query(q: u32, g: u32) {
  score = vec4f();
  dp = vec4f();
  if (CHUNKS > 32u) {
    for (var c = 0u; c < chunks(); c++) {
      score_query_chunk(q, g, c);
    }
    return;
  }
  score_query_chunks(q, g, 0u);
  score_query_chunks(q, g, 4u);
  if (CHUNKS > 8u) {
    score_query_chunks(q, g, 8u);
    score_query_chunks(q, g, 12u);
  }
  if (CHUNKS > 16u) {
    score_query_chunks(q, g, 16u);
    score_query_chunks(q, g, 20u);
    score_query_chunks(q, g, 24u);
    score_query_chunks(q, g, 28u);
  }
}

fn add_query_chunk(c: u32) {
  score_sums[c] += outer(score_row[c], ds);
  value_sums[c] += outer(gradient_row[c], kept_p);
}
fn add_query_chunks(c: u32) {
  add_query_chunk(c);
  add_query_chunk(c + 1u);
  add_query_chunk(c + 2u);
  add_query_chunk(c + 3u);
}

fn add_query() {
  if (CHUNKS > 32u) {
    for (var c = 0u; c < chunks(); c++) {
      add_query_chunk(c);
    }
    return;
  }
  add_query_chunks(0u);
  add_query_chunks(4u);
  if (CHUNKS > 8u) {
    add_query_chunks(8u);
    add_query_chunks(12u);
  }
  if (CHUNKS > 16u) {
    add_query_chunks(16u);
    add_query_chunks(20u);
    add_query_chunks(24u);
    add_query_chunks(28u);
  }
}

fn key_block(task: u32, lane: u32) {
  let index = task * TASKS + lane;
  let a = index % params.heads;
  let block = block_of(index / params.heads, ROWS);
  if (block.row >= block.stop) {
    return;
  }
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  let scale = inverseSqrt(head_size());
  let rows = block.row + vec4u(0u, 1u, 2u, 3u);
  let there = min(rows, vec4u(block.stop - 1u));
  for (var c = 0u; c < chunks(); c++) {
    score_side[c] = scale * mat4x4f(
      qkv4(qkv_at(there.x, 1u, a), c),
      qkv4(qkv_at(there.y, 1u, a), c),
      qkv4(qkv_at(there.z, 1u, a), c),
      qkv4(qkv_at(there.w, 1u, a), c),
    );
    gradient_side[c] = mat4x4f(
      qkv4(qkv_at(there.x, 2u, a), c),
      qkv4(qkv_at(there.y, 2u, a), c),
      qkv4(qkv_at(there.z, 2u, a), c),
      qkv4(qkv_at(there.w, 2u, a), c),
    );
  }
  var begin = block.first;
  var least = vec4u();
  if (params.causal != 0u) {
    least = rows;
    begin = min(block.row, block.end);
  }
  for (var q = begin; q < block.end; q++) {
    score_query(qkv_at(q, 0u, a), hidden_at(q, a));
    let index = q * params.heads + a;
    let p = select(exp(score - lse[index]), vec4f(), vec4u(q) < least);
    kept_p = p;
    if (site.p > 0.0) {
      let is = kept_columns(kept_elements(site, block.row - block.first, index));
      kept_p = select(vec4f(), p / (1.0 - site.p), is);
      dp = select(vec4f(), dp / (1.0 - site.p), is);
    }
    ds = p * (dp - delta_of(q, a));
    add_query();
  }
  for (var i = 0u; i < block.stop - block.row; i++) {
    for (var c = 0u; c < chunks(); c++) {
      put_dqkv(qkv_at(block.row + i, 1u, a), c, scale * score_sums[c][i]);
      put_dqkv(qkv_at(block.row + i, 2u, a), c, value_sums[c][i]);
    }
  }
}

// ---------------------------------------------------------------- queries at rest, keys pass

fn score_key_chunk(k: u32, v: u32, c: u32) {
  let x = qkv4(k, c);
  score_row[c] = x;
  score += x * score_side[c];
  dp += qkv4(v, c) * gradient_side[c];
}
fn score_key_chunks(k: u32, v: u32, c: u32) {
  score_key_chunk(k, v, c);
  score_key_chunk(k, v, c + 1u);
  score_key_chunk(k, v, c + 2u);
  score_key_chunk(k, v, c + 3u);
}

fn score_key(k: u32, v: u32) {
  score = vec4f();
  dp = vec4f();
  if (CHUNKS > 32u) {
    for (var c = 0u; c < chunks(); c++) {
      score_key_chunk(k, v, c);
    }
    return;
  }
  score_key_chunks(k, v, 0u);
  score_key_chunks(k, v, 4u);
  if (CHUNKS > 8u) {
    score_key_chunks(k, v, 8u);
    score_key_chunks(k, v, 12u);
  }
  if (CHUNKS > 16u) {
    score_key_chunks(k, v, 16u);
    score_key_chunks(k, v, 20u);
    score_key_chunks(k, v, 24u);
    score_key_chunks(k, v, 28u);
  }
}

fn add_key_chunks(c: u32) {
  score_sums[c] += outer(score_row[c], ds);
  score_sums[c + 1u] += outer(score_row[c + 1u], ds);
  score_sums[c + 2u] += outer(score_row[c + 2u], ds);
  score_sums[c + 3u] += outer(score_row[c + 3u], ds);
}

fn add_key() {
  if (CHUNKS > 32u) {
    for (var c = 0u; c < chunks(); c++) {
      score_sums[c] += outer(score_row[c], ds);
    }
    return;
  }
  add_key_chunks(0u);
  add_key_chunks(4u);
  if (CHUNKS > 8u) {
    add_key_chunks(8u);
    add_key_chunks(12u);
  }
  if (CHUNKS > 16u) {
    add_key_chunks(16u);
    add_key_chunks(20u);
    add_key_chunks(24u);
    add_key_chunks(28u);
  }
}

fn query_block(task: u32, lane: u32) {
  let index = task * TASKS + lane;
  let a = index % params.heads;
  let block = block_of(index / params.heads, ROWS);
  if (block.row >= block.stop) {
    return;
  }
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  let scale = inverseSqrt(head_size());
  let rows = block.row + vec4u(0u, 1u, 2u, 3u);
  let there = min(rows, vec4u(block.stop - 1u));
  for (var c = 0u; c < chunks(); c++) {
    score_side[c] = scale * mat4x4f(
      qkv4(qkv_at(there.x, 0u, a), c),
      qkv4(qkv_at(there.y, 0u, a), c),
      qkv4(qkv_at(there.z, 0u, a), c),
      qkv4(qkv_at(there.w, 0u, a), c),
    );
    gradient_side[c] = mat4x4f(
      dy4(hidden_at(there.x, a), c),
      dy4(hidden_at(there.y, a), c),
      dy4(hidden_at(there.z, a), c),
      dy4(hidden_at(there.w, a), c),
    );
  }
  let delta = vec4f(delta_of(there.x, a), delta_of(there.y, a), delta_of(there.z, a), delta_of(there.w, a));
  let saved = there * params.heads + a;
  let log_sum = vec4f(lse[saved.x], lse[saved.y], lse[saved.z], lse[saved.w]);
  var last = vec4u(0xffffffffu);
  var end = block.end;
  if (params.causal != 0u) {
    last = rows;
    end = min(end, block.stop);
  }
  var kept = 0u;
  for (var k = block.first; k < end; k++) {
    let e = k - block.first;
    if (site.p > 0.0 && e % 4u == 0u) {
      kept = kept_of_rows(site, e, block.row * params.heads + a, params.heads);
    }
    score_key(qkv_at(k, 1u, a), qkv_at(k, 2u, a));
    let p = select(exp(score - log_sum), vec4f(), last < vec4u(k));
    if (site.p > 0.0) {
      dp = select(vec4f(), dp / (1.0 - site.p), kept_bits(kept, e % 4u));
    }
    ds = p * (dp - delta);
    add_key();
  }
  for (var i = 0u; i < block.stop - block.row; i++) {
    for (var c = 0u; c < chunks(); c++) {
      put_dqkv(qkv_at(block.row + i, 0u, a), c, scale * score_sums[c][i]);
    }
  }
}
