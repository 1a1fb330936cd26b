// Attention forward in registers, where a quad loads for itself (shared/attention_quad.wgsl): for adapters in software.
// uses attention_blocks, attention_dropout, attention_quad
// requires subgroups
// suits adapters in software
//
// 16 queries of a sequence and a head are at rest, four an invocation; its keys and values pass, two at a time. For two of them an
// invocation does 16 D multiply-adds and loads D words of the 4 D that it needs; 2 D sums of each row go around the loop once.
// Floor at 128 rows of 6 heads of 64, on one core: 1.1 ms of multiply-adds, 1.3 of loads, 0.1 of exponentials. It takes 7: beside
// them are sums that go around (1.6), the ends of blocks (0.6), swaps (0.4), the check of the maximum and dropout.
//
// Numerics: exponentials are taken against a maximum that follows once a score is SLACK above it (as in Dao's
// FlashAttention-4): sums stay far from the ends of f32, and are seldom multiplied.

const SLACK = 8.0;

// Of the four rows, in place c: columns of the head down, rows across.
var<private> query: array<mat4x4f, CHUNKS>;
var<private> sums: array<mat4x4f, CHUNKS>;

// What four places add to the scores of two keys.
fn score_part(at: vec2u, c: u32, lane: u32) -> mat2x4f {
  let x = swapped(qkv4(at.x, c + lane));
  let z = swapped(qkv4(at.y, c + lane));
  let q0 = query[c];
  let q1 = query[c + 1u];
  let q2 = query[c + 2u];
  let q3 = query[c + 3u];
  return mat2x4f(dots(x, q0, q1, q2, q3), dots(z, q0, q1, q2, q3));
}

fn scores_of(at: vec2u, lane: u32) -> mat2x4f {
  var scores = mat2x4f();
  if (CHUNKS > 32u) {
    for (var c = 0u; c < places(); c += 4u) {
      scores += score_part(at, c, lane);
    }
  } else {
    scores += score_part(at, 0u, lane);
    if (CHUNKS > 4u) {
      scores += score_part(at, 4u, lane);
    }
    if (CHUNKS > 8u) {
      scores += score_part(at, 8u, lane);
      scores += score_part(at, 12u, lane);
    }
    if (CHUNKS > 16u) {
      scores += score_part(at, 16u, lane);
      scores += score_part(at, 20u, lane);
      scores += score_part(at, 24u, lane);
      scores += score_part(at, 28u, lane);
    }
  }
  return scores;
}

fn add_part(at: vec2u, p: mat2x4f, c: u32, lane: u32) {
  let x = swapped(qkv4(at.x, c + lane));
  let z = swapped(qkv4(at.y, c + lane));
  sums[c] = outer_sums(sums[c], x[0], z[0], p);
  sums[c + 1u] = outer_sums(sums[c + 1u], x[1], z[1], p);
  sums[c + 2u] = outer_sums(sums[c + 2u], x[2], z[2], p);
  sums[c + 3u] = outer_sums(sums[c + 3u], x[3], z[3], p);
}

fn add_values(at: vec2u, p: mat2x4f, lane: u32) {
  if (CHUNKS > 32u) {
    for (var c = 0u; c < places(); c += 4u) {
      add_part(at, p, c, lane);
    }
  } else {
    add_part(at, p, 0u, lane);
    if (CHUNKS > 4u) {
      add_part(at, p, 4u, lane);
    }
    if (CHUNKS > 8u) {
      add_part(at, p, 8u, lane);
      add_part(at, p, 12u, lane);
    }
    if (CHUNKS > 16u) {
      add_part(at, p, 16u, lane);
      add_part(at, p, 20u, lane);
      add_part(at, p, 24u, lane);
      add_part(at, p, 28u, lane);
    }
  }
}

fn attention_block(task: u32, lane: u32) {
  let a = task % params.heads;
  let block = block_of(task / params.heads, ROWS);
  if (block.row >= block.stop) {
    return;
  }
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  let scale = inverseSqrt(head_size());
  let row = block.row + 4u * lane;
  let rows = row + vec4u(0u, 1u, 2u, 3u);
  let there = min(rows, vec4u(block.stop - 1u));
  for (var c = 0u; c < places(); c++) {
    query[c] = scale * mat4x4f(
      qkv4(qkv_at(there.x, 0u, a), c ^ lane),
      qkv4(qkv_at(there.y, 0u, a), c ^ lane),
      qkv4(qkv_at(there.z, 0u, a), c ^ lane),
      qkv4(qkv_at(there.w, 0u, a), c ^ lane),
    );
  }
  var most = vec4f(-MAX_FLOAT);
  var total = vec4f();
  var end = block.end;
  var ends = vec4u(end);  // of what each row sees
  if (params.causal != 0u) {
    end = min(end, block.stop);
    ends = min(rows + 1u, vec4u(end));
  }
  let whole = 1.0 / (1.0 - site.p);
  var kept = 0xffffu;
  var undrawn = select(0xffffffffu, block.first, site.p > 0.0);  // first key of which `kept` says nothing
  for (var k = block.first; k < end; k += 2u) {
    kept = select(kept, kept >> 2u, site.p > 0.0);
    while (undrawn <= k) {
      kept = kept_of_rows(site, k - block.first, row * params.heads + a, params.heads);
      undrawn += 4u;
    }
    let next = min(k + 1u, end - 1u);
    var scores = scores_of(vec2u(qkv_at(k, 1u, a), qkv_at(next, 1u, a)), lane);
    scores[0] = select(vec4f(-MAX_FLOAT), scores[0], vec4u(k) < ends);
    scores[1] = select(vec4f(-MAX_FLOAT), scores[1], vec4u(k + 1u) < ends);
    let peak = max(scores[0], scores[1]);
    let grows = peak > most + SLACK;
    let now = select(most, peak, grows);
    let shrink = exp(most - now);
    most = now;
    total *= shrink;
    for (var i = select(4u * places(), 0u, any(grows)); i < 4u * places(); i++) {
      sums[i / 4u][i % 4u] *= shrink[i % 4u];
    }
    let p = mat2x4f(exp(scores[0] - most), exp(scores[1] - most));
    total += p[0] + p[1];
    let is = kept_pair(kept);
    let kept_p = mat2x4f(select(vec4f(), whole * p[0], is[0]), select(vec4f(), whole * p[1], is[1]));
    add_values(vec2u(qkv_at(k, 2u, a), qkv_at(next, 2u, a)), kept_p, lane);
  }
  // not by the sums, so that NaN is seen
  let isEmpty = block.first == block.end;
  let share = select(1.0 / total, vec4f(), isEmpty);
  for (var i = 0u; i < 4u && row + i < block.stop; i++) {
    let n = row + i;
    for (var c = 0u; c < places(); c++) {
      put_y(hidden_at(n, a), c ^ lane, share[i] * sums[c][i]);
    }
    lse[n * params.heads + a] = select(most[i] + logarithm(total[i]), 0.0, isEmpty);
  }
}
