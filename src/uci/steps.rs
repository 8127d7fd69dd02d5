//! How much work reading and editing took, for tests that hold it to be linear: bytes
//! read and pieces walked over. Nothing is counted outside the tests of this crate.

#[cfg(test)]
use std::cell::Cell;

#[cfg(test)]
thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// So many bytes were read or pieces passed.
#[cfg(test)]
pub(super) fn add(steps: usize) {
    STEPS.with(|all| all.set(all.get() + steps as u64));
}

/// So many bytes were read or pieces passed.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn add(_steps: usize) {}

/// What `work` took on this thread.
#[cfg(test)]
pub(super) fn of(work: impl FnOnce()) -> u64 {
    let before = STEPS.with(Cell::get);
    work();
    STEPS.with(Cell::get) - before
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::uci::{MAX_BYTES, Package};

    /// A shape of file, and one of so many lines or bytes.
    type Shape = (&'static str, fn(usize) -> String);

    const SHAPES: [Shape; 7] = [
        ("sections", |n| {
            let section =
                |i| format!("config rule 'r{i:05}'\n\toption name 'n'\n\tlist proto 'tcp'\n\n");
            (0..n / 40).map(section).collect()
        }),
        ("anonymous sections", |n| {
            "config rule\n\toption name 'n' # note\n".repeat(n / 38)
        }),
        ("one list", |n| {
            "config a 'a'\n".to_owned() + &"list b 'c'\n".repeat(n / 11)
        }),
        ("one option again and again", |n| {
            "config a 'a'\n".to_owned() + &"option b 'c'\n".repeat(n / 13)
        }),
        ("many options", |n| {
            let option = |i| format!("option o{i} 'c'\n");
            "config a 'a'\n".to_owned() + &(0..n / 15).map(option).collect::<String>()
        }),
        ("commands on one line", |n| {
            "config a 'a'\n".to_owned() + &"option b 'c' ;".repeat(n / 14) + "option b 'c'\n"
        }),
        ("one value", |n| {
            format!("config a 'a'\n\toption b '{}'\n", "x\n".repeat(n / 2))
        }),
    ];

    fn parse(text: &str) -> Package {
        Package::parse(text.as_bytes()).expect("libuci takes it")
    }

    /// Asserts that twice the size takes at most 2.2 times the steps.
    fn linear(what: &str, mut steps: impl FnMut(usize) -> u64) {
        let (half, whole) = (steps(40_000), steps(80_000));
        assert!(half > 0, "{what}: nothing was counted");
        assert!(
            whole * 10 <= half * 22 + 1000,
            "{what}: {half} steps, then {whole}"
        );
    }

    #[test]
    fn reading_is_linear_in_the_size_of_the_file() {
        for (name, shape) in SHAPES {
            linear(name, |n| {
                let text = shape(n);
                let steps = of(|| drop(parse(&text)));
                assert!(steps < 4 * text.len() as u64, "{name}: {steps} steps");
                steps
            });
        }
    }

    #[test]
    fn any_one_edit_is_linear_in_the_size_of_the_file() {
        type Edit = fn(&mut Package);
        let edits: [(&str, Edit); 8] = [
            ("set", |p| p.set(0, "b", "new").expect("good")),
            ("set another", |p| p.set(0, "z", "new").expect("good")),
            ("set_list", |p| {
                let items: Vec<String> = (0..50).map(|i| format!("i{i}")).collect();
                p.set_list(0, "b", &items).expect("good");
            }),
            ("add_list", |p| p.add_list(0, "b", "new").expect("good")),
            ("del_list", |p| p.del_list(0, "b", "c").expect("good")),
            ("rename", |p| p.rename_section(0, "new").expect("good")),
            ("delete", |p| p.delete_section(0).expect("good")),
            ("add", |p| {
                p.add_section("a", Some("new")).expect("good");
            }),
        ];
        for (name, shape) in SHAPES {
            for (edit_name, edit) in edits {
                linear(&format!("{edit_name} in {name}"), |n| {
                    let mut package = parse(&shape(n));
                    of(|| edit(&mut package)).max(1)
                });
            }
        }
    }

    #[test]
    fn an_edit_of_a_short_section_does_not_look_at_the_others() {
        let steps = |sections: usize| {
            let mut package = parse(&SHAPES[0].1(sections * 40));
            let middle = package.sections().len() / 2;
            of(|| {
                package.set(middle, "name", "new").expect("good");
                package.add_list(middle, "proto", "udp").expect("good");
                package.set(middle, "target", "DNAT").expect("good");
                package.delete_option(middle, "name").expect("it is there");
                package.delete_section(middle).expect("it is there");
                let new = package.add_section("rule", None).expect("good");
                package.set(new, "name", "new").expect("good");
            })
        };
        assert_eq!(steps(100), steps(10_000));
    }

    #[test]
    fn a_set_of_many_values_is_linear_in_their_number() {
        linear("a value in every section", |n| {
            let mut package = parse(&SHAPES[0].1(n));
            of(|| {
                for section in 0..package.sections().len() {
                    package.set(section, "name", "another name").expect("good");
                    package.add_list(section, "proto", "udp").expect("good");
                }
            })
        });
        linear("lines that have to be written again and again", |n| {
            let mut package = parse("config a 'a'\n\toption b 'c'\n");
            of(|| {
                for i in 0..n / 10 {
                    package.set(0, "b", &format!("value {i:9}")).expect("good");
                }
                assert!(package.to_bytes().len() < 100);
            })
        });
    }

    #[test]
    fn a_list_that_fills_the_file_is_changed_item_by_item() {
        let text = SHAPES[2].1(MAX_BYTES - 100);
        let mut package = parse(&text);
        let parsing = of(|| drop(parse(&text)));
        let editing = of(|| {
            package.add_list(0, "b", "new").expect("it fits");
            package.del_list(0, "b", "new").expect("it is there");
        });
        assert!(
            editing < 4 * parsing,
            "{editing} steps, {parsing} to read it"
        );
        assert!(package.to_bytes() == text.as_bytes());
    }
}
