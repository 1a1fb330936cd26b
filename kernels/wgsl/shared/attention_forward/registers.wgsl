// uses attention_blocks, attention_dropout
//
// Attention forward without workgroup memory: one invocation is ROWS queries of a sequence and a head, and walks over their
// keys one by one. Neighbouring invocations are heads of one block, so they take equally long.
//
// For adapters where a load costs far more than a multiply-add, and workgroup memory as much as any other: CPUs, where an
// invocation is one lane of SIMD, and its arrays are memory beside it. For each key 2 D floats are loaded for 8 D multiply-adds:
// blocks of 8 rows load half as much, but take twice as long to compile and are no faster, and sharing loads among the four
// lanes of a quad gains nothing either. Arrays are reached by constant indices where it counts, which is why chunks are written
// out (as loops they take four times as long); what happens once in a block, or seldom, is a loop, for the sake of the time to
// compile.
//
// Numerics: exponentials are taken against a maximum that follows once a score is SLACK above it (as in Dao's
// FlashAttention-4): sums stay far from the ends of f32, and are seldom multiplied.

const ROWS = 4u;    // queries of a block: the columns of a matrix
const GROUP = 16u;  // invocations of a workgroup
const TASKS = 16u;  // blocks and heads of a workgroup
const SLACK = 8.0;

// Of chunk c: columns of the head down, rows of the block across.
var<private> query: array<mat4x4f, CHUNKS>;
var<private> sums: array<mat4x4f, CHUNKS>;
// Of the four rows.
var<private> score: vec4f;
var<private> factor: vec4f;

fn outer(x: vec4f, f: vec4f) -> mat4x4f {
  return mat4x4f(f.x * x, f.y * x, f.z * x, f.w * x);
}

fn score_chunks(at: u32, c: u32) {
  score += qkv4(at, c) * query[c];
  score += qkv4(at, c + 1u) * query[c + 1u];
  score += qkv4(at, c + 2u) * query[c + 2u];
  score += qkv4(at, c + 3u) * query[c + 3u];
}

fn score_key(at: u32) {
  score = vec4f();
  if (CHUNKS > 32u) {
    for (var c = 0u; c < chunks(); c++) {
      score += qkv4(at, c) * query[c];
    }
    return;
  }
  score_chunks(at, 0u);
  score_chunks(at, 4u);
  if (CHUNKS > 8u) {
    score_chunks(at, 8u);
    score_chunks(at, 12u);
  }
  if (CHUNKS > 16u) {
    score_chunks(at, 16u);
    score_chunks(at, 20u);
    score_chunks(at, 24u);
    score_chunks(at, 28u);
  }
}

fn add_chunks(at: u32, c: u32) {
  sums[c] += outer(qkv4(at, c), factor);
  sums[c + 1u] += outer(qkv4(at, c + 1u), factor);
  sums[c + 2u] += outer(qkv4(at, c + 2u), factor);
  sums[c + 3u] += outer(qkv4(at, c + 3u), factor);
}

fn add_value(at: u32) {
  if (CHUNKS > 32u) {
    for (var c = 0u; c < chunks(); c++) {
      sums[c] += outer(qkv4(at, c), factor);
    }
    return;
  }
  add_chunks(at, 0u);
  add_chunks(at, 4u);
  if (CHUNKS > 8u) {
    add_chunks(at, 8u);
    add_chunks(at, 12u);
  }
  if (CHUNKS > 16u) {
    add_chunks(at, 16u);
    add_chunks(at, 20u);
    add_chunks(at, 24u);
    add_chunks(at, 28u);
  }
}

fn attention_block(task: u32, lane: u32) {
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
    query[c] = scale * mat4x4f(
      qkv4(qkv_at(there.x, 0u, a), c),
      qkv4(qkv_at(there.y, 0u, a), c),
      qkv4(qkv_at(there.z, 0u, a), c),
      qkv4(qkv_at(there.w, 0u, a), c),
    );
  }
  var most = vec4f(-MAX_FLOAT);
  var total = vec4f();
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
    score_key(qkv_at(k, 1u, a));
    score = select(score, vec4f(-MAX_FLOAT), last < vec4u(k));
    let grows = score > most + SLACK;
    if (any(grows)) {
      let now = select(most, score, grows);
      let shrink = exp(most - now);
      most = now;
      total *= shrink;
      for (var c = 0u; c < chunks(); c++) {
        let x = sums[c];
        sums[c] = mat4x4f(shrink.x * x[0], shrink.y * x[1], shrink.z * x[2], shrink.w * x[3]);
      }
    }
    factor = exp(score - most);
    total += factor;
    if (site.p > 0.0) {
      factor = select(vec4f(), factor / (1.0 - site.p), kept_bits(kept, e % 4u));
    }
    add_value(qkv_at(k, 2u, a));
  }
  // not by the sums, so that NaN is seen
  let isEmpty = block.first == block.end;
  let whole = select(1.0 / total, vec4f(), isEmpty);
  for (var i = 0u; i < block.stop - block.row; i++) {
    let n = block.row + i;
    for (var c = 0u; c < chunks(); c++) {
      put_y(hidden_at(n, a), c, whole[i] * sums[c][i]);
    }
    lse[n * params.heads + a] = select(most[i] + logarithm(total[i]), 0.0, isEmpty);
  }
}
