#!/usr/bin/env bash
# Runs what cross/build.sh built, on the processor it was built for (qemu-user):
#
#   cross/smoke.sh TARGET…
#
# First a TLS 1.2 and a TLS 1.3 handshake over loopback: that is where a wrong libc, float ABI or thread-local storage
# shows, while --version would still print. Then `cwmp-agent try`: a whole provisioning session.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$here")
out=${CROSS_DIR:-$top/target/cross}/out
limit=${CROSS_SMOKE_SECONDS:-120}

die() { printf 'smoke: %s\n' "$*" >&2; exit 1; }

for name in "$@"; do
	case $name in
	mips*) target=${name%%-*}-unknown-linux-musl emulator="qemu-${name%%-*} -cpu 24Kc" ;;
	armv7*) target=armv7-unknown-linux-musleabihf emulator="qemu-arm -cpu cortex-a7" ;;
	aarch64*) target=aarch64-unknown-linux-musl emulator="qemu-aarch64 -cpu cortex-a53" ;;
	x86_64*) target=x86_64-unknown-linux-musl emulator="" ;;
	*) die "unknown target '$name'; write one of mips, mipsel, armv7, aarch64, x86_64" ;;
	esac
	program=$out/$target/cwmp-agent
	[ -x "$program" ] || die "$program is not there: run cross/build.sh $name"
	"$here/build.sh" "$name" -- --example tls_handshake >/dev/null

	run() {
		local status=0
		# shellcheck disable=SC2086
		timeout "$limit" $emulator "$@" </dev/null || status=$?
		[ $status != 124 ] || die "$name: ${*##*/} was not done after $limit s"
		[ $status = 0 ] || die "$name: ${*##*/} ended with $status"
	}
	run "$out/$target/tls_handshake"
	run "$program" try
	echo "smoke: $name shook hands over TLS and went through \`try\`${emulator:+ under $emulator}"
done
[ $# -gt 0 ] || die "name a target: mips, mipsel, armv7, aarch64 or x86_64"
