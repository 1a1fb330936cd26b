/**
 * Dense layer with GELU (Hendrycks and Gimpel 2016): z = x weight^T + bias, y = gelu(z); z is saved for backward.
 * `form` is `tanh` (default; Hugging Face's gelu_new) or `erf` (z times the normal distribution function; their gelu).
 * Without `save` z is not written, so that there is no backward pass; it is four elements then, since no device binds none.
 */
import { kernel } from '../device/kernel.js'
import { joinedWithGelu, linearGradients, linearShape } from './linear.js'
import { defineOp } from './op.js'
import { capacity, elements, param, product } from './shape.js'

/** The number of each form is its place in this list; kernels switch on it. */
export const GELU_FORMS = ['tanh', 'erf'] as const
export type GeluForm = (typeof GELU_FORMS)[number]

const activation = kernel(
  'linear_gelu_backward_activation',
  { dy: 'read', z: 'read', dz: 'write' },
  { rows: 'u32', out: 'u32', form: 'u32' },
)

export const linearGelu = defineOp<{ readonly form?: GeluForm; readonly save?: boolean }>({
  name: 'linear_gelu',
  inputs: ['x', 'weight', 'bias'],
  outputs: ['y', 'z'],
  infer([x, weight, bias], { save = true }) {
    const y = { shape: linearShape('linear_gelu', x, weight, bias), dtype: x.dtype }
    return [y, save ? y : { shape: [4], dtype: x.dtype }]
  },
  params: ({ x, weight }, { form = 'tanh', save = true }) => ({
    rows: param(product(x.shape.slice(0, -1))),
    in: capacity(weight.shape[1]),
    out: capacity(weight.shape[0]),
    form: GELU_FORMS.indexOf(form),
    save: save ? 1 : 0,
  }),
  forward: kernel(
    'linear_gelu_forward',
    { x: 'read', weight: 'read', bias: 'read', y: 'write', z: 'write' },
    { rows: 'u32', in: 'u32', out: 'u32', form: 'u32', save: 'u32' },
    { multiplies: true },
  ),
  kernels: [activation],
  gradient(scope, attrs) {
    if (attrs.save === false) throw new Error('linear_gelu: no gradient where nothing was saved')
    const z = scope.value('z')
    let dz = joinedWithGelu(scope, z, attrs.form === 'erf' ? 'gelu_erf' : 'gelu_tanh')
    if (!dz) {
      dz = scope.fresh(z.spec)
      const [x, weight] = [scope.value('x'), scope.value('weight')]
      scope.call(linearGelu, activation, { dy: scope.incoming('y'), x, weight, z, dz }, attrs)
    }
    linearGradients(scope, dz)
  },
  flops: ({ x, weight }) => 2 * elements(x) * capacity(weight.shape[0]),
  // the argument of tanh (5), tanh, the derivative of both (10), dy
  work: (kernel, { z }) => (kernel === activation.name ? { flops: 17 * elements(z) } : {}),
})
