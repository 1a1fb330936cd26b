// uses attention_blocks, attention_dropout
//
// Attention backward for GPUs, in the manner of attention_forward/tiles.wgsl. A workgroup of 8 x 8 invocations is ROWS rows at
// rest, keys first and queries then, and walks over the rows of the other side, PASSING at a time. Invocation (ty, tx) makes
// scores and gradients of scores of 4 rows at rest and J neighbouring ones that pass, then holds the sums of those 4 rows for the
// chunks tx, tx + 8, ... of four columns.
//
// What passes lies in workgroup memory by chunks (but for heads of any size, where it would not fit): queries and gradients of y,
// or keys and values. What rests, and what is multiplied with probabilities, comes straight from storage, where the cache has it.
//
// By count for D = 64: scores and dp are 64 multiply-adds for 12 vec4f (4 of workgroup memory); sums of dk and dv 64 for 6 (2 of
// workgroup memory), of dq 32 for 3 (1). Beyond the cache a row that passes is read once for 32 that rest: 256 D operations for
// 8 D bytes with keys at rest, 192 D with queries, 32 and 24 a byte; 2 barriers for 16 rows. Workgroup memory: 12.5 KiB (D = 32:
// 8.3, D = 128: 11, any other: 2); registers about 64 of sums, 16 of scores, 40 of operands and 20 of addresses: 7
// workgroups, which is 14 warps, on a multiprocessor with 64 K registers and 100 KB. With keys at rest all four words of a counter
// are of use, with queries J of them.

const ROWS = 32u;   // of a block
const GROUP = 64u;  // invocations of a workgroup
const TASKS = 1u;   // blocks and heads of a workgroup

const IS_TILED = CHUNKS <= 32u;
const PASSING = select(8u, min(16u, 256u / CHUNKS), IS_TILED);
const J = PASSING / 8u;
const PITCH = PASSING + 1u;  // chunks begin at different banks
const TILE = select(1u, PITCH * CHUNKS, IS_TILED);
const OWN = (CHUNKS + 7u) / 8u;  // chunks of an invocation, at most

var<workgroup> shared_block: Block;
var<workgroup> score_tile: array<vec4f, TILE>;     // queries, or keys
var<workgroup> gradient_tile: array<vec4f, TILE>;  // gradients of y, or values
var<workgroup> kept_tile: array<vec4f, PASSING * 8u>;  // probabilities after dropout
var<workgroup> ds_tile: array<vec4f, PASSING * 8u>;    // gradients of scores

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

// Chunk c of row n, as a key or as a query: what makes scores, and what makes their gradients.
fn score4(n: u32, a: u32, c: u32, isKey: bool) -> vec4f {
  return qkv4(qkv_at(n, select(0u, 1u, isKey), a), c);
}
fn gradient4(n: u32, a: u32, c: u32, isKey: bool) -> vec4f {
  if (isKey) {
    return qkv4(qkv_at(n, 2u, a), c);
  }
  return dy4(hidden_at(n, a), c);
}

// One block, with keys at rest or with queries.
fn gradient_block(task: u32, lane: u32, isKey: bool) {
  let a = task % params.heads;
  if (lane == 0u) {
    shared_block = block_of(task / params.heads, ROWS);
  }
  let block = workgroupUniformLoad(&shared_block);
  if (block.row >= block.stop) {
    return;
  }
  let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
  let scale = inverseSqrt(head_size());
  let isCausal = params.causal != 0u;
  let ty = lane / 8u;
  let tx = lane % 8u;
  let row = block.row + 4u * ty;
  let isThere = row < block.stop;
  let rows = row + vec4u(0u, 1u, 2u, 3u);
  let n = min(rows, vec4u(block.stop - 1u));
  var log_sum = vec4f();
  var delta = vec4f();
  if (!isKey) {
    let saved = n * params.heads + a;
    log_sum = vec4f(lse[saved.x], lse[saved.y], lse[saved.z], lse[saved.w]);
    delta = vec4f(delta_of(n.x, a), delta_of(n.y, a), delta_of(n.z, a), delta_of(n.w, a));
  }
  // a column is a row
  var score_sums: array<mat4x4f, OWN>;  // dk or dq
  var value_sums: array<mat4x4f, OWN>;  // dv
  // cleared by hand: SwiftShader does it once for one that is declared in a loop
  var scores: array<vec4f, J>;
  var dps: array<vec4f, J>;
  let begin = select(block.first, min(block.row, block.end), isCausal && isKey);
  let end = select(block.end, min(block.end, block.stop), isCausal && !isKey);
  for (var t0 = begin; t0 < end; t0 += PASSING) {
    if (IS_TILED) {
      for (var t = lane; t < PASSING * CHUNKS; t += GROUP) {
        let i = t / CHUNKS;
        let c = t % CHUNKS;
        let at = c * PITCH + i % J * 8u + i / J;
        let passing = min(t0 + i, end - 1u);
        score_tile[at] = score4(passing, a, c, !isKey);
        gradient_tile[at] = gradient4(passing, a, c, !isKey);
      }
    }
    workgroupBarrier();
    if (isThere) {
      let mine = t0 + J * tx;
      for (var j = 0u; j < J; j++) {
        scores[j] = vec4f();
        dps[j] = vec4f();
      }
      for (var c = 0u; c < chunks(); c++) {
        let x = mat4x4f(score4(n.x, a, c, isKey), score4(n.y, a, c, isKey), score4(n.z, a, c, isKey), score4(n.w, a, c, isKey));
        let z = mat4x4f(
          gradient4(n.x, a, c, isKey),
          gradient4(n.y, a, c, isKey),
          gradient4(n.z, a, c, isKey),
          gradient4(n.w, a, c, isKey),
        );
        for (var j = 0u; j < J; j++) {
          if (IS_TILED) {
            scores[j] += score_tile[c * PITCH + 8u * j + tx] * x;
            dps[j] += gradient_tile[c * PITCH + 8u * j + tx] * z;
          } else {
            let passing = min(mine + j, end - 1u);
            scores[j] += score4(passing, a, c, !isKey) * x;
            dps[j] += gradient4(passing, a, c, !isKey) * z;
          }
        }
      }
      var kept = 0u;
      let e = mine - block.first;
      if (site.p > 0.0 && !isKey) {
        kept = kept_of_rows(site, e, row * params.heads + a, params.heads);
      }
      for (var j = 0u; j < J; j++) {
        let other = mine + j;
        let index = min(other, end - 1u) * params.heads + a;
        if (isKey) {
          log_sum = vec4f(lse[index]);
          delta = vec4f(delta_of(min(other, end - 1u), a));
        }
        var isSeen = vec4<bool>(other < end);
        if (isCausal) {
          isSeen = isSeen & select(rows >= vec4u(other), rows <= vec4u(other), isKey);
        }
        let p = select(vec4f(), exp(scale * scores[j] - log_sum), isSeen);
        var kept_p = p;
        var dp = dps[j];
        if (site.p > 0.0) {
          var is = kept_bits(kept, (e + j) % 4u);
          if (isKey) {
            is = kept_columns(kept_elements(site, row - block.first, index));
          }
          kept_p = select(vec4f(), p / (1.0 - site.p), is);
          dp = select(vec4f(), dp / (1.0 - site.p), is);
        }
        kept_tile[(J * tx + j) * 8u + ty] = kept_p;
        ds_tile[(J * tx + j) * 8u + ty] = p * (dp - delta);
      }
    }
    workgroupBarrier();
    if (isThere) {
      let count = min(PASSING, end - t0);
      for (var t = 0u; t < count; t++) {
        let ds = ds_tile[t * 8u + ty];
        for (var i = 0u; i < OWN; i++) {
          let c = 8u * i + tx;
          if (c < chunks()) {
            let x = score4(t0 + t, a, c, !isKey);
            score_sums[i] += mat4x4f(ds.x * x, ds.y * x, ds.z * x, ds.w * x);
          }
        }
        if (isKey) {
          let p = kept_tile[t * 8u + ty];
          for (var i = 0u; i < OWN; i++) {
            let c = 8u * i + tx;
            if (c < chunks()) {
              let x = gradient4(t0 + t, a, c, false);
              value_sums[i] += mat4x4f(p.x * x, p.y * x, p.z * x, p.w * x);
            }
          }
        }
      }
    }
  }
  if (!isThere) {
    return;
  }
  let count = min(4u, block.stop - row);
  for (var r = 0u; r < count; r++) {
    for (var i = 0u; i < OWN; i++) {
      let c = 8u * i + tx;
      if (c < chunks()) {
        put_dqkv(qkv_at(row + r, select(0u, 1u, isKey), a), c, scale * score_sums[i][r]);
        if (isKey) {
          put_dqkv(qkv_at(row + r, 2u, a), c, value_sums[i][r]);
        }
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
