//! Natives on a sample root: processes with hostile names, the processor, the clock.

mod scratch;

use cwmp_agent::model::binding::{Binding, Rows};
use cwmp_agent::model::source::{Ask, Raw, Source};
use cwmp_agent::source::Runtime;
use cwmp_agent::source::native::NativeSource;
use cwmp_agent::store::Root;
use scratch::Scratch;

fn read(s: &mut NativeSource, name: &str, rows: &[&str]) -> Option<String> {
    let rows: Vec<String> = rows.iter().map(|r| r.to_string()).collect();
    let binding = Binding::Native(name.into());
    match s
        .read(&[Ask {
            binding: &binding,
            rows: &rows,
        }])
        .remove(0)
        .unwrap()
    {
        Some(Raw::Text(text)) => Some(text),
        None => None,
        Some(Raw::List(_)) => panic!("a list"),
    }
}

fn source(t: &Scratch) -> NativeSource {
    NativeSource::new(Root::new(t.dir()).unwrap(), Runtime::default())
}

#[test]
fn a_process_with_a_hostile_name_is_read_right() {
    let t = Scratch::new();
    t.file(
        "proc/7/stat",
        "7 (a) R 1 (b) Z) S 1 7 7 0 -1 4194560 320 0 2 0 612 941 0 0 39 19 1 0 1 2617344 426\n",
    );
    t.file("proc/7/cmdline", "/bin/a\0--x\0y z\0");
    t.file(
        "proc/8/stat",
        "8 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0 0 0 5 0 0 -51 0 1 0 37 0 0\n",
    );
    t.file("proc/8/cmdline", "");
    t.file("proc/8/comm", "kworker/0:1\n");
    t.file("proc/9/stat", "torn");
    let mut s = source(&t);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(read(&mut s, "process_state", &["7"]), some("Sleeping"));
    assert_eq!(read(&mut s, "process_cpu_time", &["7"]), some("15530"));
    assert_eq!(read(&mut s, "process_priority", &["7"]), some("99"));
    assert_eq!(
        read(&mut s, "process_command", &["7"]),
        some("/bin/a --x y z")
    );
    assert_eq!(read(&mut s, "process_state", &["8"]), some("Idle"));
    assert_eq!(read(&mut s, "process_priority", &["8"]), some("0"));
    assert_eq!(
        read(&mut s, "process_command", &["8"]),
        some("[kworker/0:1]")
    );
    for row in ["9", "10", "../7", "", "self"] {
        assert_eq!(read(&mut s, "process_state", &[row]), None, "{row}");
    }
}

#[test]
fn the_processor_is_measured_between_readings() {
    let t = Scratch::new();
    let stat = |busy: u64, idle: u64| {
        t.file(
            "proc/stat",
            &format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\nctxt 1\n"),
        )
    };
    let mut s = source(&t);
    assert_eq!(read(&mut s, "cpu_usage", &[]), None);
    stat(100, 300);
    assert_eq!(read(&mut s, "cpu_usage", &[]).unwrap(), "25");
    stat(150, 349);
    assert_eq!(
        read(&mut s, "cpu_usage", &[]).unwrap(),
        "25",
        "less than a second later"
    );
    stat(200, 310);
    assert_eq!(read(&mut s, "cpu_usage", &[]).unwrap(), "90");
    stat(0, 0);
    assert_eq!(
        read(&mut s, "cpu_usage", &[]).unwrap(),
        "90",
        "counters that went back"
    );
    t.file("proc/stat", "nothing\n");
    let binding = Binding::Native("cpu_usage".into());
    assert!(
        s.read(&[Ask {
            binding: &binding,
            rows: &[]
        }])[0]
            .is_err()
    );
}

#[test]
fn the_local_time_has_the_offset_of_the_configured_zone() {
    let t = Scratch::new();
    let mut s = source(&t);
    assert!(
        read(&mut s, "current_local_time", &[])
            .unwrap()
            .ends_with('Z')
    );
    t.file("etc/TZ", "<+03>-3\n");
    assert!(
        read(&mut s, "current_local_time", &[])
            .unwrap()
            .ends_with("+03:00")
    );
    t.file(
        "etc/config/system",
        "config system\n\toption timezone '<-0930>9:30'\n",
    );
    assert!(
        read(&mut s, "current_local_time", &[])
            .unwrap()
            .ends_with("-09:30")
    );
}

#[test]
fn rows_of_a_device_are_its_addresses() {
    let t = Scratch::new();
    let mut s = source(&t);
    let table = Rows::Native("ipv4_addresses".into());
    let rows = s.rows(&table, &["lo".to_owned()]).unwrap();
    for row in rows {
        assert_eq!(
            read(&mut s, "ipv4_address", &["lo", &row.key]),
            Some(row.key.clone())
        );
        assert!(read(&mut s, "ipv4_netmask", &["lo", &row.key]).is_some());
    }
    assert!(s.rows(&table, &[]).is_err());
    assert!(s.rows(&Rows::Native("none".into()), &[]).is_err());
}
