//! docs/operators.md and the other pages: what they tell to type works, what they say that the
//! agent says it says, and their links lead somewhere.

mod cpe;
#[path = "acs/mod.rs"]
mod manager;

use cpe::{Cpe, repository};
use cwmp_agent::uci::Package;
use manager::{Acs, AcsConfig};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PAGE: &str = include_str!("../docs/operators.md");

/// The lines of the blocks that begin with this comment, in their order.
fn steps(mark: &str) -> Vec<&'static str> {
    let blocks = PAGE.split("```sh\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().expect("its end"));
    let blocks: Vec<&str> = blocks.collect();
    for block in &blocks {
        let known = ["# router\n", "# migration\n"];
        assert!(known.iter().any(|mark| block.starts_with(mark)), "{block}");
    }
    let wanted = blocks.iter().filter(|block| block.starts_with(mark));
    wanted.flat_map(|block| block.lines().skip(1)).collect()
}

/// A line with this router's program and files; its output.
fn run(cpe: &Cpe, line: &str) -> String {
    let root = cpe.router.root().display();
    let shim = cpe.router.path("/tmp/shim");
    fs::create_dir_all(&shim).expect("a folder");
    let program = cpe::program();
    let text = format!(
        "#!/bin/sh\nexec {} \"$@\" --root {root}\n",
        program.display()
    );
    cpe.router.write("/tmp/shim/cwmp-agent", &text).expect("it");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(shim.join("cwmp-agent"), mode).expect("a mode");
    let path = format!(
        "{}:{}",
        shim.display(),
        std::env::var("PATH").expect("PATH")
    );
    let out = Command::new("sh")
        .args(["-c", line])
        .env("PATH", path)
        .output()
        .expect("sh");
    assert!(out.status.success(), "{line}: {out:?}");
    String::from_utf8(out.stdout).expect("UTF-8")
}

/// `uci set` of one line in a file's text.
fn uci_set(text: &str, line: &str) -> String {
    let mut package = Package::parse(text.as_bytes()).expect("UCI");
    let (place, value) = line
        .strip_prefix("uci set cwmp.")
        .expect("cwmp")
        .split_once('=')
        .expect("=");
    let value = value.trim_matches('\'');
    match place.split_once('.') {
        None => {
            if package.section(place).is_none() {
                package.add_section(value, Some(place)).expect("a section");
            }
        }
        Some((section, option)) => {
            let at = package.section(section).expect("a section");
            package.set(at, option, value).expect("an option");
        }
    }
    String::from_utf8(package.to_bytes()).expect("UTF-8")
}

#[test]
fn what_the_page_tells_to_type_leads_to_a_session() {
    let acs = Acs::start(AcsConfig::default()).expect("an ACS");
    let mut cpe = Cpe::new("");
    let settings = "/etc/config/cwmp";
    let mut text = String::new();
    let mut ran = 0;
    for line in steps("# router\n") {
        ran += 1;
        if line.starts_with("uci set ") {
            text = match text.is_empty() {
                true => cpe.router.read(settings).expect("settings"),
                false => text,
            };
            text = uci_set(&text, &line.replace("https://acs.example.net/", &acs.url()));
        } else if line == "uci commit cwmp" {
            cpe.router.write(settings, &text).expect("settings");
        } else if let Some(word) = line.strip_prefix("/etc/init.d/cwmp-agent ") {
            assert_eq!(word, "start");
            cpe.start();
        } else {
            assert!(line.starts_with("cwmp-agent "), "{line}");
            let said = run(&cpe, line);
            if line.contains("dhcp") {
                assert!(said.contains("url=http://acs.test/"), "{said}");
            } else if line.contains(" get ") {
                let asked = line.split(' ').skip(2);
                assert!(asked.clone().count() > 0);
                for path in asked {
                    assert!(said.contains(&format!("{path}=")), "{path}: {said}");
                }
            } else if line.ends_with("check") {
                assert!(said.contains("/etc/config/cwmp: good"), "{said}");
            }
        }
    }
    assert!(ran >= 10, "{ran}");
    let session = acs.wait_session(1, cpe::PATIENCE).expect("a session");
    assert!(session.events().contains(&"0 BOOTSTRAP"));
    assert!(cpe.stop().success());
}

#[test]
fn the_migration_of_the_page_works() {
    let cpe = Cpe::new("");
    let theirs = "config acs\n\toption url 'http://acs.example.net/'\n";
    cpe.router
        .write("/etc/config/easycwmp", theirs)
        .expect("it");
    let lines = steps("# migration\n");
    assert_eq!(lines.len(), 3);
    for line in lines {
        run(&cpe, line);
    }
    assert!(
        cpe.router
            .read("/etc/config/cwmp")
            .expect("it")
            .contains("http://acs.example.net/")
    );
}

/// Every source text of the program, joined as the compiler joins lines of a literal.
fn sources() -> String {
    fn collect(folder: &Path, all: &mut String) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, all);
            } else if path.extension().is_some_and(|e| e == "rs") {
                all.push_str(&fs::read_to_string(&path).expect("a source"));
            }
        }
    }
    let mut all = String::new();
    collect(&repository("src"), &mut all);
    all
}

/// The first cells of the table with this heading.
fn first_cells(heading: &str) -> Vec<&'static str> {
    let lines = PAGE.lines().skip_while(|line| *line != heading).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    let cells: Vec<&str> = rows
        .map(|row| row.split('|').nth(1).expect("a cell").trim())
        .collect();
    assert!(cells.len() > 5, "{heading}");
    cells
}

#[test]
fn what_the_page_says_that_the_agent_says_it_says() {
    let sources = sources();
    for cell in first_cells("| says | mend |") {
        let text = cell.trim_matches('`');
        assert!(sources.contains(text), "nothing says {text:?}");
    }
    let status = fs::read_to_string(repository("src/agent/status.rs")).expect("a source");
    for cell in first_cells("| line | means |") {
        let text = cell.trim_matches('`');
        assert!(
            status.contains(&format!("\"{text} ")),
            "`status` has no line {text:?}"
        );
    }
    for reason in [
        "wrong credentials",
        "wrong path",
        "replayed or old nonce",
        "too many",
    ] {
        assert!(
            PAGE.contains(&format!("`{reason}`")) && sources.contains(&format!("\"{reason}\""))
        );
    }
}

#[test]
fn options_and_parameters_of_the_page_are_there() {
    let readme = fs::read_to_string(repository("README.md")).expect("it");
    let words = PAGE.split('`').skip(1).step_by(2);
    let mut seen = 0;
    for word in words {
        let option = word
            .trim_start_matches("cwmp.")
            .split(' ')
            .next()
            .expect("a word");
        let ours = option.starts_with("acs.")
            || option.starts_with("cpe.")
            || option.starts_with("device.");
        if !ours || PAGE.contains(&format!("| `{word}`")) || word.contains('…') {
            continue;
        }
        // Rows of the table of migration name the options of others.
        let row = PAGE
            .lines()
            .find(|line| line.contains(&format!("`{word}`")));
        if row.is_some_and(|row| row.matches('|').count() == 4) {
            continue;
        }
        seen += 1;
        assert!(
            readme.contains(&format!("| `{option}` |")),
            "README.md has no {option}"
        );
    }
    assert!(seen > 15, "{seen}");
}

/// The links of a page, `[…](target)`.
fn links(text: &str) -> Vec<String> {
    let parts = text.split("](").skip(1);
    parts
        .filter_map(|part| Some(part.split_once(')')?.0.to_owned()))
        .collect()
}

/// A heading as a link names it.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let pages = [
        "README.md",
        "CONTRIBUTING.md",
        "docs/operators.md",
        "docs/privileges.md",
        "docs/file-transfers.md",
        "docs/software-modules.md",
        "init/README.md",
        "cross/README.md",
        "cross/openwrt/README.md",
        "data-model/README.md",
    ];
    let mut from_readme = Vec::new();
    for page in pages {
        let path = repository(page);
        let text = fs::read_to_string(&path).expect("a page");
        for link in links(&text) {
            if link.contains("://") {
                continue;
            }
            let (file, section) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().expect("a folder").join(file),
            };
            assert!(target.exists(), "{page}: {link} leads nowhere");
            if !section.is_empty() {
                let text = fs::read_to_string(&target).expect("a page");
                let there = text
                    .lines()
                    .any(|l| l.starts_with('#') && anchor(l) == section);
                assert!(there, "{page}: {link} is no heading");
            }
            if page == "README.md" {
                from_readme.push(target.canonicalize().expect("it is there"));
            }
        }
    }
    for page in pages {
        let target = repository(page).canonicalize().expect("it is there");
        assert!(
            page == "README.md" || from_readme.contains(&target),
            "README.md does not lead to {page}"
        );
    }
    let mut docs: Vec<PathBuf> = fs::read_dir(repository("docs"))
        .expect("docs")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    docs.retain(|doc| !pages.iter().any(|page| repository(page) == *doc));
    assert!(docs.is_empty(), "{docs:?} are not looked at");
}
