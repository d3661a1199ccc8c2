#!/usr/bin/env bash
# The first half hour on a machine with a GPU: does genbench keep its promises there, and how fast is it?
#
#   bash first_run.sh [--dry] [MINUTES]      30 minutes unless said otherwise; --dry: tiny, on a stand-in for the GPU
#
# It works in ./first-run and leaves ./first-run.tar.gz. The same command goes on: what has passed is not done again.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$PWD/first-run
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE PYTHONDONTWRITEBYTECODE=1 COLUMNS=100

sizes() {
  models=$(compare names model) lighter=() together=(--jobs-per-gpu 4) budget=200steps samples=2000
  checked="$models,$(compare names metric)" at_once=8
  killed='vae[epochs=100],gan[epochs=100]'
  timed='gan@paper vae@mnist' packed='1 5 8' timed_steps=2000steps tutorial=(--steps 300 --repeats 5)
  table=(--jobs-per-gpu 5)
}

tiny_sizes() {
  models='gan,vae,rbm[burn_in=20,thin=2],gaussian' together=() budget=5steps samples=100
  lighter=(--set kid.subsets=5 --set prd.runs=2)
  checked=gaussian,fid at_once=2
  killed='vae[epochs=25]'
  timed=vae@mnist packed='1 2' timed_steps=5steps tutorial=(--steps 2 --repeats 1)
  table=(--jobs-per-gpu 2 --models gan@paper,vae@mnist --reference none --seeds 1 --budget 2steps --samples 200)
}

compare() { PYTHONPATH='' python "$here/compare.py" "$@"; }
bench() { genbench run --device cuda --reference none --quiet "$@"; }
has_mnist() { compgen -G "${GENBENCH_DATA:-/nowhere}/MNIST/raw/train-images-idx3-ubyte*" >/dev/null; }

# The steps. Each is a process in a folder of its own; exit code 77 says that there is nothing to do, or no time for it.

machine() {
  if command -v nvidia-smi; then
    nvidia-smi
    nvidia-smi -q
  fi
  genbench doctor
  python - <<'END'
import torch

print(torch.cuda.get_device_properties(0))
print("torch", torch.__version__, "CUDA", torch.version.cuda, "cuDNN", torch.backends.cudnn.version())
END
}

engines() {
  for engine in inline process; do
    bench --models gan,vae --metric parzen,fid --seeds 2 --budget "$budget" --samples "$samples" \
      --engine "$engine" --results "$engine"
  done
  compare same inline process
}

repeats() {
  for time in first second; do
    bench --models "$models" --metric all "${lighter[@]}" "${together[@]}" --seeds 1 --budget "$budget" \
      --samples "$samples" --results "$time"
  done
  compare same first second
}

devices() {
  compare images images.npz
  for device in cpu cuda; do
    genbench evaluate noisy=images.npz --metric all "${lighter[@]}" --reference none --quiet --device "$device" --results "$device"
  done
  compare devices cpu cuda
}

kills() {
  run=(genbench run --device cuda --reference none --quiet --models "$killed" --metric parzen --seeds 1 --checkpoint-every 0)
  "${run[@]}" --results undisturbed
  "${run[@]}" --results killed &
  driver=$!
  await_checkpoint
  touch mark
  kill -9 "$(a_worker)"
  await_checkpoint -newer mark
  kill -9 "$driver"
  wait "$driver" && return 1
  "${run[@]}" --results killed
  compare same undisturbed killed
  compare resumed killed
}

a_worker() { { grep -ls "^PPid:[[:space:]]*$driver\$" /proc/[0-9]*/status || true; } | sed -n '1s/[^0-9]//gp'; }

await_checkpoint() {
  until [ -n "$(find killed/trials -path '*checkpoint*' -type f "$@" 2>/dev/null | head -n 1)" ]; do
    kill -0 "$driver" || { echo "it was done before it could be killed" && return 1; }
    sleep 0.02
  done
}

kit() {
  tr , '\n' <<<"$checked" | xargs -P "$at_once" -I{} bash "$here/first_run.sh" --check {} >failed || true
  grep 'passed\|FAILED\|genbench:' ./*.txt
  [ ! -s failed ] || { echo "failed: $(paste -s -d ' ' failed)" && return 1; }
  echo "checked: $checked"
}

check() { # NAME: check a plugin, on a dataset of known density where it needs one; print its name where it fails
  local given=()
  case $1 in
    jsd | discriminator-gap) given=(--dataset gaussian1d) ;;
    ms-ssim) given=(--expect direction="it knows no real images: noise is the most diverse of all") ;;
    memorisation) given=(--expect direction="it asks for copies alone, and noise copies nothing") ;;
    mode-coverage) given=(--expect direction="a classifier puts noise into any class") ;;
  esac
  genbench check "$1" --device cuda "${given[@]}" >"$1.txt" 2>&1 || echo "$1"
}

speed() {
  data=digits
  if has_mnist; then data=mnist; fi
  time_it() {
    bench --models "$model" --dataset "$data" --metric parzen --samples 100 --budget "$timed_steps" "$@"
  }
  for model in $timed; do
    time_it --seeds 1 --engine inline --results "$model-alone"
    for n in $packed; do time_it --seeds "$n" --jobs-per-gpu "$n" --results "$model-by-$n"; done
  done
  if [ -f "$here/../speed/training.py" ]; then
    python "$here/../speed/training.py" --device cuda "${tutorial[@]}"
  fi
  compare speed ./*-alone ./*-by-*
}

table1() {
  has_mnist || { echo "no MNIST: set GENBENCH_DATA to a folder that holds MNIST/raw" && return 77; }
  code=0
  timeout --foreground --signal=INT --kill-after=60 "$SECONDS_LEFT" \
    genbench run paper-table1 --device cuda "${table[@]}" --results table || code=$?
  genbench leaderboard table --against goodfellow2014
  if [ $code = 124 ]; then
    echo "no time left: the same command goes on" && return 77
  fi
  return $code
}

# What runs them

step() { # NAME: perform a step, unless it has passed; note what became of it
  grep -qs "^$1,PASS," "$work/steps.csv" && return
  local begun=$SECONDS code=0 became=FAIL left=$((deadline - SECONDS))
  cd "$work/$1" 2>/dev/null || { mkdir -p "$work/$1" && cd "$work/$1"; }
  [ "$1" = table1 ] || find . -mindepth 1 -delete
  if ((left < 10)); then
    echo "no time left; the same command goes on" >"$work/$1.log" && code=77
  else
    SECONDS_LEFT=$((left * 9 / 10)) timeout --kill-after=10 "$left" \
      bash "$here/first_run.sh" --step "$1" "${dry[@]}" >"$work/$1.log" 2>&1 &
    wait $! || code=$?
  fi
  case $code in 0) became=PASS ;; 77) became=SKIP ;; 124 | 137) echo "no time left: stopped" >>"$work/$1.log" ;; esac
  echo "$1,$became,$((SECONDS - begun))" >>"$work/steps.csv"
  echo "$became $1 ($((SECONDS - begun)) s)"
}

dry=()
if [ "${1:-}" = --check ]; then
  check "$2"
  exit
fi
if [ "${1:-}" = --step ]; then
  if [ "${3:-}" = --dry ]; then tiny_sizes; else sizes; fi
  "$2"
  exit
fi
if [ "${1:-}" = --dry ]; then
  dry=(--dry)
  shift
  mkdir -p "$work/hook"
  cat >"$work/hook/sitecustomize.py" <<'END'
import os

if os.environ.get("CUDA_VISIBLE_DEVICES") != "":
    import torch
    from genbench.testing import cuda_standin

    cuda_standin.install()
END
  export PYTHONPATH=$work/hook
fi
deadline=$((${1:-30} * 60))
mkdir -p "$work"
export GENBENCH_CACHE=$work/cache
unset GENBENCH_PLUGINS GENBENCH_ENGINE
trap 'kill -INT $!; exit 130' INT TERM

for name in machine engines repeats devices kills kit speed table1; do step "$name"; done
cd "$work"
find . -name '*.log' -o -name '*.csv' -o -name '*.json' -o -name '*.jsonl' -o -name '*.txt' | grep -v '^./cache' |
  tar -czf "$work.tar.gz" -T -
compare table steps.csv "$work.tar.gz"
