/** What programs written against the package use, in Node and in browsers alike. */
export * from './autograd/functions.js'
export * from './autograd/layers.js'
export { sgd } from './autograd/sgd.js'
export { Capture, Tensor } from './autograd/tensor.js'
export type { Device, DeviceChoice, DeviceInfo, DeviceName, TimelineEvent } from './device/device.js'
export { InputError, UsageError, UserError } from './error.js'
export type { Initializer, Parameter, ParameterOptions } from './graph/parameters.js'
export { normal, ones, ParameterSet, truncatedNormal, zeros } from './graph/parameters.js'
export type { InputData, MemoryPlan } from './graph/runtime.js'
export { Runtime } from './graph/runtime.js'
export type { ModelConfig } from './model/config.js'
export { PRESETS, preset } from './model/config.js'
export type { Example, Head, HeadCapacity, HeadModel } from './model/head.js'
export type { Metadata, ParameterHolder } from './model/parameters.js'
export { decodeParameters, encodeParameters } from './model/parameters.js'
export { declarePretraining, pretrainingLoss } from './model/pretraining.js'
export { spanHead } from './model/question_answering.js'
export { classHead, labelHead, scoreHead } from './model/sequence_classification.js'
export { tokenHead } from './model/token_classification.js'
export type { Op } from './ops/op.js'
export { defineOp, ShapeError } from './ops/op.js'
export type { Dim, DType, Spec } from './ops/shape.js'
export { dynamic } from './ops/shape.js'
export type { EvaluatorOptions, Forward } from './training/evaluator.js'
export { Evaluator } from './training/evaluator.js'
export type { LossScaleState, LossScaling, StepScale } from './training/loss_scale.js'
export { DEFAULT_LOSS_SCALING, LossScaler, lossScaling, scaleScalars } from './training/loss_scale.js'
export type { OptimizerSettings } from './training/optimizer.js'
export {
  appendBackward,
  appendUpdate,
  corrections,
  DEFAULT_OPTIMIZER,
  optimizerInputs,
} from './training/optimizer.js'
export type { TrainerOptions, TrainerStep } from './training/trainer.js'
export { Trainer } from './training/trainer.js'
