#!/usr/bin/env bash
# Runs the conformance suite's Arm64 code on this machine, under QEMU's user emulation: a self-contained publish for
# linux-arm64, with Debian's Arm64 C library in a folder of its own.
#   tests/Backends.Conformance/arm64.sh [--only "PART|..."] [LEAF...]     default leaf: cpu-fast
# Exit code 3: it could not be set up here (needs root on Debian, apt and the packages of NuGet).
set -euo pipefail
cd "$(dirname "$0")"
work=${PORTABLE_ARM64:-/tmp/portable-arm64}
mkdir -p "$work/root"

setup() {
  command -v qemu-aarch64-static >/dev/null || { apt-get update -qq && apt-get install -y -qq qemu-user-static; }
  if ! [ -e "$work/root/lib/ld-linux-aarch64.so.1" ]; then
    dpkg --print-foreign-architectures | grep -qx arm64 || { dpkg --add-architecture arm64 && apt-get update -qq; }
    mkdir -p "$work/packages"
    (cd "$work/packages" && apt-get download -q libc6:arm64 libstdc++6:arm64 libgcc-s1:arm64 zlib1g:arm64)
    for package in "$work"/packages/*.deb; do dpkg -x "$package" "$work/root"; done
  fi
  dotnet publish . -c Release -r linux-arm64 --self-contained true -p:UseAppHost=true -o "$work/conformance" -v quiet --nologo
}

setup > "$work/setup.log" 2>&1 || { echo "the Arm64 suite could not be set up here; see $work/setup.log" >&2; exit 3; }
[ $# -gt 0 ] || set -- cpu-fast
# The emulator cannot map memory writable and executable at two places.
DOTNET_EnableWriteXorExecute=0 DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 exec qemu-aarch64-static -cpu max -L "$work/root" "$work/conformance/Backends.Conformance" "$@"
