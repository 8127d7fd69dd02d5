//! `cwmp-agent migrate` with the power going at every step.

mod frail_cpe;

use cwmp_agent::agent::migrate::{Agent, migrate};

const SETTINGS: &str = "/etc/config/cwmp";
const THEIRS: &str = "/etc/config/easycwmp";
const EASYCWMP: &str = "\
config acs
	option url 'http://acs.example.net/'
	option password 'acs-s3cret'

config device
	option serial_number 'SN0001'
";

#[test]
fn a_power_cut_leaves_the_old_settings_or_the_new() {
    let cpe = frail_cpe::Cpe::new();
    cpe.write(THEIRS, EASYCWMP.as_bytes());
    let old = cpe.router.read(SETTINGS).expect("it");
    let seen = std::cell::Cell::new([false; 2]);
    let new = {
        let image = cpe.image();
        let done = migrate(&cpe.setup(&cpe.disk()), Some(Agent::Easycwmp), false, true);
        assert!(done.expect("a report").changed);
        let new = cpe.router.read(SETTINGS).expect("it");
        cpe.put_back(&image);
        new
    };
    assert_ne!(old, new);
    cpe.at_every_cut(
        |disk, arm| {
            let setup = cpe.setup(disk);
            arm();
            let _ = migrate(&setup, Some(Agent::Easycwmp), false, true);
        },
        |cut| {
            let now = cpe.router.read(SETTINGS).expect("settings");
            assert!(now == old || now == new, "{}: {now}", cut.what);
            let mut both = seen.get();
            both[usize::from(now == new)] = true;
            seen.set(both);
            // The next start goes on as ever.
            drop(cpe.open(&cpe.disk()));
            cpe.nothing_left_behind(cut.what);
        },
    );
    assert_eq!(seen.get(), [true, true]);
}
