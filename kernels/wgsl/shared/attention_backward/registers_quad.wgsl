// Attention backward in registers, where a quad loads for itself (shared/attention_quad.wgsl): for adapters in software.
// uses attention_blocks, attention_dropout, attention_quad
// requires subgroups
// suits adapters in software
//
// 16 rows of a sequence and a head are at rest, keys first and queries then, and what they meet of the other side passes, two
// rows at a time: for those an invocation does 32 D multiply-adds with keys at rest, 24 D with queries, and loads D words.
// Floor at 128 rows of 6 heads of 64, on one core: 2.3 and 1.7 ms of multiply-adds, 1.3 of loads each. They take 11.7 and 8.1;
// 3.2 and 1.6 of it for sums that go around the loop.

// Of the four rows at rest, in place c: columns of the head down, rows across.
var<private> score_side: array<mat4x4f, CHUNKS>;     // keys, or queries
var<private> gradient_side: array<mat4x4f, CHUNKS>;  // values, or gradients of y
var<private> score_sums: array<mat4x4f, CHUNKS>;     // dk or dq
var<private> value_sums: array<mat4x4f, CHUNKS>;     // dv
// Of the two rows that pass, what this invocation loaded.
var<private> score_rows: array<mat2x4f, CHUNKS / 4u>;
var<private> gradient_rows: array<mat2x4f, CHUNKS / 4u>;

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

// Rows as keys or as queries: what makes scores, and what makes their gradients.
fn score_at(n: u32, a: u32, isKey: bool) -> u32 {
  return qkv_at(n, select(0u, 1u, isKey), a);
}
fn gradient_at(n: u32, a: u32, isKey: bool) -> u32 {
  return select(hidden_at(n, a), qkv_at(n, 2u, a), isKey);
}
fn gradient4(at: u32, c: u32, isKey: bool) -> vec4f {
  if (isKey) {
    return qkv4(at, c);
  }
  return dy4(at, c);
}

// Of the two rows that pass, with the four at rest.
struct Pair {
  scores: mat2x4f,
  dp: mat2x4f,  // gradients of probabilities
}

fn pair_part(pair: Pair, at: vec2u, gradients_at: vec2u, c: u32, lane: u32, isKey: bool) -> Pair {
  let s = mat2x4f(qkv4(at.x, c + lane), qkv4(at.y, c + lane));
  let g = mat2x4f(gradient4(gradients_at.x, c + lane, !isKey), gradient4(gradients_at.y, c + lane, !isKey));
  score_rows[c / 4u] = s;
  if (isKey) {
    gradient_rows[c / 4u] = g;
  }
  let s0 = score_side[c];
  let s1 = score_side[c + 1u];
  let s2 = score_side[c + 2u];
  let s3 = score_side[c + 3u];
  let scores = mat2x4f(dots(swapped(s[0]), s0, s1, s2, s3), dots(swapped(s[1]), s0, s1, s2, s3));
  let g0 = gradient_side[c];
  let g1 = gradient_side[c + 1u];
  let g2 = gradient_side[c + 2u];
  let g3 = gradient_side[c + 3u];
  let dp = mat2x4f(dots(swapped(g[0]), g0, g1, g2, g3), dots(swapped(g[1]), g0, g1, g2, g3));
  return Pair(pair.scores + scores, pair.dp + dp);
}

fn pair_of(at: vec2u, gradients_at: vec2u, lane: u32, isKey: bool) -> Pair {
  var pair = Pair();
  if (CHUNKS > 32u) {
    for (var c = 0u; c < places(); c += 4u) {
      pair = pair_part(pair, at, gradients_at, c, lane, isKey);
    }
  } else {
    pair = pair_part(pair, at, gradients_at, 0u, lane, isKey);
    if (CHUNKS > 4u) {
      pair = pair_part(pair, at, gradients_at, 4u, lane, isKey);
    }
    if (CHUNKS > 8u) {
      pair = pair_part(pair, at, gradients_at, 8u, lane, isKey);
      pair = pair_part(pair, at, gradients_at, 12u, lane, isKey);
    }
    if (CHUNKS > 16u) {
      pair = pair_part(pair, at, gradients_at, 16u, lane, isKey);
      pair = pair_part(pair, at, gradients_at, 20u, lane, isKey);
      pair = pair_part(pair, at, gradients_at, 24u, lane, isKey);
      pair = pair_part(pair, at, gradients_at, 28u, lane, isKey);
    }
  }
  return pair;
}

fn add_part(ds: mat2x4f, kept_p: mat2x4f, c: u32, isKey: bool) {
  let s = score_rows[c / 4u];
  let x = swapped(s[0]);
  let z = swapped(s[1]);
  score_sums[c] = outer_sums(score_sums[c], x[0], z[0], ds);
  score_sums[c + 1u] = outer_sums(score_sums[c + 1u], x[1], z[1], ds);
  score_sums[c + 2u] = outer_sums(score_sums[c + 2u], x[2], z[2], ds);
  score_sums[c + 3u] = outer_sums(score_sums[c + 3u], x[3], z[3], ds);
  if (isKey) {
    let g = gradient_rows[c / 4u];
    let u = swapped(g[0]);
    let v = swapped(g[1]);
    value_sums[c] = outer_sums(value_sums[c], u[0], v[0], kept_p);
    value_sums[c + 1u] = outer_sums(value_sums[c + 1u], u[1], v[1], kept_p);
    value_sums[c + 2u] = outer_sums(value_sums[c + 2u], u[2], v[2], kept_p);
    value_sums[c + 3u] = outer_sums(value_sums[c + 3u], u[3], v[3], kept_p);
  }
}

fn add_pair(ds: mat2x4f, kept_p: mat2x4f, isKey: bool) {
  if (CHUNKS > 32u) {
    for (var c = 0u; c < places(); c += 4u) {
      add_part(ds, kept_p, c, isKey);
    }
  } else {
    add_part(ds, kept_p, 0u, isKey);
    if (CHUNKS > 4u) {
      add_part(ds, kept_p, 4u, isKey);
    }
    if (CHUNKS > 8u) {
      add_part(ds, kept_p, 8u, isKey);
      add_part(ds, kept_p, 12u, isKey);
    }
    if (CHUNKS > 16u) {
      add_part(ds, kept_p, 16u, isKey);
      add_part(ds, kept_p, 20u, isKey);
      add_part(ds, kept_p, 24u, isKey);
      add_part(ds, kept_p, 28u, isKey);
    }
  }
}

// Bits 0 to 3, four apart.
fn kept_across(kept: u32) -> u32 {
  return (kept & 1u) | ((kept & 2u) << 3u) | ((kept & 4u) << 6u) | ((kept & 8u) << 9u);
}

// One block, with keys at rest or with queries.
fn gradient_block(task: u32, lane: u32, isKey: bool) {
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
    let own = c ^ lane;
    score_side[c] = scale * mat4x4f(
      qkv4(score_at(there.x, a, isKey), own),
      qkv4(score_at(there.y, a, isKey), own),
      qkv4(score_at(there.z, a, isKey), own),
      qkv4(score_at(there.w, a, isKey), own),
    );
    gradient_side[c] = mat4x4f(
      gradient4(gradient_at(there.x, a, isKey), own, isKey),
      gradient4(gradient_at(there.y, a, isKey), own, isKey),
      gradient4(gradient_at(there.z, a, isKey), own, isKey),
      gradient4(gradient_at(there.w, a, isKey), own, isKey),
    );
  }
  var log_sums = mat2x4f();
  var delta_pair = mat2x4f();
  if (!isKey) {
    let saved = there * params.heads + a;
    let log_sum = vec4f(lse[saved.x], lse[saved.y], lse[saved.z], lse[saved.w]);
    let delta = vec4f(delta_of(there.x, a), delta_of(there.y, a), delta_of(there.z, a), delta_of(there.w, a));
    log_sums = mat2x4f(log_sum, log_sum);
    delta_pair = mat2x4f(delta, delta);
  }
  // what passes, and from where to where each row at rest meets it
  var begin = block.first;
  var end = block.end;
  var begins = vec4u();
  var ends = vec4u(end);
  if (params.causal != 0u) {
    if (isKey) {
      begin = min(block.row, end);
      begins = rows;
    } else {
      end = min(end, block.stop);
      ends = min(rows + 1u, vec4u(end));
    }
  }
  let whole = 1.0 / (1.0 - site.p);
  var kept = 0xffffu;
  var undrawn = select(0xffffffffu, begin, site.p > 0.0);  // first row of which `kept` says nothing
  for (var n = begin; n < end; n += 2u) {
    let next = min(n + 1u, end - 1u);
    let one = n * params.heads + a;
    let other = next * params.heads + a;
    kept = select(kept, kept >> 2u, site.p > 0.0);
    while (undrawn <= n) {
      if (isKey) {
        let e = row - block.first;
        kept = kept_across(kept_elements(site, e, one)) | (kept_across(kept_elements(site, e, other)) << 1u);
        undrawn += 2u;
      } else {
        kept = kept_of_rows(site, n - block.first, row * params.heads + a, params.heads);
        undrawn += 4u;
      }
    }
    if (isKey) {
      log_sums = mat2x4f(vec4f(lse[one]), vec4f(lse[other]));
      delta_pair = mat2x4f(vec4f(delta_of(n, a)), vec4f(delta_of(next, a)));
    }
    let scores_at = vec2u(score_at(n, a, !isKey), score_at(next, a, !isKey));
    let gradients_at = vec2u(gradient_at(n, a, !isKey), gradient_at(next, a, !isKey));
    let pair = pair_of(scores_at, gradients_at, lane, isKey);
    let is = kept_pair(kept);
    var p = mat2x4f();
    var ds = mat2x4f();
    p[0] = select(vec4f(), exp(pair.scores[0] - log_sums[0]), (vec4u(n) >= begins) & (vec4u(n) < ends));
    p[1] = select(vec4f(), exp(pair.scores[1] - log_sums[1]), (vec4u(n + 1u) >= begins) & (vec4u(n + 1u) < ends));
    ds[0] = p[0] * (select(vec4f(), whole * pair.dp[0], is[0]) - delta_pair[0]);
    ds[1] = p[1] * (select(vec4f(), whole * pair.dp[1], is[1]) - delta_pair[1]);
    let kept_p = mat2x4f(select(vec4f(), whole * p[0], is[0]), select(vec4f(), whole * p[1], is[1]));
    add_pair(ds, kept_p, isKey);
  }
  for (var i = 0u; i < 4u && row + i < block.stop; i++) {
    for (var c = 0u; c < places(); c++) {
      put_dqkv(score_at(row + i, a, isKey), c ^ lane, scale * score_sums[c][i]);
      if (isKey) {
        put_dqkv(qkv_at(row + i, 2u, a), c ^ lane, value_sums[c][i]);
      }
    }
  }
}

fn key_block(task: u32, lane: u32) {
  gradient_block(task, lane, true);
}

fn query_block(task: u32, lane: u32) {
  gradient_block(task, lane, false);
}
