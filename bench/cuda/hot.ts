/**
 * Which kernels are hot: those that a step spends its time in, whose registers must not spill and whose arrays must stay in
 * registers. Patterns are held against `<stem>/<kernel>`, the first that fits decides.
 */
export interface Rule {
  readonly pattern: RegExp
  readonly hot: boolean
  readonly reason: string
}

export const RULES: readonly Rule[] = [
  { pattern: /^(linear|linear_gelu|pack)\//, hot: true, reason: 'dense layers: three quarters of a step' },
  { pattern: /^attention\//, hot: true, reason: 'a sixth of a step at 512 pieces' },
  { pattern: /^(dropout_add_layernorm|layernorm|embedding|dropout)\//, hot: true, reason: 'twice a layer' },
  { pattern: /^linear_cross_entropy\//, hot: true, reason: 'the vocabulary projection, in f32' },
  { pattern: /^(lamb|adamw|global_norm)\//, hot: true, reason: 'every parameter, every step' },
  {
    pattern: /^(cast|copy|fill|accumulate|gather|scatter_add)\//,
    hot: true,
    reason: 'between the parts of a step',
  },
  { pattern: /^/, hot: false, reason: 'models of one’s own, no part of a step of ALBERT or BERT' },
]

export function ruleOf(stem: string, kernel: string): Rule {
  return RULES.find(({ pattern }) => pattern.test(`${stem}/${kernel}`))!
}
