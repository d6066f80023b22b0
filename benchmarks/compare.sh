#!/usr/bin/env bash
# Measures Portable beside llama.cpp, as LLamaSharp and as node-llama-cpp ship it, on the same files and in turn.
#
#   benchmarks/compare.sh [--quick] [--publish] [--tier best|avx2] [--rounds N] [--threads 1,2] [--prompts 128,512]
#                         [--generate 64] [--models a,b] [--smollm2 FILE] [--work FOLDER] [--out FOLDER]
#
# --quick     one small model, about a minute once everything is built
# --publish   results into docs/performance/ and docs/performance.md; otherwise they stay in the git-ignored artifacts/
# --tier      avx2 holds all engines to AVX2 on a machine that has more
# --models    of smollm2-135m-q4_0, qwen2.5-0.5b-q4_0, qwen2.5-0.5b-q4_k_m, qwen2.5-1.5b-q4_0, qwen2.5-1.5b-q4_k_m
# --smollm2   SmolLM2-135M-Instruct as Q4_1, of which its Q4_0 is made; else it is looked for under $PORTABLE_FIXTURES
#             and ../shared/fixtures, and left out where there is none
#
# Needs the .NET SDK, npm (only to fetch the peer's libraries), Linux, and about 4 GB of disk. Nothing is installed outside FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."

quick=false publish=false tier=best rounds= threads= prompts= generate=64 models= smollm2= work=artifacts/compare out=
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) quick=true; shift ;;
    --publish) publish=true; shift ;;
    --tier | --rounds | --threads | --prompts | --generate | --models | --smollm2 | --work | --out)
      [ $# -gt 1 ] || { echo "compare.sh: $1 needs a value" >&2; exit 2; }
      printf -v "${1#--}" %s "$2"; shift 2 ;;
    -h | --help) sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 0 ;;
    *) echo "compare.sh: unknown option $1" >&2; exit 2 ;;
  esac
done
[[ $tier == best || $tier == avx2 ]] || { echo "compare.sh: --tier is best or avx2" >&2; exit 2; }
mkdir -p "$work/models"
work=$(cd "$work" && pwd)

# Programs. Output goes to stderr: stdout is for the results.
{
  dotnet publish Cli -c Release -v q --nologo -o "$work/portable"
  dotnet build benchmarks -c Release -v q --nologo -o "$work/benchmarks"
  dotnet build benchmarks/peers/llamasharp -c Release -v q --nologo -o "$work/llamasharp"
  dotnet build benchmarks/peers/llama-cpp -c Release -v q --nologo -o "$work/llama-cpp"
} >&2
case "$(uname -m)" in x86_64) platform=linux-x64 ;; aarch64) platform=linux-arm64 ;; *) echo "compare.sh: no peer for $(uname -m)" >&2; exit 1 ;; esac
libraries="$work/npm/node_modules/@node-llama-cpp/$platform/bins/$platform"
mkdir -p "$work/npm"
if ! cmp -s benchmarks/peers/llama-cpp/package-lock.json "$work/npm/package-lock.json" || [ ! -d "$libraries" ]; then
  cp benchmarks/peers/llama-cpp/package.json benchmarks/peers/llama-cpp/package-lock.json "$work/npm/"
  npm ci --prefix "$work/npm" --no-audit --no-fund >&2
fi

# Models: made once, the same bytes every time.
if [ -z "$smollm2" ]; then
  for folder in "${PORTABLE_FIXTURES:-}" ../shared/fixtures; do
    file="$folder/models/smollm2-135m-instruct-q4_1.gguf"
    if [ -n "$folder" ] && [ -f "$file" ]; then smollm2=$file; break; fi
  done
fi
if [ -z "$models" ]; then
  if [ -n "$smollm2" ]; then models=smollm2-135m-q4_0; else echo "compare.sh: without SmolLM2-135M (see --smollm2)" >&2; fi
  if ! $quick; then models+=,qwen2.5-0.5b-q4_0,qwen2.5-0.5b-q4_k_m,qwen2.5-1.5b-q4_0,qwen2.5-1.5b-q4_k_m; fi
  if [ -z "$models" ]; then models=qwen2.5-0.5b-q4_0; fi
  models=${models#,}
fi
for model in ${models//,/ }; do
  file="$work/models/$model.gguf"
  if [ ! -f "$file" ]; then
    "$work/benchmarks/Portable.Benchmarks" gguf "${model%-q4_*}" "q4_${model##*-q4_}" "$file" ${smollm2:+"$smollm2"}
  fi
done

most=$(($(nproc) < 2 ? 1 : 2))
if $quick; then : "${rounds:=2}" "${threads:=$most}"; fi
if [ "$most" = 2 ]; then : "${threads:=1,2}"; fi
: "${rounds:=5}" "${threads:=1}" "${prompts:=128,512}"

# The runtime's own switches hold .NET programs to AVX2; the peers are told by --tier which of their builds to take.
if [ "$tier" = avx2 ]; then export DOTNET_EnableAVX512=0 DOTNET_EnableAVX512F=0 DOTNET_EnableAVXVNNI=0; fi
commit=$(git rev-parse --short HEAD)
if [ -n "$(git status --porcelain -uno -- . ':!docs')" ]; then commit+=" with changes"; fi
page=
if $publish; then
  page=docs/performance.md
  kind=avx2
  if [ "$tier" = avx2 ]; then kind=avx2-held; elif grep -qm1 avx512bw /proc/cpuinfo; then kind=avx-512; fi
  : "${out:=docs/performance/$kind}"
fi
: "${out:=$work/results}"
mkdir -p "$out"
"$work/benchmarks/Portable.Benchmarks" compare "$work" "$out" --models "$models" --rounds "$rounds" --threads "$threads" --prompts "$prompts" \
  --generate "$generate" --tier "$tier" --commit "$commit" --libraries "$libraries"
"$work/benchmarks/Portable.Benchmarks" page "$out" ${page:+"$page"}
