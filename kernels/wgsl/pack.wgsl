// A weight [out, in] as an operand of products of f16: rounded to it, row by row. A step reads it once for each of its uses, in ALBERT
// three times a layer, and then 2 bytes an element instead of 4. WGSL has no products of bf16, so there is no other form.
//
// Work split: one invocation is four elements.

// ---------------------------------------------------------------- forward

// kernel pack_forward
// f16 vec4, halves
struct Params { out: u32, in: u32, gradient: u32 }
@group(0) @binding(0) var<storage, read_write> weight: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> packed: array<Stored>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(out * in / 256)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.out * params.in / 4u) {
    packed[i] = stored(weight[i]);
  }
}
