//! `cwmp-agent check`: is what the firmware builder and the vendors wrote right?

use super::arguments::Common;
use super::{DONE, USAGE, out};
use crate::agent::config::Config;
use crate::agent::settings::Settings;
use crate::agent::setup::{
    SETTINGS_PATH, Setup, SetupError, load_schema, read_text, toml_files, unreadable,
};
use crate::agent::world::tls_files;
use crate::model::schema::ModelFile;
use crate::net::tls::{self, TlsConfig};
use crate::source::builtin;
use crate::uci::{self, Package};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Checks what is named, or everything in use.
pub fn check(common: &Common, paths: &[PathBuf]) -> u8 {
    let mut report = Report::default();
    if paths.is_empty() {
        in_use(common, &mut report);
    } else {
        named(paths, &mut report);
    }
    for line in &report.wrong {
        eprintln!("{line}");
    }
    if report.wrong.is_empty() {
        out(&report.fine);
        DONE
    } else {
        USAGE
    }
}

#[derive(Default)]
struct Report {
    fine: String,
    wrong: Vec<String>,
}

impl Report {
    fn fine(&mut self, what: &str) {
        self.fine.push_str(what);
        self.fine.push('\n');
    }

    fn wrong(&mut self, error: &SetupError) {
        match error {
            SetupError::Configuration(lines) => self.wrong.extend(lines.iter().cloned()),
            SetupError::System(what) => self.wrong.push(what.clone()),
        }
    }
}

fn in_use(common: &Common, report: &mut Report) {
    let setup = match Setup::open(&common.root, common.config.as_deref()) {
        Ok(setup) => setup,
        Err(e) => return report.wrong(&e),
    };
    report.fine("agent.toml: good");
    match setup
        .data_model_files()
        .and_then(|model| load_schema(&model.files()).map(|_| model.files().len()))
    {
        Ok(count) => report.fine(&format!("data model: {count} files, good")),
        Err(e) => report.wrong(&e),
    }
    settings(&setup, report);
}

/// `/etc/config/cwmp`: warnings, and files it names that cannot be used.
fn settings(setup: &Setup, report: &mut Report) {
    let text = match setup.root.read(SETTINGS_PATH, 1 << 20) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return report.fine(&format!("{SETTINGS_PATH}: none, the defaults hold"));
        }
        Err(e) => return report.wrong.push(format!("{SETTINGS_PATH}: {e}")),
    };
    let package = match Package::parse(&text) {
        Ok(package) => package,
        Err(e) => {
            let uci::ParseError { line, what } = e;
            let file = setup.root.path(SETTINGS_PATH);
            let file = file.map_or(SETTINGS_PATH.to_owned(), |p| p.display().to_string());
            let what = format!("{file}:{line}: {what}; write the line as UCI has it");
            return report.wrong.push(what);
        }
    };
    let (settings, warnings) = Settings::read(&package);
    for warning in warnings
        .into_iter()
        .chain(setup.settings_that_others_read())
    {
        report.fine(&format!("warning: {warning}"));
    }
    let files = match tls_files(setup, &settings) {
        Ok(files) => files,
        Err(e) => return report.wrong.push(format!("{SETTINGS_PATH}: {e}")),
    };
    // The client's pair is looked at in any case, the roots where they are named or needed.
    let scheme = settings.acs.url.get(..6).unwrap_or_default();
    let needed =
        scheme.eq_ignore_ascii_case("https:") || (settings.acs.require_tls && !tls::PRESENT);
    let roots = needed || files.ca_file.is_some() || files.ca_path.is_some();
    let checked = files.check_pair().and_then(|()| match roots {
        true => TlsConfig::load(&files, Arc::new(|| 0), 0).map(|_| ()),
        false => Ok(()),
    });
    if let Err(e) = checked {
        report.wrong.push(format!("{SETTINGS_PATH}: {e}"));
        return;
    }
    report.fine(&format!("{SETTINGS_PATH}: good"));
}

fn named(paths: &[PathBuf], report: &mut Report) {
    for path in paths {
        let name = path.display().to_string();
        if path.is_dir() {
            match toml_files(path) {
                Ok(files) if files.is_empty() => {
                    report.wrong.push(format!("{name}: holds no *.toml file"));
                }
                Ok(files) => data_model(&name, files, report),
                Err(e) => report.wrong(&e),
            }
            continue;
        }
        match read_text(path) {
            Ok(text) if is_agent_toml(path, &text) => match Config::parse(&name, &text) {
                Ok(_) => report.fine(&format!("{name}: good")),
                Err(e) => report.wrong(&e.into()),
            },
            Ok(text) => data_model(&name, vec![(name.clone(), text)], report),
            Err(e) => report.wrong.push(unreadable(path, &e)),
        }
    }
}

/// Data-model files are checked over the built-in ones, whose tables they may refer to.
fn data_model(name: &str, files: Vec<(String, String)>, report: &mut Report) {
    let count = files.len();
    let mut all: Vec<&dyn ModelFile> = Vec::new();
    all.extend(builtin::packed().map(|file| file as &dyn ModelFile));
    all.extend(files.iter().map(|file| file as &dyn ModelFile));
    match load_schema(&all) {
        Ok(_) if count == 1 => report.fine(&format!("{name}: good")),
        Ok(_) => report.fine(&format!("{name}: {count} files, good")),
        Err(e) => report.wrong(&e),
    }
}

/// A data-model file's tables are object paths; everything else is an agent.toml.
fn is_agent_toml(path: &Path, text: &str) -> bool {
    if path.file_name().is_some_and(|n| n == "agent.toml") {
        return true;
    }
    let objects = text.lines().any(|l| {
        let l = l.trim_start();
        l.starts_with("[\"") || l.starts_with("['")
    });
    let keys = [
        "data_model",
        "state_dir",
        "run_dir",
        "[platform]",
        "[limits]",
        "[[",
    ];
    !objects
        && text
            .lines()
            .any(|l| keys.iter().any(|k| l.trim_start().starts_with(k)))
}
