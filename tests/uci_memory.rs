//! What an edit of a large UCI file needs beside the file itself. One test in a program of
//! its own: the peak it looks at is the whole program's.

use cwmp_agent::uci::{MAX_BYTES, Package, Value};

/// The most memory this program has had at once, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<usize>().ok())
        .expect("a number")
        * 1024
}

#[test]
fn one_more_item_of_a_list_that_fills_the_file_needs_little_beyond_the_file() {
    // The most items a file can hold.
    let items = MAX_BYTES / 6 - 100;
    let text = b"c a x\n".to_vec();
    let text = [text, b"l b c\n".repeat(items)].concat();
    let mut package = Package::parse(&text).expect("libuci takes it");
    let before = peak();
    package.add_list(0, "b", "new").expect("it fits");
    package.del_list(0, "b", "new").expect("it is there");
    package.set(0, "d", "new").expect("it fits");
    let more = peak() - before;
    // Some bytes for each line, and the vector of items when it grows; not copies of them.
    assert!(more < 12 * MAX_BYTES, "{} KiB more", more / 1024);
    let Some(Value::List(kept)) = package.sections()[0].get("b") else {
        panic!("a list");
    };
    assert_eq!(kept.len(), items);
}
