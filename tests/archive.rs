//! Archives: what is read from any packer, what is refused, what is left behind (nothing),
//! and that what is written reads back.

use cwmp_agent::cwmp::message::TransferFault;
use cwmp_agent::transfer::archive::{
    ArchiveError, Entry, Kind, Limits, Reader, Writer, remove, spare, survey, swap, sweep, unpack,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use scratch::Scratch;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

mod scratch;

const GO_ON: &dyn Fn() -> bool = &|| false;

/// One entry as a tar has it, with a right checksum.
struct Raw {
    block: [u8; 512],
    content: Vec<u8>,
}

fn raw(kind: u8, name: &str, content: &[u8]) -> Raw {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..107].copy_from_slice(b"0000644");
    let size = format!("{:011o}", content.len());
    block[124..135].copy_from_slice(size.as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    Raw {
        block,
        content: content.to_vec(),
    }
}

impl Raw {
    fn put(mut self, at: usize, bytes: &[u8]) -> Raw {
        self.block[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }
    fn link(self, to: &str) -> Raw {
        self.put(157, to.as_bytes())
    }
    fn size(self, size: &[u8]) -> Raw {
        self.put(124, size)
    }
}

fn tar(entries: Vec<Raw>) -> Vec<u8> {
    let mut tar = Vec::new();
    for Raw { mut block, content } in entries {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend(block);
        tar.extend(&content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

fn entries(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, ArchiveError> {
    let mut reader = Reader::new(bytes, Limits::default())?;
    let mut all = Vec::new();
    while let Some(entry) = reader.next()? {
        let content = reader.content(1 << 20)?;
        all.push((entry, content));
    }
    Ok(all)
}

/// Unpacks bytes as a file; tells the fault and that nothing is left.
fn refused(bytes: &[u8]) -> TransferFault {
    let scratch = Scratch::new();
    let file = scratch.path("a.tar");
    fs::write(&file, bytes).unwrap();
    let into = scratch.path("web/new");
    fs::create_dir(scratch.path("web")).unwrap();
    let unpacked = unpack(&file, &into, &Limits::default(), 0, GO_ON);
    let left: Vec<_> = fs::read_dir(scratch.path("web")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), 2);
    unpacked.expect_err("it is refused").into()
}

#[test]
fn every_entry_of_a_plain_and_of_a_gzipped_tar_is_read() {
    let plain = tar(vec![
        raw(b'5', "./", b""),
        raw(b'5', "./etc/", b""),
        raw(b'0', "./etc/a", b"one"),
        raw(0, "etc/b", &[7; 1000]),
        raw(b'2', "etc/c", b"").link("a"),
    ]);
    for bytes in [plain.clone(), gzip(&plain)] {
        let all = entries(&bytes).unwrap();
        let names: Vec<&str> = all.iter().map(|(e, _)| e.name.as_str()).collect();
        assert_eq!(names, ["etc", "etc/a", "etc/b", "etc/c"]);
        assert_eq!(all[0].0.kind, Kind::Folder);
        assert_eq!(all[1].1, b"one");
        assert_eq!(all[2].1, [7; 1000]);
        assert_eq!(all[3].0.kind, Kind::Link("a".to_owned()));
    }
}

#[test]
fn content_that_nobody_reads_is_passed_over() {
    let bytes = tar(vec![raw(b'0', "a", &[1; 700]), raw(b'0', "b", b"two")]);
    let mut reader = Reader::new(&bytes[..], Limits::default()).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().name, "a");
    assert_eq!(reader.read(&mut [0; 3]).unwrap(), 3);
    assert_eq!(reader.next().unwrap().unwrap().name, "b");
    assert!(matches!(reader.content(2), Err(ArchiveError::TooLarge(_))));
    assert!(reader.next().unwrap().is_none());
    assert!(reader.next().unwrap().is_none());
}

#[test]
fn long_names_of_gnu_and_of_pax_and_several_gzip_members_are_read() {
    let long = format!("{}/{}", "d".repeat(150), "f".repeat(150));
    let record = format!("{} path={long}\n", long.len() + 10);
    let gnu = tar(vec![
        raw(b'L', "././@LongLink", format!("{long}\0").as_bytes()),
        raw(b'0', "cut", b"x"),
    ]);
    let pax = tar(vec![
        raw(b'g', "pax_global_header", b"13 comment=a\n"),
        raw(b'x', "PaxHeaders/0", record.as_bytes()),
        raw(b'0', "cut", b"x"),
    ]);
    let prefixed = tar(vec![raw(b'0', "f", b"x").put(345, b"p/q")]);
    assert_eq!(entries(&gnu).unwrap()[0].0.name, long);
    assert_eq!(entries(&pax).unwrap()[0].0.name, long);
    assert_eq!(entries(&prefixed).unwrap()[0].0.name, "p/q/f");
    // As apk packs: segments without an end, each a gzip of its own.
    let first = tar(vec![raw(b'0', ".SIGN", b"s")]);
    let mut joined = gzip(&first[..first.len() - 1024]);
    joined.extend(gzip(&tar(vec![raw(b'0', "data", b"d")])));
    let names: Vec<String> = entries(&joined)
        .unwrap()
        .into_iter()
        .map(|(e, _)| e.name)
        .collect();
    assert_eq!(names, [".SIGN", "data"]);
}

#[test]
fn what_tar_programs_pack_is_read() {
    if !Path::new("/bin/tar").exists() {
        println!("skipped: no /bin/tar here");
        return;
    }
    let scratch = Scratch::new();
    let long = "l".repeat(180);
    scratch.file("in/etc/config/network", "config interface 'lan'\n");
    scratch.file(&format!("in/deep/{long}/{long}/file"), "deep");
    std::os::unix::fs::symlink("config/network", scratch.path("in/etc/link")).unwrap();
    for format in ["gnu", "pax", "oldgnu"] {
        for compress in ["", "z"] {
            let file = scratch.path("packed");
            let made = Command::new("/bin/tar")
                .arg(format!("-c{compress}f"))
                .arg(&file)
                .arg(format!("--format={format}"))
                .arg("-C")
                .arg(scratch.path("in"))
                .arg(".")
                .status()
                .unwrap();
            assert!(made.success());
            let into = scratch.path("out");
            let unpacked = unpack(&file, &into, &Limits::default(), 0, GO_ON).unwrap();
            assert_eq!((unpacked.entries, unpacked.bytes), (8, 27), "{format}");
            let deep = scratch.read(&format!("out/deep/{long}/{long}/file"));
            assert_eq!(deep, "deep", "{format}");
            assert_eq!(scratch.read("out/etc/link"), "config interface 'lan'\n");
            fs::remove_dir_all(&into).unwrap();
        }
    }
}

#[test]
fn names_that_lead_out_are_refused() {
    for name in [
        "../evil",
        "a/../../evil",
        "a/..",
        "..",
        "/etc/passwd",
        "//etc",
        "a\x01b",
        "a\nb",
    ] {
        let fault = refused(&tar(vec![raw(b'0', "fine", b""), raw(b'0', name, b"x")]));
        assert_eq!(fault.code, 9018, "{name}: {}", fault.text);
    }
    let not_utf8 = raw(b'0', "", b"x").put(0, &[0xff, 0xfe]);
    assert_eq!(refused(&tar(vec![not_utf8])).code, 9018);
    let long = format!("{} path={}\n", 2011, "x/".repeat(1000));
    let long = tar(vec![raw(b'x', "h", long.as_bytes()), raw(b'0', "a", b"")]);
    assert_eq!(refused(&long).code, 9018);
    let deep = "a/".repeat(40);
    let fault = refused(&tar(vec![raw(b'0', &format!("{deep}f"), b"")]));
    assert!(fault.text.contains("deep"), "{}", fault.text);
    // A folder may not have such a name either, nor may one that only a pax record gives.
    assert_eq!(refused(&tar(vec![raw(b'5', "../", b"")])).code, 9018);
    let pax = tar(vec![
        raw(b'x', "h", b"15 path=../ab\n\n"),
        raw(b'0', "a", b""),
    ]);
    assert_eq!(refused(&pax).code, 9018);
    let pax = tar(vec![
        raw(b'x', "h", b"14 path=../ab\n"),
        raw(b'0', "a", b""),
    ]);
    assert!(refused(&pax).text.contains("leads out"));
}

#[test]
fn links_that_lead_out_and_hard_links_are_refused() {
    for (kind, to) in [
        (b'2', "/etc/passwd"),
        (b'2', "../.."),
        (b'2', "../../etc"),
        (b'2', "x/../../.."),
        (b'2', ""),
        (b'1', "fine"),
        (b'1', "/etc/passwd"),
    ] {
        let link = raw(kind, "d/link", b"").link(to);
        let fault = refused(&tar(vec![raw(b'0', "fine", b"x"), link]));
        assert_eq!(fault.code, 9018, "{to}: {}", fault.text);
    }
    // Nothing is written through a link, whatever order they come in.
    let through = tar(vec![
        raw(b'2', "d", b"").link("e"),
        raw(b'0', "d/file", b"x"),
        raw(b'5', "e", b""),
    ]);
    assert_eq!(refused(&through).code, 9018);
    let chained = tar(vec![
        raw(b'2', "d", b"").link("e"),
        raw(b'2', "d/in", b"").link("."),
    ]);
    assert_eq!(refused(&chained).code, 9018);
}

#[test]
fn links_inside_are_made() {
    let scratch = Scratch::new();
    let file = scratch.path("a.tar");
    let links = tar(vec![
        raw(b'2', "d/up", b"").link("../file"),
        raw(b'2', "here", b"").link("d"),
        raw(b'0', "file", b"x"),
    ]);
    fs::write(&file, links).unwrap();
    let unpacked = unpack(&file, &scratch.path("out"), &Limits::default(), 0, GO_ON).unwrap();
    assert_eq!((unpacked.entries, unpacked.bytes), (3, 1));
    assert_eq!(scratch.read("out/here/up"), "x");
}

#[test]
fn devices_fifos_and_unknown_kinds_are_refused() {
    for kind in [b'3', b'4', b'6', b'S', b'D', b'M', b'Z'] {
        let fault = refused(&tar(vec![raw(b'0', "ok", b""), raw(kind, "thing", b"")]));
        assert_eq!(fault.code, 9018, "{kind}: {}", fault.text);
    }
    let with_content = tar(vec![raw(b'5', "folder", b"content")]);
    assert_eq!(refused(&with_content).code, 9018);
    let sparse = tar(vec![
        raw(b'x', "h", b"22 GNU.sparse.major=1\n"),
        raw(b'0', "a", b""),
    ]);
    assert!(refused(&sparse).text.contains("sparse"));
}

#[test]
fn names_that_stand_in_each_others_way_are_refused() {
    for pair in [
        vec![raw(b'0', "a", b"1"), raw(b'0', "a", b"2")],
        vec![raw(b'0', "a", b"1"), raw(b'0', "a/b", b"2")],
        vec![raw(b'0', "a", b"1"), raw(b'5', "a", b"")],
        vec![raw(b'0', "a/b", b"1"), raw(b'0', "a", b"")],
        vec![raw(b'0', "a", b"1"), raw(b'2', "a", b"").link("b")],
    ] {
        let fault = refused(&tar(pair));
        assert_eq!(fault.code, 9018);
        assert!(fault.text.contains("taken"), "{}", fault.text);
    }
}

#[test]
fn modes_lose_set_id_bits_and_what_others_may_write() {
    let scratch = Scratch::new();
    let file = scratch.path("a.tar");
    let bytes = tar(vec![
        raw(b'5', "d", b"").put(100, b"0001777"),
        raw(b'0', "d/su", b"x").put(100, b"0006777"),
        raw(b'0', "none", b"x").put(100, b"0000000"),
    ]);
    fs::write(&file, bytes).unwrap();
    unpack(&file, &scratch.path("out"), &Limits::default(), 0, GO_ON).unwrap();
    let mode = |at: &str| fs::metadata(scratch.path(at)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("out/d"), 0o755);
    assert_eq!(mode("out/d/su"), 0o755);
    assert_eq!(mode("out/none"), 0o600);
}

#[test]
fn sizes_that_lie_and_archives_that_are_cut_or_corrupt_are_refused() {
    let huge = raw(b'0', "a", b"x").size(b"77777777777\0");
    assert_eq!(refused(&tar(vec![huge])).code, 9010);
    let binary = raw(b'0', "a", b"x").size(&[
        0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    ]);
    assert_eq!(refused(&tar(vec![binary])).code, 9018);
    let max = raw(b'0', "a", b"x").size(&[
        0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    ]);
    assert_eq!(refused(&tar(vec![max])).code, 9010);
    let pax = tar(vec![
        raw(b'x', "h", b"28 size=18446744073709551615\n"),
        raw(b'0', "a", b""),
    ]);
    assert_eq!(refused(&pax).code, 9018, "the record's length is wrong");
    let pax = tar(vec![
        raw(b'x', "h", b"29 size=18446744073709551615\n"),
        raw(b'0', "a", b""),
    ]);
    assert_eq!(refused(&pax).code, 9010);
    for all in [
        raw(b'g', "h", b"10 path=a\n"),
        raw(b'g', "h", b"9 size=1\n"),
        raw(b'g', "h", b"13 linkpath=a\n"),
        raw(b'L', "h", &[b'a'; 2000]),
    ] {
        assert_ne!(refused(&tar(vec![all, raw(b'0', "a", b"")])).code, 0);
    }
    let many: Vec<Raw> = (0..20).map(|_| raw(b'x', "h", b"6 a=b\n")).collect();
    assert_eq!(refused(&tar(many)).code, 9018);

    let whole = tar(vec![raw(b'0', "a", &[1; 3000]), raw(b'0', "b", b"2")]);
    for cut in [0, 1, 511, 512, 513, 3000, 3584, 3585, 4096, 4097, 4608] {
        assert_eq!(refused(&whole[..cut]).code, 9018, "cut at {cut}");
    }
    let mut bad = whole.clone();
    bad[3600] ^= 1;
    assert_eq!(refused(&bad).code, 9018);
    let mut trailing = whole.clone();
    trailing.extend([1; 512]);
    assert_eq!(refused(&trailing).code, 9018);
    let gz = gzip(&whole);
    for cut in [1, 2, 9, 20, gz.len() / 2, gz.len() - 8, gz.len() - 1] {
        assert_eq!(refused(&gz[..cut]).code, 9018, "cut at {cut}");
    }
    // The last bytes are checksum and length.
    let mut bad = gz.clone();
    *bad.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&bad).code, 9018);
    let mut bad = gz.clone();
    let checksum = bad.len() - 8;
    bad[checksum] ^= 1;
    assert_eq!(refused(&bad).code, 9018);
    let mut trailing = gz;
    trailing.extend(b"junk");
    assert_eq!(refused(&trailing).code, 9018);
    assert_eq!(refused(b"<html>404</html>").code, 9018);
    assert_eq!(refused(&[0; 1024]).code, 9018);
}

#[test]
fn bombs_are_refused_by_ratio_by_size_and_by_number() {
    // 1000 : 1, small enough for the limit of size.
    let bomb = gzip(&tar(vec![raw(b'0', "zeros", &vec![0; 8 << 20])]));
    assert!(bomb.len() < 20_000);
    let fault = refused(&bomb);
    assert_eq!(fault.code, 9010);
    assert!(fault.text.contains("times"), "{}", fault.text);

    let scratch = Scratch::new();
    let file = scratch.path("a.tar");
    fs::write(
        &file,
        tar(vec![raw(b'0', "a", &[1; 5000]), raw(b'0', "b", &[2; 5000])]),
    )
    .unwrap();
    let limits = |total, entries| Limits {
        total,
        entries,
        ..Limits::default()
    };
    assert!(survey(&file, &limits(20_000, 2)).is_ok());
    for too_small in [limits(9000, 2), limits(20_000, 1)] {
        let fault: TransferFault = survey(&file, &too_small).unwrap_err().into();
        assert_eq!(fault.code, 9010, "{}", fault.text);
    }
    // Endless zeros after the end are not read for ever.
    let endless = tar(vec![raw(b'0', "a", b"")]).into_iter();
    struct Endless<I>(I);
    impl<I: Iterator<Item = u8>> std::io::Read for Endless<I> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            into.iter_mut()
                .for_each(|b| *b = self.0.next().unwrap_or(0));
            Ok(into.len())
        }
    }
    let mut reader = Reader::new(Endless(endless), limits(1 << 20, 9)).unwrap();
    reader.next().unwrap();
    assert!(matches!(reader.next(), Err(ArchiveError::TooLarge(_))));
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let scratch = Scratch::new();
    let file = scratch.path("a.tar");
    fs::write(&file, tar(vec![raw(b'0', "a", b"x")])).unwrap();
    let into = scratch.path("out");
    let full = unpack(&file, &into, &Limits::default(), u64::MAX, GO_ON).unwrap_err();
    assert!(
        matches!(full, ArchiveError::NoSpace { free: 0, .. }),
        "{full}"
    );
    assert_eq!(TransferFault::from(full).code, 9010);
    assert!(!into.exists());
}

#[test]
fn unpacking_ends_when_it_is_told_to_and_leaves_nothing() {
    let scratch = Scratch::new();
    let file = scratch.path("a.tar");
    fs::write(
        &file,
        tar(vec![raw(b'0', "a", &[1; 900_000]), raw(b'0', "b", b"")]),
    )
    .unwrap();
    let into = scratch.path("out");
    let asked = Cell::new(0);
    let stopped = || {
        assert!(into.exists());
        asked.set(asked.get() + 1);
        asked.get() == 3
    };
    let ended = unpack(&file, &into, &Limits::default(), 0, &stopped).unwrap_err();
    assert!(matches!(ended, ArchiveError::Stopped), "{ended}");
    assert!(!into.exists());
    // What is there already stays.
    fs::create_dir(&into).unwrap();
    fs::write(into.join("mine"), "").unwrap();
    assert!(unpack(&file, &into, &Limits::default(), 0, GO_ON).is_err());
    assert!(into.join("mine").exists());
}

#[test]
fn a_version_takes_the_place_of_the_one_before_and_of_nothing_else() {
    let scratch = Scratch::new();
    let target = scratch.path("portal");
    for version in ["one", "two", "three"] {
        let new = spare(&target).unwrap();
        assert!(!new.exists());
        fs::create_dir(&new).unwrap();
        fs::write(new.join("v"), version).unwrap();
        swap(&new, &target).unwrap();
        assert_eq!(scratch.read("portal/v"), version);
        // The link and one version.
        assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), 2);
    }
    // A power cut left half a version: it is gone before the next.
    let half = spare(&target).unwrap();
    fs::create_dir_all(half.join("half")).unwrap();
    assert_eq!(spare(&target).unwrap(), half);
    assert!(!half.exists() && scratch.read("portal/v") == "three");
    // Or before the next start: of what is not a transfer's nothing is touched.
    fs::create_dir_all(half.join("half")).unwrap();
    for path in [
        ".site.cwmp-a/v",
        ".other.cwmp-b",
        ".a.cwmp-c/v",
        "own/x",
        ".own.cwmp-a/x",
    ] {
        scratch.file(path, "");
    }
    let link = scratch.path(".portal.cwmp-link");
    std::os::unix::fs::symlink(".portal.cwmp-b", &link).unwrap();
    sweep(scratch.dir());
    assert!(!half.exists() && !scratch.path(".site.cwmp-a").exists());
    assert!(link.symlink_metadata().is_err());
    assert_eq!(scratch.read("portal/v"), "three");
    for path in [".other.cwmp-b", ".a.cwmp-c/v", "own/x", ".own.cwmp-a/x"] {
        assert!(scratch.path(path).exists(), "{path}");
    }
    for path in [".other.cwmp-b", ".a.cwmp-c", "own", ".own.cwmp-a"] {
        let path = scratch.path(path);
        fs::remove_dir_all(&path)
            .or_else(|_| fs::remove_file(&path))
            .unwrap();
    }
    sweep(&scratch.path("nowhere"));
    remove(&target).unwrap();
    assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), 0);

    scratch.file("portal/of-a-package", "");
    for error in [
        spare(&target).map(drop),
        swap(&half, &target),
        remove(&target),
    ] {
        assert!(error.unwrap_err().to_string().contains("not replaced"));
    }
    assert!(target.join("of-a-package").exists());
    let elsewhere = scratch.path("link");
    std::os::unix::fs::symlink("portal", &elsewhere).unwrap();
    assert!(spare(&elsewhere).is_err() && remove(&elsewhere).is_err());
}

#[test]
fn the_same_contents_make_the_same_archive() {
    let scratch = Scratch::new();
    let make = |name: &str| {
        let path = scratch.path(name);
        let mut writer = Writer::create(&path).unwrap();
        writer.folder("etc/config", 0o755).unwrap();
        writer.file("etc/config/a", 0o600, b"x").unwrap();
        writer.finish().unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::read(path).unwrap()
    };
    assert_eq!(make("1"), make("2"));
    assert!(Writer::create(&scratch.path("1")).is_err(), "it is there");
    let mut writer = Writer::create(&scratch.path("3")).unwrap();
    for name in ["", "/a", "a/", "../a", "a//b", "a\nb"] {
        assert!(writer.file(name, 0o600, b"").is_err(), "{name:?}");
    }
}

fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof!["[a-zA-Z0-9._-]{1,20}", "[ -.0-~äß€]{1,40}", "[a-z]{90,200}",];
    let part = part.prop_filter("no folder's own name", |p| p != "." && p != "..");
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_reads_back(
        files in prop::collection::btree_map(name(), (0u32..=0o777, prop::collection::vec(any::<u8>(), 0..3000)), 1..12)
    ) {
        let scratch = Scratch::new();
        let path = scratch.path("a.tar.gz");
        let mut writer = Writer::create(&path).unwrap();
        for (name, (mode, content)) in &files {
            writer.file(name, *mode, content).unwrap();
            writer.link(&format!("{name}-link"), name).unwrap();
        }
        writer.finish().unwrap();
        let mut reader = Reader::open(&path, Limits::default()).unwrap();
        let mut read = BTreeMap::new();
        while let Some(entry) = reader.next().unwrap() {
            match &entry.kind {
                Kind::Link(to) => prop_assert_eq!(format!("{to}-link"), entry.name),
                _ => {
                    let content = reader.content(4000).unwrap();
                    prop_assert_eq!(content.len() as u64, entry.size);
                    read.insert(entry.name, (entry.mode, content));
                }
            }
        }
        prop_assert_eq!(read, files);
    }
}
