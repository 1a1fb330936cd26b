/** A section of WGSL with this condition and number of workgroups: a kernel `k_forward` of one buffer, whose entry point calls `work`. */
export const section = (when: string, groups: string): string =>
  `// kernel k_forward\n${when}struct Params { rows: u32, in: u32 }\n` +
  '@group(0) @binding(0) var<storage, read_write> x: array<f32>;\n@group(0) @binding(1) var<uniform> params: Params;\n' +
  `// workgroups: ${groups}\n@compute @workgroup_size(1)\nfn main() { work(); }\n`
