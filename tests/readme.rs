//! What README.md promises of the command line and of the two configuration files: the
//! same names and the same defaults as the program's, none missing, none too many.

mod router;

use cwmp_agent::agent::config::Config;
use cwmp_agent::agent::settings::Settings;
use cwmp_agent::uci::Package;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::process::{Command, Output};

const README: &str = include_str!("../README.md");

fn cwmp_agent(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cwmp-agent"))
        .args(args)
        .output()
        .expect("the program")
}

/// The cells of the table with this heading, row by row.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let mut lines = README.lines().skip_while(|line| *line != heading);
    assert!(lines.next().is_some(), "README.md has no table {heading}");
    lines
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

fn code(cell: &str) -> &str {
    cell.strip_prefix('`')
        .and_then(|cell| cell.strip_suffix('`'))
        .unwrap_or_else(|| panic!("{cell} is not in `…`"))
}

fn agent_toml() -> String {
    let mut lines = README.lines().skip_while(|line| *line != "```toml").skip(1);
    let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
    assert!(
        lines.all(|line| line.trim_start() != "```toml"),
        "a second block of TOML in README.md needs a test of its own"
    );
    text.join("\n") + "\n"
}

/// The names of a value's fields, as `Debug` tells them.
fn fields(of: &impl Debug) -> BTreeSet<String> {
    format!("{of:#?}")
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.split_once(": "))
        .filter(|(name, _)| !name.starts_with(' '))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[test]
fn the_table_of_commands_is_the_list_of_the_program() {
    let help = String::from_utf8(cwmp_agent(&["--help"]).stdout).expect("UTF-8");
    let of_program: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| Some(line.trim().split_once("  ")?.0))
        .collect();
    let mut of_readme: Vec<&str> = table("| command | does |")
        .into_iter()
        .filter_map(|row| code(row[0]).strip_prefix("cwmp-agent "))
        .collect();
    if !cfg!(feature = "try") {
        of_readme.retain(|command| *command != "try");
    }
    assert_eq!(of_readme, of_program);
}

#[test]
fn the_agent_toml_is_accepted_by_check() {
    let router = router::Router::new().expect("a folder for temporary files");
    router
        .write("/etc/cwmp-agent/agent.toml", &agent_toml())
        .expect("agent.toml");
    let file = router.path("/etc/cwmp-agent/agent.toml");
    let root = router.root().to_str().expect("UTF-8");
    for args in [
        vec!["check", file.to_str().expect("UTF-8")],
        vec!["check", "--root", root],
    ] {
        let out = cwmp_agent(&args);
        assert_eq!(out.status.code(), Some(0), "{args:?}: {out:?}");
    }
}

#[test]
fn the_agent_toml_shows_every_limit_with_its_default() {
    let text = agent_toml();
    let shown = Config::parse("README.md", &text).expect("the block");
    let default = Config::default();
    assert_eq!(shown.limits, default.limits);
    assert_eq!(shown.state_dir, default.state_dir);
    assert_eq!(shown.run_dir, default.run_dir);
    assert_eq!(shown.data_model, default.data_model);

    let named: BTreeSet<String> = text
        .lines()
        .skip_while(|line| *line != "[limits]")
        .filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned()))
        .collect();
    assert_eq!(named, fields(&default.limits));
    // Those without a value in the block are told of below it.
    for key in fields(&default)
        .into_iter()
        .chain(fields(&default.platform))
    {
        assert!(README.contains(&key), "README.md says nothing of {key}");
    }
}

#[test]
fn the_table_of_settings_has_every_option_with_its_default() {
    let rows = table("| option | default | meaning |");
    let mut config = String::new();
    let mut named = BTreeSet::new();
    let mut last = "";
    for row in &rows {
        let (section, option) = code(row[0]).split_once('.').expect("section.option");
        if section != last {
            config.push_str(&format!("config {section} '{section}'\n"));
            last = section;
        }
        config.push_str(&format!(
            "\toption {option} '{}'\n",
            code(row[1]).trim_matches('\'')
        ));
        assert!(named.insert((section.to_owned(), option.to_owned())));
    }
    // An empty level is none, which a file says by leaving the option out.
    let config = config.replace("\toption log_level ''\n", "");
    let package = Package::parse(config.as_bytes()).expect("UCI");
    let (settings, warnings) = Settings::read(&package);
    assert_eq!(warnings, Vec::<String>::new());
    let default = Settings::default();
    assert_eq!(settings, default);

    let mut of_program: BTreeSet<(String, String)> = BTreeSet::new();
    for (section, options) in [
        ("acs", fields(&default.acs)),
        ("cpe", fields(&default.cpe)),
        ("device", fields(&default.device)),
        ("heartbeat", fields(&default.heartbeat)),
        ("standby", fields(&default.standby)),
    ] {
        of_program.extend(options.into_iter().map(|o| (section.to_owned(), o)));
    }
    // Only the data model reads it.
    of_program.insert(("cpe".to_owned(), "provisioning_code".to_owned()));
    // One field, eight options.
    assert!(of_program.remove(&("cpe".to_owned(), "policies".to_owned())));
    let policies = [
        "transfer_complete",
        "transfer_type",
        "transfer_result",
        "transfer_file_types",
        "du_complete",
        "du_operations",
        "du_result",
        "du_fault_codes",
    ];
    of_program.extend(policies.map(|o| ("cpe".to_owned(), format!("autonomous_{o}"))));
    assert_eq!(named, of_program);
}

#[test]
// A signature is part of the example.
#[cfg(feature = "tls")]
fn the_page_on_files_names_every_key_and_its_example_is_taken() {
    let page = include_str!("../docs/file-transfers.md");
    let block = page.split("```toml\n").nth(1).expect("an example");
    let block = block.split("```").next().expect("its end");
    let config = Config::parse("agent.toml", block).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((config.download.len(), config.upload.len()), (3, 2));
    let mut rows = page
        .lines()
        .skip_while(|l| *l != "| key | meaning |")
        .skip(2);
    let rows = rows.by_ref().take_while(|l| l.starts_with('|'));
    let named: BTreeSet<String> = rows
        .map(|row| code(row.split('|').nth(1).expect("a cell").trim()).to_owned())
        .collect();
    let mut keys = fields(&config.download[0]);
    keys.extend(fields(&config.upload[0]));
    assert_eq!(named, keys);
    for built_in in ["4096", "200 bytes", "/www", "/sbin/logread"] {
        assert!(page.contains(built_in));
    }
}
