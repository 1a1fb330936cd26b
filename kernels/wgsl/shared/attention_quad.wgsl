// What attention forward and backward have in common where four neighbouring invocations, a quad, are a workgroup and load for
// each other: a block is 16 rows at rest, four an invocation; rows of the other side pass, two at a time.
//
// Of a row that passes an invocation loads chunks 4 i + lane and swaps for the rest: what it has in place c is chunk c ^ lane, of
// what passes as of what rests. Places are a multiple of four; those past the last chunk hold zeros.
//
// For adapters in software. SwiftShader runs the quad as one vector, and loads lane by lane. Of four lanes, as measured: 6.8 ns to
// load a word, 0.36 for a multiply-add, 0.6 for a swap, 4.5 for an exponential, about 2 for a sum that goes around a loop. So loads
// are shared among 16 rows, and sums go around once for two rows that pass: four take twice as long to compile for little, and
// 8 rows an invocation are slower. It keeps arrays in memory, cheap to reach by constant indices alone: so chunks are written out
// (as loops they take four times as long), but for what happens once in a block, for the sake of the time to compile. And it runs
// branches that are not taken: what is skipped is a loop.

const ROWS = 16u;  // of a block, four an invocation
const GROUP = 4u;  // invocations of a workgroup
const TASKS = 1u;  // blocks and heads of a workgroup

fn places() -> u32 {
  return (chunks() + 3u) & ~3u;
}

// Four places of a row, of which this invocation loaded `part`. A workgroup is one quad, in which all do the same.
@diagnostic(off, subgroup_uniformity)
fn swapped(part: vec4f) -> mat4x4f {
  return mat4x4f(part, quadSwapX(part), quadSwapY(part), quadSwapDiagonal(part));
}

// Products of four places of a row with those of four rows, which lie across.
fn dots(x: mat4x4f, rows0: mat4x4f, rows1: mat4x4f, rows2: mat4x4f, rows3: mat4x4f) -> vec4f {
  return x[0] * rows0 + x[1] * rows1 + x[2] * rows2 + x[3] * rows3;
}

// sums[row] += f[0][row] x + f[1][row] z, in chains, as in blocks.wgsl.
fn outer_sums(sums: mat4x4f, x: vec4f, z: vec4f, f: mat2x4f) -> mat4x4f {
  return mat4x4f(
    outer_row(sums[0], x, z, f[0].x, f[1].x),
    outer_row(sums[1], x, z, f[0].y, f[1].y),
    outer_row(sums[2], x, z, f[0].z, f[1].z),
    outer_row(sums[3], x, z, f[0].w, f[1].w),
  );
}

fn outer_row(sums: vec4f, x: vec4f, z: vec4f, f: f32, g: f32) -> vec4f {
  return vec4f(
    sums.x + f * x.x + g * z.x, sums.y + f * x.y + g * z.y, sums.z + f * x.z + g * z.z, sums.w + f * x.w + g * z.w,
  );
}

// Of four rows whose bits lie four apart, whether each keeps the first and the second of two elements.
fn kept_pair(kept: u32) -> array<vec4<bool>, 2> {
  return array<vec4<bool>, 2>(
    (vec4u(kept) & vec4u(0x1u, 0x10u, 0x100u, 0x1000u)) != vec4u(),
    (vec4u(kept) & vec4u(0x2u, 0x20u, 0x200u, 0x2000u)) != vec4u(),
  );
}
