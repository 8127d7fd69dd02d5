//! The real program dies in the middle of the command that resets the box.

mod acs;
mod cpe;

use acs::*;
use cpe::{Cpe, PATIENCE};

// T-FRS-001
#[test]
fn an_agent_that_dies_in_the_factory_reset_command_does_it_again_and_reboots() {
    let acs = Acs::start(AcsConfig::default().session(Script::of([factory_reset()]))).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    // The first time the agent is gone before the command is through.
    cpe.script(
        "reset",
        "if [ -e \"$CWMP_ROOT/tmp/begun\" ]; then echo reset >>\"$CWMP_ROOT/tmp/reset\"; exit 0; fi\n\
         kill -9 $PPID\n\
         echo x >\"$CWMP_ROOT/tmp/begun\"",
    );
    cpe.start();
    assert!(acs.wait_session(1, PATIENCE).unwrap().complete());
    cpe.wait_file("/tmp/begun");
    cpe.kill();
    assert!(!cpe.exists("/tmp/rebooted"));

    // Started again on the same boot: nothing is told before the box is reset.
    cpe.start();
    assert_eq!(cpe.wait_file("/tmp/rebooted"), "reboot\n");
    assert_eq!(cpe.router.read("/tmp/reset").unwrap(), "reset\n");
    assert!(cpe.stop().success());
    assert_eq!(acs.record().sessions.len(), 1);

    cpe.new_boot();
    cpe.start();
    let second = acs.wait_session(2, PATIENCE).unwrap();
    assert_eq!(second.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    assert!(cpe.stop().success());
    acs.finish().unwrap();
}

// A command that takes the box down itself is not run for ever.
#[test]
fn a_reset_command_that_never_ends_well_is_run_twice_at_most() {
    let acs = Acs::start(AcsConfig::default().session(Script::of([factory_reset()]))).unwrap();
    let mut cpe = Cpe::new(&acs.url());
    cpe.script(
        "reset",
        "echo reset >>\"$CWMP_ROOT/tmp/reset\"\nkill -9 $PPID\necho x >>\"$CWMP_ROOT/tmp/begun\"",
    );
    cpe.start();
    assert!(acs.wait_session(1, PATIENCE).unwrap().complete());
    cpe.wait_text("/tmp/begun", |t| t.lines().count() == 1);
    cpe.kill();
    cpe.new_boot();
    cpe.start();
    cpe.wait_text("/tmp/begun", |t| t.lines().count() == 2);
    cpe.kill();
    cpe.new_boot();
    cpe.start();
    cpe.wait_file("/tmp/rebooted");
    assert!(cpe.stop().success());
    assert_eq!(cpe.router.read("/tmp/reset").unwrap().lines().count(), 2);
    cpe.new_boot();
    cpe.start();
    let second = acs.wait_session(2, PATIENCE).unwrap();
    assert_eq!(second.events(), ["0 BOOTSTRAP", "1 BOOT"]);
    acs.finish().unwrap();
}
