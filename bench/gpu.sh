#!/usr/bin/env bash
# Checks and times the CUDA device on the GPU that is here, beside PyTorch in its best form, and WebGPU beside CUDA; builds nothing: dist and the
# addon must be there (npm ci, npm run build:cuda, or a packed kit). Useful when it is cut off: correctness first, then parts in
# the order of their worth, each written to a JSON file of its own as soon as a race of it has ended; a table of all closes it.
#
#   bash bench/gpu.sh              everything, under 9 minutes
#   bash bench/gpu.sh --quick      what matters most, under 4 minutes
#   bash bench/gpu.sh --emulated   the same script over the block emulator on small shapes: whether it works; times mean nothing
#   --only PART,...                only these parts: checks, pretraining, products, attention, streams, finetune, inference, webgpu, dropout
#
# Environment: OUT, a folder for the results (default bench/results/gpu); BIOALBERT_PEER_PYTHON, a Python with torch and
# transformers (default python3, if it has torch), which runs on the GPU, or on the CPU where that is emulated.
set -uo pipefail
cd "$(dirname "$0")/.."

mode=full only=
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) mode=quick ;;
    --emulated) mode=emulated ;;
    --only) only=",$2,"; shift ;;
    *) echo "gpu.sh: found $1, expected --quick, --emulated or --only PART,..." >&2; exit 2 ;;
  esac
  shift
done
[ -f dist/bench/run.js ] || { echo "gpu.sh: no dist/bench/run.js here (npm run build:js)" >&2; exit 2; }

out=${OUT:-bench/results/gpu}
mkdir -p "$out"
out=$(cd "$out" && pwd)
exec > >(tee "$out/log.txt") 2>&1
tee=$!

device=cuda total=530
[ "$mode" = quick ] && total=200
if [ "$mode" = emulated ]; then device=cuda-emulated total=1800; export BIOALBERT_BENCH_QUICK=1; fi
[ "$mode" = quick ] && export BIOALBERT_BENCH_SHORT=1
left() { echo $((total - SECONDS)); }
wanted() { [ -z "$only" ] || [[ $only == *",$1,"* ]]; }
failed=0
# fail WHAT: says so and goes on
fail() { echo "FAILED: $1"; failed=$((failed + 1)); }
# limited SECONDS COMMAND...: at most so long, and never past the end
limited() {
  local most=$1 rest; shift; rest=$(left)
  [ "$rest" -lt 5 ] && { echo "no time left for: $*"; return 124; }
  timeout -k 5 $((most < rest ? most : rest)) "$@"
}

# ---------------------------------------------------------------- what is here
where=$(node dist/bench/gpu/preflight.js $device) || exit 1
label=${where%%$'\t'*}
[ "$mode" = emulated ] && label=emulated
echo "${where#*$'\t'}; results in $out"
python=${BIOALBERT_PEER_PYTHON:-$(command -v python3 || true)}
peers=
# looked for, not imported, which would take seconds
packages='from importlib.metadata import version; print(*(f"{name} {version(name)}" for name in ("torch", "transformers", "safetensors")))'
if [ -n "$python" ] && "$python" -c "$packages" 2>/dev/null; then
  export BIOALBERT_PEER_PYTHON=$python
  peers=--peers
else
  echo "skipped: all of PyTorch (no Python with torch, transformers and safetensors)"
fi
export BIOALBERT_BENCH_OUT=$out TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-${TMPDIR:-/tmp}/bioalbert-inductor}

# PyTorch compiles for a minute: it begins while the checks run, and finds it in its cache later
warming=
if [ -n "$peers" ] && [ "$mode" = full ] && { wanted pretraining || wanted dropout; }; then
  step="$python bench/peers/albert_step.py --device cuda --precision bf16 --compile --steps 1 --warmup 1"
  timeout -k 5 150 bash -c "$step --batch 64 --length 512; $step --batch 256 --length 128" >/dev/null 2>&1 &
  warming=$!
fi

# ---------------------------------------------------------------- checks
check() { # NAME SECONDS COMMAND...
  local name=$1 log; shift
  log=$(mktemp)
  limited "$@" >"$log" 2>&1
  local status=$?
  # compute-sanitizer where the runtime of the container does not let it
  if [ $status -ne 0 ] && grep -q 'Device not supported' "$log"; then echo "skipped: $name (device not supported)"; status=0
  elif [ $status -eq 0 ]; then echo "ok: $name ($(tail -n 1 "$log"))"; else tail -n 40 "$log"; echo "FAILED: $name (status $status)"; fi
  rm -f "$log"
  return $status
}
if wanted checks; then
  jobs=()
  if [ "$mode" = emulated ]; then
    # `npm test` runs all of them on the emulator
    BIOALBERT_TEST_OPS=scale,linear check "ops" 600 node dist/test/run.js --timeout 600 device/cuda_ops & jobs+=($!)
  else
    export BIOALBERT_TEST_GPU=1
    [ "$mode" = quick ] && export BIOALBERT_TEST_OPS=linear,linear_gelu,attention,dropout_add_layernorm,linear_cross_entropy,lamb
    check "ops" 150 node dist/test/run.js device/cuda_ops & jobs+=($!)
    # every variant that the adapter has: tiles in workgroup memory, subgroups, matrices of subgroups, f16
    check "WebGPU" 150 node dist/test/run.js device/webgpu/products device/webgpu/attention device/webgpu/f16. & jobs+=($!)
    check "golden steps" 150 node dist/test/run.js device/cuda_pretraining & jobs+=($!)
    sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null || true)
    if [ -n "$sanitizer" ]; then
      check "memory of a nano step" 100 "$sanitizer" --tool memcheck --error-exitcode 9 node dist/bench/gpu/preflight.js $device --step &
      jobs+=($!)
    else
      echo "skipped: memory of a nano step (no compute-sanitizer)"
    fi
  fi
  check "a nano step" 600 node dist/bench/gpu/preflight.js $device --step || failed=$((failed + 1))
  for job in "${jobs[@]}"; do wait "$job" || failed=$((failed + 1)); done
  unset BIOALBERT_TEST_GPU BIOALBERT_TEST_OPS
fi
# nothing may disturb what is timed
if [ -n "$warming" ]; then
  echo "waiting for PyTorch's compiler"
  wait "$warming" || echo "PyTorch's compiler was not done in time"
fi

# ---------------------------------------------------------------- parts
part() { # NAME SECONDS BENCH [OPTIONS...]
  local name=$1 seconds=$2; shift 2
  wanted "$name" || return 0
  echo
  limited "$seconds" node dist/bench/run.js --device $device $peers "$@" || fail "$name (status $?)"
}
if [ "$mode" = emulated ]; then slow=4; else slow=1; fi
part pretraining $((210 * slow)) --label "$label" gpu/pretraining
part products $((60 * slow)) --label "$label" gpu/products
part attention $((60 * slow)) --label "$label" gpu/attention
part streams $((50 * slow)) --label "$label" gpu/streams
part finetune $((80 * slow)) --label "$label" gpu/finetune
part inference $((60 * slow)) --label "$label" gpu/inference
part webgpu $((60 * slow)) --label "$label" gpu/webgpu
[ "$mode" = quick ] || part dropout $((120 * slow)) --label "$label" gpu/dropout

echo
echo "---- $label, $mode, $SECONDS s, $failed failed"
[ "$mode" = emulated ] && echo "emulated: times mean nothing, and neither do goals"
node dist/bench/gpu/table.js "$out"
status=$((failed > 0))
exec >&- 2>&-
wait "$tee"
exit $status
