#!/usr/bin/env bash
# Builds and tests the program for this machine as OpenWrt's package feed builds it for a router: the profile of its
# rust-values.mk (opt-level z, fat LTO, panic=unwind, overflow checks), `cargo install --locked`, without `try`, from the
# tree that the package's Makefile prepares. cross/build.sh builds by another one.
#
#   cross/feed-profile.sh [TEST…]      names of tests/*.rs instead of the usual ones
#
# The program is target/feed/install/bin/cwmp-agent (FEED_DIR names another folder); the first run takes some minutes.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=${FEED_DIR:-$top/target/feed}
tests=("$@")
# Sessions, their faults, commands, and the package on its own.
[ ${#tests[@]} -gt 0 ] || tests=(daemon provisioning https_session bad_acs commands feed_package)

# The same as what rust-values.mk sets.
profile=(CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 CARGO_PROFILE_RELEASE_DEBUG=false
	CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=false CARGO_PROFILE_RELEASE_LTO=true CARGO_PROFILE_RELEASE_OPT_LEVEL=z
	CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true CARGO_PROFILE_RELEASE_PANIC=unwind CARGO_PROFILE_RELEASE_RPATH=false)
unset RUSTFLAGS

# The tree as the package has it: what it leaves out is not needed.
rm -rf "$work/build"
make -s --no-print-directory -C "$top/cross/openwrt/cwmp-agent" TOPDIR="$top/tests/feed" OUT="$work" prepare
tree=$(echo "$work"/build/cwmp-agent-*)
env CARGO_TARGET_DIR="$work/target" "${profile[@]}" \
	cargo install -q --locked --no-default-features --features router --profile release --no-track --force --root "$work/install" --path "$tree"

program=$work/install/bin/cwmp-agent
"$program" --version
"$program" check "$tree/data-model" "$tree/init/openwrt/etc/cwmp-agent/agent.toml"
if "$program" try --help >/dev/null 2>&1; then
	echo "try is in it"
	exit 1
fi
printf '%s bytes, as the feed builds it for this machine\n' "$(stat -c %s "$program")"

# The tests' own code is compiled as always; the program that they drive is the one above.
names=()
for t in "${tests[@]}"; do names+=(--test "$t"); done
cd "$top"
CWMP_TEST_AGENT=$program cargo test -q --locked --no-default-features --features router "${names[@]}"
