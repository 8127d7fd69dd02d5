//! `migrate`: takes over the settings of another agent, and says what became of them.

use super::arguments::Common;
use super::{FAILED, out, print, setup_failed};
use crate::agent::migrate::{Agent, Report, migrate};
use crate::agent::setup::Setup;

/// `cwmp-agent migrate`.
pub fn run(common: &Common, from: Option<Agent>, dry: bool, force: bool) -> u8 {
    let done = Setup::open(&common.root, common.config.as_deref())
        .and_then(|setup| migrate(&setup, from, dry, force));
    let report = match done {
        Ok(report) => report,
        Err(e) => return setup_failed(&e),
    };
    if report.needs_force() && !force {
        let name = report.from.name();
        for option in &report.conflicts {
            eprintln!("cwmp-agent: cwmp.{option} is set here already");
        }
        for (option, why) in &report.unusable {
            let (option, why) = (print::escape(option), print::escape(why));
            eprintln!("cwmp-agent: {name}'s {option} cannot be taken over: {why}");
        }
        eprintln!(
            "cwmp-agent: nothing was changed; --force puts what {name} says in place of what is set, and goes without what cannot be used"
        );
        return FAILED;
    }
    out(&told(&report, dry))
}

fn told(report: &Report, dry: bool) -> String {
    let name = report.from.name();
    let mut text = match (report.changed, dry) {
        (false, _) => format!("{name}: everything is taken over already\n"),
        (true, true) => format!("{name}: this would be taken over\n"),
        (true, false) => format!("{name}: this was taken over\n"),
    };
    for (option, value) in &report.taken {
        text.push_str(&format!("  {option}={}\n", print::escape(value)));
    }
    if !report.left.is_empty() {
        text.push_str("not taken over:\n");
        for (option, why) in &report.left {
            text.push_str(&format!(
                "  {}: {}\n",
                print::escape(option),
                print::escape(why)
            ));
        }
    }
    for note in &report.notes {
        text.push_str(&format!("look: {note}\n"));
    }
    text
}
