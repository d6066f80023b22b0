#!/usr/bin/env bash
# train.sh WORK [train.py options]: trains the built-in model from nothing, or goes on where WORK's state is; see README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:?usage: train.sh WORK [options of train.py]}
shift
mkdir -p "$work/state" "$work/export"
work=$(cd "$work" && pwd)

if ! ls /usr/share/fonts/truetype/dejavu/DejaVuSansCondensed.ttf /usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf >/dev/null 2>&1; then
  apt-get update -qq && apt-get install -y -qq fonts-dejavu-core fonts-dejavu-extra fonts-liberation
fi

# Python with PyTorch and Pillow: the machine's own, or that of a Debian 13 folder. Paths inside are those outside.
if python3 -c 'import sys, torch, PIL; sys.exit(torch.__version__ < "2.4")' 2>/dev/null; then
  python=(env PYTHONPATH="$here/trainer" python3)
else
  root=$work/root
  if ! [ -e "$root/usr/bin/python3" ]; then
    command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq debootstrap; }
    debootstrap --variant=minbase --include=python3-torch,python3-numpy,python3-pil,libopenblas0-pthread trixie "$root"
  fi
  mkdir -p "$root$work" "$root$here/trainer"
  mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
  mountpoint -q "$root$here/trainer" || mount --bind "$here/trainer" "$root$here/trainer"
  for folder in state export; do
    mkdir -p "$root$work/$folder"
    mountpoint -q "$root$work/$folder" || mount --bind "$work/$folder" "$root$work/$folder"
  done
  python=(chroot "$root" env PYTHONPATH="$here/trainer" python3)
fi

dotnet build "$here/Training.csproj" -c Release -v quiet --nologo
world=(dotnet "$here/bin/Release/net10.0/portable-training.dll")
"${world[@]}" held-out > "$work/state/held-out.bin"

from=$("${python[@]}" -c "import os, torch; p = '$work/state/state.pt'; print(torch.load(p, weights_only=True)['step'] if os.path.exists(p) else 0)")
# Freed tensors stay with the process: handing their pages back and forth costs a fifth of the time.
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=536870912
"${world[@]}" stream --curriculum 3000 --batch 24 --from "$from" |
  "${python[@]}" "$here/trainer/train.py" --state "$work/state" --held-out "$work/state/held-out.bin" --steps 10600 --decay-from 7200 --lookups 0.7 \
    --weights position=2.0,number=1.5,chart=0.8,form=1.8,count=1.3,size=1.5,shape=0.7,colour=0.7,presence=0.8 --check-every 500 "$@"

"${world[@]}" vocabulary -o "$work/export"
"${python[@]}" "$here/trainer/export.py" "$work/state" "$work/export"
"${python[@]}" "$here/trainer/reference.py" "$work/state" "$work/state/held-out.bin" "$work/export/reference"
"${python[@]}" "$here/trainer/plot.py" "$work/state/log.csv" "$work/export/curve.svg"
echo "Trained: $work/export. To quantise and evaluate it and to put it into models/ with its cards: training/publish.sh $work"
