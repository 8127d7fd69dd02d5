#!/usr/bin/env bash
# Runs what cross/build.sh built, on the processor it was built for (qemu-user):
#
#   cross/smoke.sh [--router] TARGET…
#
# First a TLS 1.2 and a TLS 1.3 handshake over loopback: that is where a wrong libc, float ABI or thread-local storage
# shows, while --version would still print. Then `cwmp-agent try` (not with --router, where it is left out), and a
# session over HTTPS with digest, with a change found in its UCI file and read back: now, and with the clock in 2039.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$here")
work=${CROSS_DIR:-$top/target/cross}
out=$work/out
limit=${CROSS_SMOKE_SECONDS:-120}
year=2039

die() { printf 'smoke: %s\n' "$*" >&2; exit 1; }

router=
[ "${1-}" != --router ] || { router=--router; shift; }
[ $# -gt 0 ] || die "name a target: mips, mipsel, armv7, aarch64 or x86_64"

# The ACS of a router's day runs here, and so does the clock that is ahead: the emulator asks the C library of this
# machine for the time.
(cd "$top" && env -u RUSTFLAGS cargo build -q --locked --example router_day)
day=${CARGO_TARGET_DIR:-$top/target}/debug/examples/router_day
mkdir -p "$work"
cc -shared -fPIC -O2 -o "$work/clock-ahead.so" "$here/clock-ahead.c"
ahead=$(($(date -d "$year-06-01" +%s) - $(date +%s)))

for name in "$@"; do
	case $name in
	mips*) target=${name%%-*}-unknown-linux-musl emulator="qemu-${name%%-*} -cpu 24Kc" ;;
	armv7*) target=armv7-unknown-linux-musleabihf emulator="qemu-arm -cpu cortex-a7" ;;
	aarch64*) target=aarch64-unknown-linux-musl emulator="qemu-aarch64 -cpu cortex-a53" ;;
	x86_64*) target=x86_64-unknown-linux-musl emulator="" ;;
	*) die "unknown target '$name'; write one of mips, mipsel, armv7, aarch64, x86_64" ;;
	esac
	program=$out/$target/cwmp-agent
	[ -x "$program" ] || die "$program is not there: run cross/build.sh $router $name"
	"$here/build.sh" "$name" -- --example tls_handshake >/dev/null

	run() {
		local status=0
		timeout "$limit" "$@" </dev/null || status=$?
		[ $status != 124 ] || die "$name: ${*##*/} was not done after $limit s"
		[ $status = 0 ] || die "$name: ${*##*/} ended with $status"
	}
	# shellcheck disable=SC2086
	{
		run $emulator "$out/$target/tls_handshake"
		[ -n "$router" ] || run $emulator "$program" try
		run "$day" $emulator "$program"
		# Without an emulator of its own x86_64 has one here: a static program takes no library.
		run "$day" --year $year env LD_PRELOAD="$work/clock-ahead.so" CLOCK_AHEAD="$ahead" \
			${emulator:-qemu-x86_64} -U LD_PRELOAD "$program"
	}
	echo "smoke: $name shook hands over TLS, had its sessions and will have them in $year${emulator:+, under $emulator}"
done
