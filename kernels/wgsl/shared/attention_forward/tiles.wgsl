// uses attention_blocks, attention_dropout
//
// Attention forward for GPUs: a workgroup of 8 x 8 invocations is ROWS queries of a sequence and a head, and walks over their
// keys KEYS at a time. Invocation (ty, tx) makes the scores of 4 queries and J neighbouring keys, then holds the sums of those
// queries for the chunks tx, tx + 8, ... of four columns: 4 x D/8 results in registers.
//
// Keys lie in workgroup memory by chunks, so that 8 invocations read 8 neighbouring vec4f; probabilities go through it from those
// who made them to those who multiply with them, vec4f of 4 queries. Queries and values come straight from storage, where
// the cache has them: at any time few addresses are asked for, and neighbouring ones.
//
// By count for D = 64: scores are 64 multiply-adds for 8 vec4f (4 of workgroup memory), the products with values 32 for 3 (1 of
// workgroup memory); 3 barriers for 32 keys. Beyond the cache a key and a value are read once for 32 queries: 128 D operations
// for 8 D bytes, 16 a byte. Workgroup memory: 13.3 KiB (D = 32: 9.1, D = 128: 11.5, any other: 11); registers about 32 of sums, 16
// of scores, 20 of operands and 20 of addresses: 7 workgroups, which is 14 warps, on a multiprocessor with 64 K registers and
// 100 KB. Invocations whose rows are past the end of a block do nothing, so 16 rows leave one of two warps idle.
// D = 128 takes 16 keys at a time, any other size 8: then 2 or 1 of the four random words of a counter are of use.

const ROWS = 32u;   // queries of a block
const GROUP = 64u;  // invocations of a workgroup
const TASKS = 1u;   // blocks and heads of a workgroup
const SLACK = 8.0;  // what a score may exceed the reference of the exponentials by (as in Dao's FlashAttention-4)

const KEYS = min(32u, 512u / CHUNKS);
const J = KEYS / 8u;
const PITCH = KEYS + 1u;  // chunks begin at different banks
const OWN = (CHUNKS + 7u) / 8u;  // chunks of an invocation, at most

var<workgroup> shared_block: Block;
var<workgroup> keys: array<vec4f, PITCH * CHUNKS>;
var<workgroup> probabilities: array<vec4f, KEYS * 8u>;
var<workgroup> lane_rows: array<vec4f, GROUP>;

// Rows of `lane_rows` of one ty.
fn rows_max(ty: u32) -> vec4f {
  var most = lane_rows[8u * ty];
  for (var i = 1u; i < 8u; i++) {
    most = max(most, lane_rows[8u * ty + i]);
  }
  return most;
}
fn rows_sum(ty: u32) -> vec4f {
  var sum = vec4f();
  for (var i = 0u; i < 8u; i++) {
    sum += lane_rows[8u * ty + i];
  }
  return sum;
}

fn attention_block(task: u32, lane: u32) {
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
  let ty = lane / 8u;
  let tx = lane % 8u;
  let row = block.row + 4u * ty;
  let isThere = row < block.stop;
  let rows = row + vec4u(0u, 1u, 2u, 3u);
  let there = min(rows, vec4u(block.stop - 1u));
  let q = vec4u(qkv_at(there.x, 0u, a), qkv_at(there.y, 0u, a), qkv_at(there.z, 0u, a), qkv_at(there.w, 0u, a));
  var sums: array<mat4x4f, OWN>;  // a column is a row
  var scores: array<vec4f, J>;    // cleared by hand: SwiftShader does it once for one that is declared in a loop
  var most = vec4f(-MAX_FLOAT);
  var total = vec4f();  // of the keys of this invocation
  let isCausal = params.causal != 0u;
  let end = select(block.end, min(block.end, block.stop), isCausal);
  for (var k0 = block.first; k0 < end; k0 += KEYS) {
    for (var t = lane; t < KEYS * CHUNKS; t += GROUP) {
      let k = t / CHUNKS;
      let c = t % CHUNKS;
      if (c < chunks()) {
        keys[c * PITCH + k % J * 8u + k / J] = qkv4(qkv_at(min(k0 + k, end - 1u), 1u, a), c);
      }
    }
    workgroupBarrier();
    let mine = k0 + J * tx;
    if (isThere) {
      for (var j = 0u; j < J; j++) {
        scores[j] = vec4f();
      }
      for (var c = 0u; c < chunks(); c++) {
        let x = mat4x4f(qkv4(q.x, c), qkv4(q.y, c), qkv4(q.z, c), qkv4(q.w, c));
        for (var j = 0u; j < J; j++) {
          scores[j] += keys[c * PITCH + 8u * j + tx] * x;
        }
      }
      var peak = vec4f(-MAX_FLOAT);
      for (var j = 0u; j < J; j++) {
        let k = mine + j;
        let last = select(vec4u(0xffffffffu), rows, isCausal);
        let isSeen = (vec4u(k) <= last) & vec4<bool>(k < end);
        scores[j] = select(vec4f(-MAX_FLOAT), scale * scores[j], isSeen);
        peak = max(peak, scores[j]);
      }
      lane_rows[lane] = peak;
    }
    workgroupBarrier();
    if (isThere) {
      let peak = rows_max(ty);
      let now = select(most, peak, peak > most + SLACK);
      let shrink = exp(most - now);
      most = now;
      total *= shrink;
      for (var i = 0u; i < OWN; i++) {
        let x = sums[i];
        sums[i] = mat4x4f(shrink.x * x[0], shrink.y * x[1], shrink.z * x[2], shrink.w * x[3]);
      }
      let e = mine - block.first;
      var kept = 0u;
      if (site.p > 0.0) {
        kept = kept_of_rows(site, e, row * params.heads + a, params.heads);
      }
      for (var j = 0u; j < J; j++) {
        var p = exp(scores[j] - most);
        total += p;
        if (site.p > 0.0) {
          p = select(vec4f(), p / (1.0 - site.p), kept_bits(kept, (e + j) % 4u));
        }
        probabilities[(J * tx + j) * 8u + ty] = p;
      }
    }
    workgroupBarrier();
    if (isThere) {
      let count = min(KEYS, end - k0);
      for (var k = 0u; k < count; k++) {
        let p = probabilities[k * 8u + ty];
        let v = qkv_at(k0 + k, 2u, a);
        for (var i = 0u; i < OWN; i++) {
          let c = 8u * i + tx;
          if (c < chunks()) {
            let x = qkv4(v, c);
            sums[i] += mat4x4f(p.x * x, p.y * x, p.z * x, p.w * x);
          }
        }
      }
    }
  }
  workgroupBarrier();
  lane_rows[lane] = total;
  workgroupBarrier();
  if (!isThere) {
    return;
  }
  total = rows_sum(ty);
  // not by the sums, so that NaN is seen
  let isEmpty = block.first == block.end;
  let whole = select(1.0 / total, vec4f(), isEmpty);
  let count = min(4u, block.stop - row);
  for (var r = 0u; r < count; r++) {
    for (var i = 0u; i < OWN; i++) {
      let c = 8u * i + tx;
      if (c < chunks()) {
        put_y(hidden_at(row + r, a), c, whole[r] * sums[i][r]);
      }
    }
    if (tx == 0u) {
      lse[(row + r) * params.heads + a] = select(most[r] + logarithm(total[r]), 0.0, isEmpty);
    }
  }
}
