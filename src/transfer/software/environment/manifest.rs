//! `module.toml`: what an archive says of the software in it.
//!
//! ```toml
//! name        = "hello"
//! vendor      = "example.com"          # a domain name
//! version     = "1.0"
//! description = "Says hello"
//!
//! [[unit]]                             # any number of them, none is fine
//! name       = "hello"
//! start      = ["bin/hello", "start"]  # relative to the archive's folder
//! stop       = ["bin/hello", "stop"]
//! status     = ["bin/hello", "status"] # exit status 0: it runs
//! auto_start = true                    # the default
//! ```

use super::is_plain;
use crate::notation::table::{self, Table, Value, Wrong, keys};

/// Its name in an archive.
pub const NAME: &str = "module.toml";
/// Largest one that is read, bytes.
pub const MAX: usize = 64 << 10;
/// Execution units at most.
const MAX_UNITS: usize = 16;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// At most 24 characters.
    pub name: String,
    pub vendor: String,
    /// At most 24 characters.
    pub version: String,
    pub description: String,
    pub units: Vec<UnitOf>,
}

/// One execution unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitOf {
    pub name: String,
    pub start: Vec<String>,
    pub stop: Vec<String>,
    pub status: Vec<String>,
    pub auto_start: bool,
}

impl UnitOf {
    fn all(value: &Value<'_>) -> Result<Vec<UnitOf>, Wrong> {
        let mut all = Vec::new();
        value.tables(&mut |table| {
            for key in ["name", "start", "stop"] {
                table.require(key)?;
            }
            let mut one = UnitOf {
                auto_start: true,
                ..UnitOf::default()
            };
            keys!(table, {
                "name" => one.name, Value::text;
                "start" => one.start, Value::texts;
                "stop" => one.stop, Value::texts;
                "status" => one.status, Value::texts;
                "auto_start" => one.auto_start, Value::flag;
            })?;
            all.push(one);
            Ok(())
        })?;
        Ok(all)
    }
}

impl Manifest {
    fn read(&mut self, table: &Table<'_>) -> Result<(), Wrong> {
        for key in ["name", "version"] {
            table.require(key)?;
        }
        keys!(table, {
            "name" => self.name, Value::text;
            "vendor" => self.vendor, Value::text;
            "version" => self.version, Value::text;
            "description" => self.description, Value::text;
            "unit" => self.units, UnitOf::all;
        })
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| format!("{NAME} is no UTF-8"))?;
        let mut read = Manifest::default();
        table::parse(text, &mut |table| read.read(table))
            .map_err(|wrong| format!("{NAME}:{}: {}", wrong.line(text), wrong.what))?;
        let short = |text: &str| is_plain(text) && !text.contains(':') && text.len() <= 24;
        if !short(&read.name) || !short(&read.version) {
            return Err(format!(
                "{NAME}: name and version are 1 to 24 letters, digits and ._+-~ each, and begin with a letter or digit"
            ));
        }
        if read.units.len() > MAX_UNITS {
            return Err(format!("{NAME}: more than {MAX_UNITS} units"));
        }
        for (at, unit) in read.units.iter().enumerate() {
            if !short(&unit.name) || unit.name.len() > 12 && read.units.len() > 1 {
                return Err(format!(
                    "{NAME}: {:?} is no unit's name: letters, digits and ._+-~, at most 12 (24 where there is one unit)",
                    unit.name
                ));
            }
            if read
                .units
                .iter()
                .take(at)
                .any(|other| other.name == unit.name)
            {
                return Err(format!("{NAME}: two units are called {}", unit.name));
            }
            for (key, argv, needed) in [
                ("start", &unit.start, true),
                ("stop", &unit.stop, true),
                ("status", &unit.status, false),
            ] {
                let Some(program) = argv.first() else {
                    match needed {
                        true => return Err(format!("{NAME}: {key} of {} is empty", unit.name)),
                        false => continue,
                    }
                };
                let inside = |part: &str| !part.is_empty() && part != "." && part != "..";
                if !program.split('/').all(inside) || argv.iter().any(|a| a.contains('\0')) {
                    return Err(format!(
                        "{NAME}: {key} of {}: {program:?} is not in the archive; write its path in it, such as bin/{key}",
                        unit.name
                    ));
                }
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = \"hello\"\nversion = \"1.0\"\n[[unit]]\nname = \"hello\"\n\
        start = [\"bin/run\", \"-d\"]\nstop = [\"bin/stop\"]\n";

    #[test]
    fn a_manifest_is_read() {
        let read = Manifest::parse(GOOD.as_bytes()).expect("good");
        assert_eq!(
            (&*read.name, &*read.version, &*read.vendor),
            ("hello", "1.0", "")
        );
        assert!(read.units[0].auto_start && read.units[0].status.is_empty());
    }

    // A manifest comes from outside.
    #[test]
    fn what_leads_out_or_means_something_else_is_refused() {
        for (from, to) in [
            ("\"hello\"\nversion", "\"../hello\"\nversion"),
            ("\"hello\"\nversion", "\"-hello\"\nversion"),
            ("\"hello\"\nversion", "\"\"\nversion"),
            ("\"1.0\"", "\"1.0/2\""),
            ("\"1.0\"", "\"1234567890123456789012345\""),
            ("bin/run", "../bin/run"),
            ("bin/run", "/bin/run"),
            ("bin/run", "bin//run"),
            ("bin/stop", ""),
            ("[\"bin/stop\"]", "[]"),
            ("name = \"hello\"\nstart", "name = \"a b\"\nstart"),
            ("version", "virsion"),
            ("stop =", "halt ="),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            assert_ne!(bad, GOOD, "{from}");
            assert!(Manifest::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Manifest::parse(b"\xff").is_err());
        let twice = format!(
            "{GOOD}{}",
            GOOD.split_once("[[unit]]").map_or("", |(_, u)| u)
        );
        assert!(Manifest::parse(twice.as_bytes()).is_err());
        let unit = GOOD.split_once("[[unit]]").map_or("", |(_, u)| u);
        let two = format!("{GOOD}[[unit]]{unit}");
        assert!(
            Manifest::parse(two.as_bytes())
                .unwrap_err()
                .contains("two units")
        );
    }
}
