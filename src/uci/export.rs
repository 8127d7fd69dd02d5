//! Texts that leave the router, and come to it: several packages in one, as `uci export`
//! prints them, each behind a line `package NAME`; and a package without comments.

use super::parse::{ParseError, error_at};
use super::token::{Keyword, Reader};

/// A package's name, if the text says one, and its text.
pub type Exported = (Option<String>, Vec<u8>);

/// Cuts a text at its `package` lines: name and text of each package, in order. What stands
/// before the first such line belongs to a package without a name (`None`); it is left out
/// where it is white space or comments. One that comes again continues the earlier one, as
/// for libuci.
///
/// # Errors
/// Where the text cannot be read up to the next line of that kind.
pub fn split_export(text: &[u8]) -> Result<Vec<Exported>, ParseError> {
    let mut packages: Vec<Exported> = Vec::new();
    let mut reader = Reader::new(text);
    let mut name: Option<String> = None;
    let mut says_something = false;
    let mut from = 0;
    let mut end = |name: &Option<String>, bytes: &[u8], says_something: bool| {
        if name.is_none() && !says_something {
            return;
        }
        match packages.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => known.extend_from_slice(bytes),
            None => packages.push((name.clone(), bytes.to_vec())),
        }
    };
    loop {
        let line = reader.line_end();
        if !reader.next_line() {
            break;
        }
        loop {
            let before = reader.pos();
            let command = reader
                .command()
                .map_err(|what| error_at(text, before, what))?;
            let Some(command) = command else {
                break;
            };
            if command.keyword != Keyword::Package {
                says_something = true;
                continue;
            }
            end(
                &name,
                text.get(from..line).unwrap_or_default(),
                says_something,
            );
            from = line;
            // A package's name is ASCII.
            let named = reader.decoded(&command.first);
            name = Some(String::from_utf8_lossy(named).into_owned());
        }
    }
    end(&name, text.get(from..).unwrap_or_default(), says_something);
    Ok(packages)
}

/// The text without its comments, and without what libuci reads past at the end of a line.
///
/// # Errors
/// Where libuci refuses the text for a mistake in a command.
pub fn without_comments(text: &[u8]) -> Result<Vec<u8>, ParseError> {
    let mut kept = Vec::with_capacity(text.len());
    let mut reader = Reader::new(text);
    loop {
        let line = reader.line_end();
        if !reader.next_line() {
            return Ok(kept);
        }
        let mut meant = line;
        loop {
            let before = reader.pos();
            match reader.command() {
                Ok(Some(_)) => meant = reader.pos(),
                Ok(None) => break,
                Err(what) => return Err(error_at(text, before, what)),
            }
        }
        let end = reader.comment().map_or(meant, |comment| meant.min(comment));
        let said = text.get(line..end).unwrap_or_default().trim_ascii_end();
        kept.extend_from_slice(said);
        // An escape before a space or a line's end is part of the last word.
        if said.last() == Some(&b'\\') {
            kept.extend(text.get(line + said.len()));
        }
        if kept.last() != Some(&b'\n') {
            kept.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uci::Package;

    fn split(text: &str) -> Vec<(Option<String>, String)> {
        let packages = split_export(text.as_bytes()).unwrap().into_iter();
        packages
            .map(|(name, text)| (name, String::from_utf8(text).unwrap()))
            .collect()
    }

    #[test]
    fn a_text_is_cut_where_a_package_begins_and_nowhere_else() {
        let text = "# all\npackage 'network'\n\nconfig interface 'lan'\n\toption note 'a\npackage b\n'\n\
                    package firewall\nconfig zone\n";
        let packages = split(text);
        assert_eq!(packages.len(), 2, "{packages:?}");
        assert_eq!(packages[0].0.as_deref(), Some("network"));
        assert!(packages[0].1.contains("package b\n'\n"));
        assert_eq!(
            packages[1],
            (
                Some("firewall".to_owned()),
                "package firewall\nconfig zone\n".to_owned()
            )
        );
    }

    #[test]
    fn a_text_without_a_name_is_one_package_and_one_without_anything_is_none() {
        let plain = "config zone\n\toption name 'lan'\n";
        assert_eq!(split(plain), [(None, plain.to_owned())]);
        assert_eq!(split("\n# nothing\n"), []);
        let twice = split("config a\npackage x\nconfig b\npackage x\nconfig c\n");
        assert_eq!(twice.len(), 2);
        assert!(twice[1].1.contains("config b") && twice[1].1.contains("config c"));
        assert!(split_export(b"package 'net\n").is_err());
        assert!(split_export(b"<html>\n").is_err());
    }

    #[test]
    fn comments_go_wherever_they_stand_and_values_stay() {
        let text = b"# option key 'old'\nconfig a 'x' # geheim\n\toption b '# no\n # comment' #\n\
                     \toption c one;option key lost\n\n  list d \"q#\" ; list d 'r'\n\toption e f\\ \n";
        let kept = without_comments(text).unwrap();
        let shown = String::from_utf8(kept.clone()).unwrap();
        assert!(
            !shown.contains("old") && !shown.contains("geheim"),
            "{shown}"
        );
        assert!(!shown.contains("lost"), "{shown}");
        let meaning = |text: &[u8]| {
            let package = Package::parse(text).unwrap();
            package.sections().to_vec()
        };
        assert!(meaning(text) == meaning(&kept), "{shown}");
        assert!(without_comments(b"config 'a\n").is_err());
    }
}
