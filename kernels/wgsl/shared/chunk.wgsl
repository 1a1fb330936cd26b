// A chunk of an arena, row c of a table [chunks, 3] of (segment, start, count), walked by a workgroup in vectors of four. Where
// it does not begin or end with one, up to six elements are left, which are walked one by one: their neighbours in the
// vector belong to other workgroups. Arenas are whole vectors. A section declares `table` and `gradients`.

// First element of the block of the arenas that is bound: where a device holds them in several, a kernel runs once a block, on the
// chunks that begin in it. Chunks lie in one block each.
override BLOCK_START: u32 = 0;

struct Chunk {
  segment: u32,
  is_here: bool,  // in the block that is bound; else it is empty
  first: u32,  // vectors that lie in it: from first to last
  last: u32,
  start: u32,  // elements in front of them: from start to head
  head: u32,
  tail: u32,   // and behind: from tail to end
  end: u32,
}

fn chunk_of(c: u32) -> Chunk {
  // of a chunk in front of the block the difference wraps around to a large number
  let place = u32(table[3u * c + 1u]) - BLOCK_START;
  let is_here = place < 4u * arrayLength(&gradients);
  let start = select(0u, place, is_here);
  let end = start + select(0u, u32(table[3u * c + 2u]), is_here);
  let first = (start + 3u) / 4u;
  let last = max(end / 4u, first);
  let head = min(4u * first, end);
  let tail = max(4u * last, head);
  return Chunk(u32(table[3u * c]), is_here, first, last, start, head, tail, max(end, tail));
}

fn edges(chunk: Chunk) -> u32 {
  return chunk.head - chunk.start + chunk.end - chunk.tail;
}

// Element of the arena that is edge k of a chunk.
fn edge(chunk: Chunk, k: u32) -> u32 {
  let front = chunk.head - chunk.start;
  return select(chunk.tail + k - front, chunk.start + k, k < front);
}
