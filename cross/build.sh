#!/usr/bin/env bash
# Static, stripped router binaries from a bare Debian machine.
#
#   cross/build.sh [--router] TARGET… [-- CARGO-ARGUMENT…]
#   cross/build.sh --setup             installs the Debian packages this needs (as root or through sudo)
#
# --router leaves out what a router's image does (`try`): -- --no-default-features --features router.
# TARGET is mips, mipsel, armv7, aarch64, x86_64 or the full name of one of these (mips-unknown-linux-musl, …).
# The program lands in target/cross/out/TARGET/cwmp-agent. How and why: cross/README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$here")
work=${CROSS_DIR:-$top/target/cross}
profile=${CROSS_PROFILE:-router}
llvm=${CROSS_LLVM:-19}
musl_version=1.2.3
musl_sha256=7d5b0b6062521e4627e099e4c9dc8248d32a30285e959b7eecaa780cf8cfd4a4

say() { printf 'cross: %s\n' "$*" >&2; }
die() { printf 'cross: %s\n' "$*" >&2; exit 1; }

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

setup() {
	local need=(clang-"$llvm" lld-"$llvm" llvm-"$llvm" qemu-user make patch xz-utils)
	own_rust >/dev/null || need+=(cargo-web rustc-web rust-web-src)
	local p missing=()
	for p in "${need[@]}"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
	done
	[ ${#missing[@]} = 0 ] && return
	say "installing ${missing[*]}"
	as_root apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y \
		--no-install-recommends "${missing[@]}" >/dev/null
}

# The bin folder of a Rust whose standard library's source is installed beside it: the one in PATH, else Debian's.
# CROSS_RUST names another folder to try first.
own_rust() {
	local bin root
	for bin in ${CROSS_RUST:-} "$(dirname "$(command -v rustc || echo /none/rustc)")"; do
		[ -x "$bin/rustc" ] && [ -x "$bin/cargo" ] || continue
		root=$(cd "$top" && "$bin/rustc" --print sysroot 2>/dev/null) || continue
		[ -f "$root/lib/rustlib/src/rust/library/Cargo.lock" ] && { echo "$bin"; return; }
	done
	return 1
}

rust_bin() {
	own_rust && return
	[ -f /usr/lib/rustlib/src/rust/library/std/Cargo.toml ] && [ -x /usr/bin/cargo ] && { echo /usr/bin; return; }
	return 1
}

# musl's source, as Debian packages it: this machine's own package sources, asked for source packages.
fetch_musl() {
	local archive=$work/musl_$musl_version.orig.tar.gz
	[ -d "$work/musl-$musl_version" ] && return
	mkdir -p "$work"
	if [ ! -f "$archive" ]; then
		say "fetching the source of musl $musl_version"
		local apt=$work/apt f
		rm -rf "$apt"
		mkdir -p "$apt/lists/partial" "$apt/parts"
		for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
			[ -f "$f" ] && sed -nE 's/^deb([[:space:]].*[Dd]ebian)/deb-src\1/p' "$f" >>"$apt/parts/source.list"
		done
		for f in /etc/apt/sources.list.d/*.sources; do
			[ -f "$f" ] && grep -qi 'debian' "$f" &&
				sed -E 's/^Types:.*/Types: deb-src/' "$f" >"$apt/parts/$(basename "$f")"
		done
		local options=(-q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$apt/parts"
			-o "Dir::State::lists=$apt/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
			-o APT::Sandbox::User=)
		apt-get "${options[@]}" update >"$apt/log" 2>&1 || say "some package source did not answer: $(grep -m1 '^[EW]:' "$apt/log")"
		(cd "$apt" && apt-get "${options[@]}" source --download-only musl >>log 2>&1) ||
			die "no source of musl: put musl_$musl_version.orig.tar.gz into $work, or see $apt/log"
		mv "$apt/$(basename "$archive")" "$archive" 2>/dev/null ||
			die "this Debian packages another musl than $musl_version: put musl_$musl_version.orig.tar.gz into $work"
		rm -rf "$apt"
	fi
	echo "$musl_sha256  $archive" | sha256sum -c --quiet - ||
		die "$archive is not the release of musl it should be; remove it and try again"
	rm -rf "$work/musl.new"
	mkdir "$work/musl.new"
	tar -xzf "$archive" -C "$work/musl.new" --strip-components=1
	mv "$work/musl.new" "$work/musl-$musl_version"
}

# name → rust target, clang target, C flags, whether the program runs at a random address
describe() {
	pie=yes
	case $1 in
	mips | mips-unknown-linux-musl)
		target=mips-unknown-linux-musl c_target=mips-linux-musl c_flags="-march=mips32r2 -msoft-float" pie= ;;
	mipsel | mipsel-unknown-linux-musl)
		target=mipsel-unknown-linux-musl c_target=mipsel-linux-musl c_flags="-march=mips32r2 -msoft-float" pie= ;;
	armv7 | armv7-unknown-linux-musleabihf)
		target=armv7-unknown-linux-musleabihf c_target=armv7-linux-musleabihf
		c_flags="-march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard" ;;
	aarch64 | aarch64-unknown-linux-musl)
		target=aarch64-unknown-linux-musl c_target=aarch64-linux-musl c_flags="-mno-outline-atomics" ;;
	x86_64 | x86_64-unknown-linux-musl)
		target=x86_64-unknown-linux-musl c_target=x86_64-linux-musl c_flags="" ;;
	*) die "unknown target '$1'; write one of mips, mipsel, armv7, aarch64, x86_64" ;;
	esac
	pie=${CROSS_PIE-$pie}
	sysroot=$work/sysroot/$target
}

# musl, the unwinder stub and a linker script for one target; kept until this script or the stub changes.
build_sysroot() {
	local stamp
	stamp=$(cat "$here/build.sh" "$here/unwind-stub.c" | sha256sum | cut -c1-16)-$llvm-$work-pie=$pie
	[ "$(cat "$sysroot/stamp" 2>/dev/null)" = "$stamp" ] && return
	fetch_musl
	say "building musl $musl_version for $target"
	rm -rf "$sysroot" "$sysroot.build"
	mkdir -p "$sysroot/bin" "$sysroot.build"
	local cc="clang-$llvm --target=$c_target $c_flags -fno-pie" start=crt1.o kind="-static -no-pie"
	if [ -n "$pie" ]; then
		cc="clang-$llvm --target=$c_target $c_flags -fPIE" start=rcrt1.o kind="-static -pie --no-dynamic-linker -z text"
	fi
	(
		cd "$sysroot.build"
		"$work/musl-$musl_version/configure" --prefix="$sysroot" --target="$c_target" --disable-shared \
			CC="$cc" CFLAGS="-Os" AR="llvm-ar-$llvm" RANLIB="llvm-ranlib-$llvm" LIBCC=" "
		make -j"$(nproc)" install
	) >"$work/musl-$target.log" 2>&1 || die "musl did not build: see $work/musl-$target.log"
	$cc -Os -c "$here/unwind-stub.c" --sysroot="$sysroot" -isystem "$sysroot/include" -o "$sysroot.build/unwind.o"
	"llvm-ar-$llvm" rcs "$sysroot/lib/libunwind.a" "$sysroot.build/unwind.o"
	# Nothing of the host: the start files are named, every other library is in the sysroot.
	cat >"$sysroot/bin/link" <<-END
		#!/bin/sh
		set -eu
		order=\$(mktemp)
		trap 'rm -f "\$order"' EXIT
		CROSS_LLVM=$llvm $here/functions --order "\$@" $sysroot/lib/libc.a >"\$order"
		ld.lld-$llvm --sysroot=$sysroot -O2 --icf=all --symbol-ordering-file="\$order" --no-warn-symbol-ordering \\
			$sysroot/lib/$start $sysroot/lib/crti.o "\$@" $kind -L$sysroot/lib -lc $sysroot/lib/crtn.o
	END
	chmod +x "$sysroot/bin/link"
	rm -rf "$sysroot.build"
	echo "$stamp" >"$sysroot/stamp"
}

build() {
	local bin upper lower root model=static
	bin=$(rust_bin) || die "no Rust with its library source: run cross/build.sh --setup (or rustup component add rust-src)"
	upper=$(tr 'a-z-' 'A-Z_' <<<"$target")
	lower=${target//-/_}
	root=$(cd "$top" && "$bin/rustc" --print sysroot)
	[ -z "$pie" ] || model=pie
	# Where libraries' sources lay on this machine is no business of the program: what a panic says is shorter so.
	local names="" from
	for from in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/* "$root/lib/rustlib/src/rust/library"; do
		case $from in *[[:space:]]*) ;; *) names+=" --remap-path-prefix=$from/=" ;; esac
	done
	say "building for $target with $(cd "$top" && "$bin/rustc" --version)"
	# RUSTC_BOOTSTRAP: build-std is not stable, its compiler may be. RUST_LIBC_…: 64-bit time_t, in std's libc and ours.
	(
		cd "$top"
		export RUSTC_BOOTSTRAP=1 RUST_LIBC_UNSTABLE_MUSL_V1_2_3=1
		export "RUSTC=$bin/rustc"
		export "CARGO_TARGET_${upper}_LINKER=$sysroot/bin/link"
		export "CARGO_TARGET_${upper}_RUSTFLAGS=-Ctarget-feature=+crt-static -Crelocation-model=$model -Clink-self-contained=no -Clinker-flavor=ld -Cpanic=abort -Cforce-unwind-tables=no -Csymbol-mangling-version=v0$names"
		export "CC_$lower=clang-$llvm" "AR_$lower=llvm-ar-$llvm"
		export "CFLAGS_$lower=--target=$c_target --sysroot=$sysroot -isystem $sysroot/include $c_flags"
		# llvm-strip does it below; until then the program has the names that `functions` needs.
		export "CARGO_PROFILE_$(tr 'a-z-' 'A-Z_' <<<"$profile")_STRIP=none"
		unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET
		"$bin/cargo" build --profile "$profile" --locked --target "$target" --target-dir "$work/build" \
			-Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size --message-format=json-render-diagnostics \
			"${cargo_arguments[@]}"
	) >"$work/messages-$target" || die "the build for $target failed"
	mkdir -p "$work/out/$target"
	local program
	while read -r program; do
		# The linker leaves what no program reads at run time: .comment, and on MIPS .pdr, 300 kB.
		"llvm-strip-$llvm" -o "$work/out/$target/$(basename "$program")" "$program"
		report "$work/out/$target/$(basename "$program")"
	done < <(sed -nE 's/.*"executable":"([^"]+)".*/\1/p' "$work/messages-$target")
}

report() {
	local size packed kind
	size=$(stat -c %s "$1")
	packed=$(xz -9 --stdout "$1" | wc -c)
	kind=$("llvm-readelf-$llvm" -h "$1" | sed -nE 's/ *(Class|Data|Machine|Type): +//p' | tr '\n' ' ')
	! "llvm-readelf-$llvm" -l "$1" | grep -q INTERP || die "$1 is not static"
	case $kind in
	*DYN*) [ -n "$pie" ] || die "$1 is position independent" ;;
	*) [ -z "$pie" ] || die "$1 is not position independent" ;;
	esac
	case $1 in
	*/mips*) "llvm-readelf-$llvm" -A "$1" | grep -q 'FP ABI: Soft' || die "$1 is not soft-float" ;;
	esac
	printf '%s  %s bytes, %s bytes xz  (%s)\n' "${1#"$top/"}" "$size" "$packed" "$kind"
}

targets=() cargo_arguments=()
while [ $# -gt 0 ]; do
	case $1 in
	--setup) setup; [ $# -gt 1 ] || exit 0 ;;
	--router) cargo_arguments+=(--no-default-features --features router) ;;
	--) shift; cargo_arguments+=("$@"); break ;;
	-h | --help) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
	-*) die "unknown option '$1'; see --help" ;;
	*) targets+=("$1") ;;
	esac
	shift
done
[ ${#targets[@]} -gt 0 ] || die "name a target: mips, mipsel, armv7, aarch64 or x86_64"
for name in "${targets[@]}"; do describe "$name"; done
for name in "${targets[@]}"; do
	describe "$name"
	build_sysroot
	build
done
