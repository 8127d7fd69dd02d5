//! Which UCI options the data model hides: what a configuration file for an upload has to
//! leave out, whatever they are called.

use crate::model::Schema;
use crate::model::binding::Binding;
use crate::transfer::configuration::{SecretOption, Secrets};

/// The options behind every parameter of a schema that reads as "".
pub fn secrets(schema: &Schema) -> Secrets {
    let mut told = Vec::new();
    for parameter in schema.parameters().filter(|p| p.hidden()) {
        let Some(Binding::Uci(at)) = parameter.binding() else {
            continue;
        };
        let option = SecretOption {
            package: at.package.to_string(),
            section: section(&at.section),
            option: at.option.to_string(),
        };
        // One whose name is only known with its row cannot be told by name.
        let is_plain = !at.package.contains('{') && !at.option.contains('{');
        if is_plain && !told.contains(&option) {
            told.push(option);
        }
    }
    Secrets::new(told)
}

/// The name or the type of a section; `None` where rows or a value decide.
fn section(at: &str) -> Option<String> {
    if at.contains('{') {
        return None;
    }
    let kind = at.strip_prefix('@').map(|rest| rest.split('[').next());
    Some(kind.flatten().unwrap_or(at).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uci::Package;

    // T-SEC-009
    #[test]
    fn what_the_data_model_hides_is_a_secret_where_it_stands() {
        let file = r#"
["Device.X_EXAMPLE_Lock."]
Code  = { type = "string", access = "rw", hidden = true, uci = "lock.main.code", default = "" }
Any   = { type = "string", access = "rw", hidden = true, uci = "lock.@door[0].word", default = "" }
Shown = { type = "string", access = "rw", uci = "lock.main.shown", default = "" }
"#;
        let files = [("x.toml".to_owned(), file.to_owned())];
        let secrets = secrets(&Schema::load(&files).unwrap());
        let package =
            Package::parse(b"config lock main\nconfig door front\nconfig door\n").unwrap();
        let [main, front, door] = package.sections() else {
            panic!("three sections");
        };
        assert!(secrets.holds("lock", main, "code") && !secrets.holds("lock", front, "code"));
        assert!(secrets.holds("lock", front, "word") && secrets.holds("lock", door, "word"));
        assert!(!secrets.holds("lock", main, "word") && !secrets.holds("lock", main, "shown"));
        assert!(!secrets.holds("other", main, "code"));
    }
}
