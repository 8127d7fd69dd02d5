//! Stand-ins that behave like opkg and apk: what they take, write down and refuse.

use super::{Rig, scratch};
use std::process::Command;

const OPKG: &str = r#"
R=$CWMP_ROOT; DB=$R/usr/lib/opkg; S=$DB/status
has() { grep -qx "Package: $1" $S; }
version() { sed -n "/^Package: $1\$/,/^\$/s/^Version: //p" $S; }
drop() { awk -v p="Package: $1" 'BEGIN { RS = ""; ORS = "\n\n" } index($0 "\n", p "\n") != 1' $S >$S.new; mv $S.new $S; }
case $1 in
install)
	case $2 in *.ipk) ;; *) echo "Unknown package '$2'." >&2; exit 255 ;; esac
	T=$(mktemp -d) || exit 1
	trap 'rm -rf $T' EXIT
	tar xzf $2 -C $T && tar xzf $T/control.tar.gz -C $T || { echo "Malformed package file $2." >&2; exit 255; }
	N=$(sed -n 's/^Package: //p' $T/control); V=$(sed -n 's/^Version: //p' $T/control)
	for D in $(sed -n 's/^Depends: //p' $T/control | tr -d ,); do
		has $D || { echo "cannot find dependency $D for $N" >&2; exit 255; }
	done
	if has $N; then
		OLD=$(version $N)
		[ $OLD = $V ] && { echo "Package $N ($V) installed in root is up to date."; exit 0; }
		[ "$(printf '%s\n%s\n' $OLD $V | sort -V | tail -n 1)" = $V ] || { echo "Not downgrading package $N on root from $OLD to $V."; exit 0; }
		drop $N
	fi
	tar xzf $T/data.tar.gz -C $R
	tar tzf $T/data.tar.gz | sed -n 's,^\./,/,; /[^/]$/p' >$DB/info/$N.list
	cp $T/control $DB/info/$N.control
	printf 'Package: %s\nVersion: %s\nStatus: install user installed\nArchitecture: all\n\n' $N $V >>$S
	[ -x $R/etc/init.d/$N ] && $R/etc/init.d/$N start
	exit 0 ;;
remove)
	has $2 || { echo "No packages removed."; exit 0; }
	[ -x $R/etc/init.d/$2 ] && $R/etc/init.d/$2 stop
	while read F; do rm -f $R$F; done <$DB/info/$2.list
	rm -f $DB/info/$2.list $DB/info/$2.control
	drop $2 ;;
*) exit 1 ;;
esac
"#;

const APK: &str = r#"
R=$CWMP_ROOT; DB=$R/lib/apk/db/installed
has() { grep -qx "P:$1" $DB; }
version() { sed -n "/^P:$1\$/,/^\$/s/^V://p" $DB; }
drop() { awk -v p="P:$1" 'BEGIN { RS = ""; ORS = "\n\n" } index("\n" $0 "\n", "\n" p "\n") == 0' $DB >$DB.new; mv $DB.new $DB; }
C=$1; shift
SIMULATE=
while :; do case $1 in --simulate) SIMULATE=1; shift ;; --*) shift ;; *) break ;; esac; done
whole() { [ "$(tail -n 1 $1)" = END ]; }
case $C in
verify) whole $1 ;;
add)
	case $1 in *.apk) ;; *) echo "ERROR: unable to select packages" >&2; exit 1 ;; esac
	whole $1 || { echo "ERROR: $1: v2 package format error" >&2; exit 99; }
	N=$(sed -n 's/^P://p' $1); V=$(sed -n 's/^V://p' $1)
	for D in $(sed -n 's/^D://p' $1); do
		has $D || { echo "ERROR: unable to select packages: $D (no such package)" >&2; exit 1; }
	done
	if has $N; then
		OLD=$(version $N)
		if [ $OLD = $V ]; then echo "OK: 9 MiB in 3 packages"; exit 0; fi
		if [ "$(printf '%s\n%s\n' $OLD $V | sort -V | tail -n 1)" = $V ]; then W=Upgrading; else W=Downgrading; fi
		echo "(1/1) $W $N ($OLD -> $V)"
	else
		echo "(1/1) Installing $N ($V)"
	fi
	echo "OK: 9 MiB in 3 packages"
	[ $SIMULATE ] && exit 0
	drop $N
	printf 'C:Q1x=\nP:%s\nV:%s\nA:noarch\nT:A test\nF:usr/bin\nR:%s\n\n' $N $V $N >>$DB
	grep -qx $N $R/etc/apk/world || echo $N >>$R/etc/apk/world
	exit 0 ;;
del)
	has $1 || { echo "ERROR: No such package: $1" >&2; exit 1; }
	drop $1
	grep -vx $1 $R/etc/apk/world >$R/etc/apk/world.new; mv $R/etc/apk/world.new $R/etc/apk/world ;;
*) exit 1 ;;
esac
"#;

fn prepare(name: &str, script: &str, table: &str, files: &[(&str, &str)]) -> Rig {
    // The programs' paths are known once the router is there: they are written by name into
    // what every process finds.
    let mut config = super::config();
    for method in ["DUStateChangeComplete", "AutonomousDUStateChangeComplete"] {
        config.methods.push(method.to_owned());
    }
    let files_server = super::FileServer::start();
    let mut rig = Rig::stopped(config, "", files_server);
    rig.cpe.script(name, script);
    rig.cpe
        .script("rc", "exec \"$CWMP_ROOT/etc/init.d/$1\" \"$2\"");
    for (path, text) in files {
        rig.cpe.router.write(path, text).expect("a file");
    }
    let bin = |name: &str| {
        rig.cpe
            .router
            .path(&format!("/bin/{name}"))
            .display()
            .to_string()
    };
    let rc = bin("rc");
    let units: String = [("start", "start"), ("stop", "stop"), ("status", "running")]
        .map(|(key, word)| format!("{key} = [{rc:?}, \"{{unit}}\", \"{word}\"]\n"))
        .concat();
    let table = table.replace("PROGRAM", &bin(name));
    rig.cpe.agent_toml(&format!(
        "[[software_modules]]\nname = \"packages\"\n{table}{units}[[software_modules]]\nname = \"box\"\n"
    ));
    rig.cpe.start();
    assert_eq!(rig.next().events(), ["0 BOOTSTRAP", "1 BOOT"]);
    rig
}

/// A router with opkg, and plain archives beside it.
pub fn opkg_rig() -> Rig {
    let table = "kind = \"opkg\"\ninstall = [\"PROGRAM\", \"install\", \"{file}\"]\n\
        remove = [\"PROGRAM\", \"remove\", \"{name}\"]\n";
    let base = "Package: libc\nVersion: 1.2.4-4\nStatus: install user installed\n\n";
    let info = ("/usr/lib/opkg/info/libc.list", "/lib/libc.so\n");
    prepare("opkg", OPKG, table, &[("/usr/lib/opkg/status", base), info])
}

/// A router with apk, and plain archives beside it.
pub fn apk_rig() -> Rig {
    let table = "kind = \"apk\"\ninspect = [\"PROGRAM\", \"verify\", \"{file}\"]\n\
        simulate = [\"PROGRAM\", \"add\", \"--simulate\", \"{file}\"]\n\
        install = [\"PROGRAM\", \"add\", \"{file}\"]\nremove = [\"PROGRAM\", \"del\", \"{name}\"]\n";
    let base = "P:libc\nV:1.2.4-r4\n\n";
    let world = ("/etc/apk/world", "libc\n");
    prepare("apk", APK, table, &[("/lib/apk/db/installed", base), world])
}

/// A package of opkg's, made by tar as OpenWrt's build makes it.
pub fn ipk(name: &str, version: &str, depends: &str) -> Vec<u8> {
    let folder = scratch();
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write(
        "c/control",
        &format!(
            "Package: {name}\nVersion: {version}\nDepends: {depends}\nMaintainer: A B <a@example.org>\n\
         Installed-Size: 2048\nDescription:  Says hello\n and more\n"
        ),
    );
    write("d/usr/bin/x", version);
    write(
        &format!("d/etc/init.d/{name}"),
        &format!(
            "#!/bin/sh\nm=$CWMP_ROOT/tmp/run-{name}\ncase $1 in start) echo {version} >$m ;; stop) rm -f $m ;; running) [ -e $m ] ;; *) exit 1 ;; esac\n"
        ),
    );
    write("debian-binary", "2.0\n");
    let script = format!(
        "chmod 755 d/etc/init.d/{name} && tar czf control.tar.gz -C c ./control && tar czf data.tar.gz -C d ./usr ./etc && \
         tar czf out.ipk ./debian-binary ./data.tar.gz ./control.tar.gz"
    );
    let made = Command::new("sh")
        .arg("-c")
        .arg(script)
        .current_dir(&folder)
        .status();
    assert!(made.expect("sh").success());
    let bytes = std::fs::read(folder.join("out.ipk")).expect("a package");
    std::fs::remove_dir_all(&folder).expect("gone");
    bytes
}

/// A package of the stand-in apk's.
pub fn apk(name: &str, version: &str, depends: &str) -> Vec<u8> {
    let depends = match depends {
        "" => String::new(),
        depends => format!("D:{depends}\n"),
    };
    format!("ADB.\nP:{name}\nV:{version}\n{depends}END\n").into_bytes()
}

/// A router with the vendor's program of docs/software-modules.md.
pub fn vendor_rig() -> Rig {
    let page = include_str!("../../docs/software-modules.md");
    let block = |after: &str| {
        let (_, rest) = page.split_once(after).expect("the example");
        rest.split_once("```").expect("its end").0.to_owned()
    };
    let script = block("```sh\n# /usr/libexec/example-apps\n");
    let table = block("```toml\n# agent.toml: a vendor's environment\n");
    let mut config = super::config();
    for method in ["DUStateChangeComplete", "AutonomousDUStateChangeComplete"] {
        config.methods.push(method.to_owned());
    }
    let mut rig = Rig::stopped(config, "", super::FileServer::start());
    rig.cpe.script("example-apps", &script);
    let program = rig
        .cpe
        .router
        .path("/bin/example-apps")
        .display()
        .to_string();
    rig.cpe
        .agent_toml(&table.replace("/usr/libexec/example-apps", &program));
    rig.cpe.start();
    assert_eq!(rig.next().events(), ["0 BOOTSTRAP", "1 BOOT"]);
    rig
}
