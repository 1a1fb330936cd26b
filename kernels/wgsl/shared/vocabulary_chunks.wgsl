// Statistics of the logits of a chunk of the vocabulary, for the forward pass of linear_cross_entropy, and how chunks are joined.
// uses product, vec4
//
// statistics [chunks + 1, 2, rows]: largest logit of a chunk and sum of exp(logit - largest); in place `chunks` the label's
// logit, and whether the label is the first largest one of its chunk.

const CHUNK = 256u;  // words: VOCABULARY_CHUNK in src/ops/linear_cross_entropy.ts
const CHUNK_TILES = CHUNK / TILE_COLUMNS;

// Of the rows that an invocation has: largest logit so far, sum of exp(logit - largest), word of the first largest.
var<private> most: array<f32, TILE_LANE_ROWS>;
var<private> sum: array<f32, TILE_LANE_ROWS>;
var<private> first: array<u32, TILE_LANE_ROWS>;

var<workgroup> row_values: array<f32, TILE_ROWS * TILE_ACROSS>;
var<workgroup> row_most: array<f32, TILE_ROWS>;

fn chunk_count() -> u32 {
  return (params.vocabulary + CHUNK - 1u) / CHUNK;
}

fn statistic(chunk: u32, which: u32, m: u32) -> u32 {
  return (chunk * 2u + which) * params.rows + m;
}

// Takes up logits of four words (online softmax, Milakov and Gimelshein 2018); words come in rising order.
fn finish(m: u32, v: u32, sums: vec4f) {
  let slot = tile_slot(m);
  let is_word = vec4u(v) + vec4u(0u, 1u, 2u, 3u) < vec4u(params.vocabulary);
  let logits = select(vec4f(-MAX_FLOAT), sums + vec4f(bias[v], bias[v + 1u], bias[v + 2u], bias[v + 3u]), is_word);
  let before = most[slot];
  let here = max(max(logits.x, logits.y), max(logits.z, logits.w));
  if (here > before) {
    first[slot] = v + place_of(logits, here);
  }
  let now = max(before, here);
  most[slot] = now;
  sum[slot] = sum[slot] * exponential(before - now) + total(exponentials(logits - now));
  let place = u32(labels[m]) - v;
  if (place < 4u) {
    statistics[statistic(chunk_count(), 0u, m)] = logits[place];
  }
}

// Statistics of chunk number `index % chunks` for tile `index / chunks` of the rows.
fn chunk_statistics(index: u32, lane: u32) {
  let chunks = chunk_count();
  let chunk = index % chunks;
  let row = index / chunks * TILE_ROWS;
  if (row >= params.rows) {
    return;
  }
  for (var slot = 0u; slot < TILE_LANE_ROWS; slot++) {
    most[slot] = -MAX_FLOAT;
    sum[slot] = 0.0;
    first[slot] = 0u;
  }
  let across = (params.vocabulary + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let end = min((chunk + 1u) * CHUNK_TILES, across);
  for (var tile = chunk * CHUNK_TILES; tile < end; tile++) {
    product_tile(index / chunks * across + tile, lane, vec3u(params.rows, params.vocabulary, params.width));
  }
  let place = lane % TILE_ACROSS;
  for (var slot = 0u; slot < TILE_LANE_ROWS; slot++) {
    row_values[tile_row(lane, slot) * TILE_ACROSS + place] = most[slot];
  }
  workgroupBarrier();
  for (var r = lane; r < TILE_ROWS; r += TILE_LANES) {
    var largest = row_values[r * TILE_ACROSS];
    for (var i = 1u; i < TILE_ACROSS; i++) {
      largest = max(largest, row_values[r * TILE_ACROSS + i]);
    }
    row_most[r] = largest;
  }
  workgroupBarrier();
  for (var slot = 0u; slot < TILE_LANE_ROWS; slot++) {
    let r = tile_row(lane, slot);
    row_values[r * TILE_ACROSS + place] = sum[slot] * exponential(most[slot] - row_most[r]);
  }
  workgroupBarrier();
  for (var r = lane; r < TILE_ROWS; r += TILE_LANES) {
    var of_row = 0.0;
    for (var i = 0u; i < TILE_ACROSS; i++) {
      of_row += row_values[r * TILE_ACROSS + i];
    }
    if (row + r < params.rows) {
      statistics[statistic(chunk, 0u, row + r)] = row_most[r];
      statistics[statistic(chunk, 1u, row + r)] = of_row;
    }
  }
  workgroupBarrier();
  for (var slot = 0u; slot < TILE_LANE_ROWS; slot++) {
    let r = tile_row(lane, slot);
    // word numbers within a chunk are exact as floats
    row_values[r * TILE_ACROSS + place] = select(f32(CHUNK), f32(first[slot] - chunk * CHUNK), most[slot] == row_most[r]);
  }
  workgroupBarrier();
  for (var r = lane; r < TILE_ROWS; r += TILE_LANES) {
    var word = row_values[r * TILE_ACROSS];
    for (var i = 1u; i < TILE_ACROSS; i++) {
      word = min(word, row_values[r * TILE_ACROSS + i]);
    }
    if (row + r < params.rows) {
      let label = labels[row + r];
      if (label >= i32(chunk * CHUNK) && label < i32(min((chunk + 1u) * CHUNK, params.vocabulary))) {
        statistics[statistic(chunks, 1u, row + r)] = select(0.0, 1.0, f32(label - i32(chunk * CHUNK)) == word);
      }
    }
  }
}

fn join_chunks(m: u32) {
  if (m >= params.rows) {
    return;
  }
  let chunks = chunk_count();
  let label = labels[m];
  let is_word = label >= 0 && label < i32(params.vocabulary);
  let own = select(chunks, u32(max(label, 0)) / CHUNK, is_word);
  let own_logit = statistics[statistic(chunks, 0u, m)];
  var largest = -MAX_FLOAT;
  var sum = 0.0;
  var is_first = is_word;
  for (var chunk = 0u; chunk < chunks; chunk++) {
    let most = statistics[statistic(chunk, 0u, m)];
    let part = statistics[statistic(chunk, 1u, m)];
    let next = max(largest, most);
    sum = sum * exponential(largest - next) + part * exponential(most - next);
    largest = next;
    if (chunk < own) {
      is_first = is_first && most < own_logit;
    } else {
      is_first = is_first && most <= own_logit;
    }
  }
  lse[m] = largest + logarithm(sum);
  loss[m] = 0.0;
  correct[m] = 0.0;
  if (is_word) {
    loss[m] = logarithm(sum) + (largest - own_logit);
    if (is_first) {
      correct[m] = statistics[statistic(chunks, 1u, m)];
    }
  } else if (label >= 0) {
    loss[m] = bitcast<f32>(nan_bits);
  }
}
