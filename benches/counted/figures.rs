//! The committed figures, the budgets, and what is said of what was counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Instructions,
    /// Memory of its own.
    Kilobytes,
    /// Memory with the pages of the program.
    Resident,
}

/// One figure as it was counted now.
pub struct Counted {
    pub name: &'static str,
    pub n: u64,
    pub unit: Unit,
    /// The compiler, as `rustc --version` tells it.
    pub rustc: String,
}

/// Per cent that a figure may be worse than the committed one.
const WORSE: u64 = 3;
/// Memory comes in pages: this much more than the three per cent is no regression, kB.
const PAGES: u64 = 16;
/// The same where the program's own pages count: two pieces of them, which come 64 kB at a
/// time. A function that does not run in each life is enough for one.
const PIECES: u64 = PAGES + 128;

/// A figure, the most it may be, and what it is.
const BUDGETS: &[(&str, Option<u64>, &str)] = &[
    (
        "session",
        Some(4_000_000),
        "warm session: methods, all names, all values, three set",
    ),
    (
        "scan",
        None,
        "reading what is watched by default, unchanged",
    ),
    ("periodic", None, "warm session that changes nothing"),
    ("start", Some(60_000_000), "start, first session, end"),
    (
        "table_1000",
        None,
        "warm read of 1,008 parameters of one table",
    ),
    (
        "table_10000",
        Some(100_000_000),
        "warm read of 10,080 parameters of one table",
    ),
    (
        "idle",
        Some(600),
        "anonymous memory, idle after the first session",
    ),
    (
        "idle_rss",
        Some(2048),
        "resident memory then, the program's own pages included",
    ),
    (
        "idle_after_read",
        Some(600),
        "the same after two reads of the whole tree",
    ),
    (
        "peak",
        Some(4096),
        "most memory at any time, with those reads",
    ),
    (
        "peak_https",
        Some(3584),
        "most memory at any time, with a session over HTTPS",
    ),
];

/// Budgets that are not met yet: said, but no failure. They may not get worse either.
const OPEN: &[&str] = &["idle_after_read", "idle_rss"];

/// How many times the cost of 1,000 parameters 10,000 may be.
const TIMES: u64 = 11;

/// Name, then what was committed and with which compiler.
type Committed = BTreeMap<String, (u64, String)>;

fn file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/figures.toml"))
}

fn committed() -> Result<Committed, String> {
    let path = file();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Committed::new()),
        Err(e) => return Err(format!("{}: {e}", path.display())),
    };
    let table: toml::Table =
        toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut all = Committed::new();
    for (name, entry) in &table {
        let n = entry.get("counted").and_then(toml::Value::as_integer);
        let rustc = entry.get("rustc").and_then(toml::Value::as_str);
        match (n.and_then(|n| u64::try_from(n).ok()), rustc) {
            (Some(n), Some(rustc)) => all.insert(name.clone(), (n, rustc.to_owned())),
            _ => {
                return Err(format!(
                    "{}: {name} has no counted and rustc",
                    path.display()
                ));
            }
        };
    }
    Ok(all)
}

/// Prints all figures; what is too much is the error. With `update` the counted figures
/// are committed instead of compared, and only the budgets hold.
pub fn judge(counted: &[Counted], update: bool) -> Result<(), String> {
    let mut committed = committed()?;
    let mut wrong = Vec::new();
    println!(
        "{:16} {:>12} {:>12} {:>7} {:>12}  what",
        "figure", "counted", "committed", "", "budget"
    );
    for (name, budget, what) in BUDGETS {
        let Some(now) = counted.iter().find(|c| c.name == *name) else {
            continue;
        };
        let before = committed.get(*name).cloned();
        let change = before
            .as_ref()
            .map(|(n, _)| change(now.n, *n))
            .unwrap_or_default();
        println!(
            "{name:16} {:>12} {:>12} {change:>7} {:>12}  {what}{}",
            grouped(now.n),
            before
                .as_ref()
                .map(|(n, _)| grouped(*n))
                .unwrap_or_default(),
            budget.map(grouped).unwrap_or_default(),
            match now.unit {
                Unit::Instructions => "",
                Unit::Kilobytes | Unit::Resident => ", kB",
            }
        );
        match (budget.is_some_and(|b| now.n > b), OPEN.contains(name)) {
            (true, true) => println!("{:16} over its budget, which is known", ""),
            (true, false) => wrong.push(format!("{name} is over its budget")),
            // Not on a day when it is only just so.
            (false, true) if budget.is_some_and(|b| allowed(now.n, now.unit) > b) => {
                println!("{:16} within its budget, by less than figures differ", "")
            }
            (false, true) => {
                wrong.push(format!("{name} is within its budget: take it out of OPEN"))
            }
            (false, false) => {}
        }
        match before {
            _ if update => {}
            None => wrong.push(format!(
                "{name} has no committed figure; run benches/run --update"
            )),
            Some((_, rustc)) if rustc != now.rustc => println!(
                "{:16} committed with {rustc}, counted with {}: only the budget holds",
                "", now.rustc
            ),
            Some((n, _)) if now.n > allowed(n, now.unit) => {
                wrong.push(format!(
                    "{name} is more than {WORSE} % worse than the committed figure"
                ));
            }
            Some(_) => {}
        }
    }
    let find = |name: &str| counted.iter().find(|c| c.name == name).map(|c| c.n);
    if let (Some(small), Some(large)) = (find("table_1000"), find("table_10000")) {
        let hundredths = large.saturating_mul(100) / small.max(1);
        println!(
            "ten times the parameters cost {}.{:02} times as much; {TIMES} are allowed",
            hundredths / 100,
            hundredths % 100
        );
        if large > small.saturating_mul(TIMES) {
            wrong.push("the cost of a table grows faster than its size".to_owned());
        }
    }
    if update {
        for now in counted {
            committed.insert(now.name.to_owned(), (now.n, now.rustc.clone()));
        }
        save(&committed)?;
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n")),
    }
}

fn allowed(committed: u64, unit: Unit) -> u64 {
    let slack = match unit {
        Unit::Instructions => 0,
        Unit::Kilobytes => PAGES,
        Unit::Resident => PIECES,
    };
    committed + committed * WORSE / 100 + slack
}

fn save(figures: &Committed) -> Result<(), String> {
    let mut text = String::from(
        "# Written by `benches/run --update`; what the figures mean: README.md. Instructions, and kB of memory.\n",
    );
    for (name, (n, rustc)) in figures {
        let _ = writeln!(text, "{name} = {{ counted = {n}, rustc = \"{rustc}\" }}");
    }
    std::fs::write(file(), text).map_err(|e| format!("{}: {e}", file().display()))
}

fn change(now: u64, before: u64) -> String {
    let (sign, by) = match now >= before {
        true => ('+', now - before),
        false => ('-', before - now),
    };
    let tenths = by.saturating_mul(1000) / before.max(1);
    format!("{sign}{}.{} %", tenths / 10, tenths % 10)
}

/// Digits in groups of three.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
