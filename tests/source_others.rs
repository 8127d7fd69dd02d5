//! The command, constant and memory sources.

mod scratch;

use cwmp_agent::model::binding::{Binding, CommandAt, Pick, Rows};
use cwmp_agent::model::source::{Ask, Raw, Refusal, Source, Trouble};
use cwmp_agent::source::Limits;
use cwmp_agent::source::command::CommandSource;
use cwmp_agent::source::constant::ConstantSource;
use cwmp_agent::source::memory::MemorySource;
use cwmp_agent::store::Root;
use scratch::Scratch;
use std::time::{Duration, Instant};

fn command(argv: &[&str], pick: Pick) -> Binding {
    Binding::Command(Box::new(CommandAt {
        argv: argv.iter().map(|a| a.to_string()).collect(),
        pick,
    }))
}

fn read(s: &mut dyn Source, binding: &Binding, rows: &[&str]) -> Result<Option<String>, Trouble> {
    let rows: Vec<String> = rows.iter().map(|r| r.to_string()).collect();
    s.read(&[Ask {
        binding,
        rows: &rows,
    }])
    .remove(0)
    .map(|v| {
        v.map(|raw| match raw {
            Raw::Text(text) => text,
            Raw::List(items) => format!("{items:?}"),
        })
    })
}

fn source(t: &Scratch, limits: Limits) -> CommandSource {
    CommandSource::new(Root::new(t.dir()).unwrap(), limits)
}

#[test]
fn a_command_runs_once_a_request_for_all_that_is_picked_from_it() {
    let t = Scratch::new();
    let log = t.path("log");
    let script = format!("echo run >> {}; echo 'a: 1'; echo 'b: 2'", log.display());
    let pick = |key: &str| Pick {
        key: Some(key.into()),
        ..Pick::default()
    };
    let a = command(&["/bin/sh", "-c", &script], pick("a"));
    let b = command(&["/bin/sh", "-c", &script], pick("b"));
    let mut s = source(&t, Limits::default());
    s.begin();
    let both = s.read(&[
        Ask {
            binding: &a,
            rows: &[],
        },
        Ask {
            binding: &b,
            rows: &[],
        },
    ]);
    assert_eq!(both[0], Ok(Some(Raw::Text("1".into()))));
    assert_eq!(both[1], Ok(Some(Raw::Text("2".into()))));
    assert_eq!(read(&mut s, &a, &[]).unwrap().unwrap(), "1");
    assert_eq!(t.read("log"), "run\n");
    s.begin();
    read(&mut s, &a, &[]).unwrap();
    assert_eq!(t.read("log"), "run\nrun\n");
}

#[test]
fn row_keys_become_one_argument_and_never_an_option() {
    let t = Scratch::new();
    let mut s = source(&t, Limits::default());
    let echo = command(&["/bin/echo", "-n", "{row}"], Pick::default());
    let hostile = "$(id);`id` | x *";
    assert_eq!(read(&mut s, &echo, &[hostile]).unwrap().unwrap(), hostile);
    assert!(
        read(&mut s, &echo, &["-n"])
            .unwrap_err()
            .what
            .contains("option")
    );
    assert!(read(&mut s, &echo, &["a\nb"]).is_err());
    let told = read(
        &mut s,
        &command(&["{row}"], Pick::default()),
        &["/bin/echo"],
    );
    assert!(told.is_err(), "a row never names the program");
}

#[test]
fn a_command_learns_the_root() {
    let t = Scratch::new();
    let mut s = source(&t, Limits::default());
    let env = command(
        &["/usr/bin/env"],
        Pick {
            key: Some("CWMP_ROOT".into()),
            ..Pick::default()
        },
    );
    assert_eq!(
        read(&mut s, &env, &[]).unwrap().unwrap(),
        t.dir().to_str().unwrap()
    );
}

#[test]
fn a_failing_command_is_trouble_for_its_own_parameters_only() {
    let t = Scratch::new();
    let mut s = source(&t, Limits::default());
    let bad = command(&["/bin/sh", "-c", "echo out; exit 4"], Pick::default());
    let good = command(&["/bin/echo", "fine"], Pick::default());
    let both = s.read(&[
        Ask {
            binding: &bad,
            rows: &[],
        },
        Ask {
            binding: &good,
            rows: &[],
        },
    ]);
    let told = both[0].clone().unwrap_err();
    assert_eq!(told.source, "command /bin/sh");
    assert!(told.what.contains("status 4"), "{told}");
    assert_eq!(both[1], Ok(Some(Raw::Text("fine".into()))));
    assert!(read(&mut s, &command(&["/no/such"], Pick::default()), &[]).is_err());
}

#[test]
fn a_command_may_take_and_print_only_so_much() {
    let t = Scratch::new();
    let limits = Limits {
        command_timeout: Duration::from_millis(200),
        request_deadline: Duration::from_secs(30),
        ..Limits::default()
    };
    let mut s = source(&t, limits);
    s.begin();
    let slow = read(
        &mut s,
        &command(&["/bin/sleep", "600"], Pick::default()),
        &[],
    );
    assert!(slow.unwrap_err().what.contains("killed"));
    let mut s = source(&t, Limits::default());
    let much = read(
        &mut s,
        &command(&["/bin/cat", "/dev/zero"], Pick::default()),
        &[],
    );
    assert!(much.unwrap_err().what.contains("65536"));
}

#[test]
fn a_request_has_one_deadline_for_all_its_commands() {
    let t = Scratch::new();
    let limits = Limits {
        request_deadline: Duration::from_secs(1),
        ..Limits::default()
    };
    let mut s = source(&t, limits);
    s.begin();
    let start = Instant::now();
    let sleep = command(&["/bin/sleep", "600{row}"], Pick::default());
    let rows: Vec<Vec<String>> = (0..200).map(|n| vec![n.to_string()]).collect();
    let asks: Vec<Ask> = rows
        .iter()
        .map(|rows| Ask {
            binding: &sleep,
            rows,
        })
        .collect();
    let all = s.read(&asks);
    assert_eq!(all.len(), 200);
    assert!(all.iter().all(Result::is_err));
    assert!(start.elapsed() < Duration::from_secs(20));
    s.begin();
    let told = read(&mut s, &command(&["/no/such"], Pick::default()), &[]).unwrap_err();
    assert!(
        told.what.contains("cannot be started"),
        "the next request starts anew: {told}"
    );
}

#[test]
fn commands_cannot_be_set() {
    let t = Scratch::new();
    let mut s = source(&t, Limits::default());
    let echo = command(&["/bin/echo", "x"], Pick::default());
    let ask = Ask {
        binding: &echo,
        rows: &[],
    };
    assert!(matches!(
        s.stage(ask, Some(Raw::Text("x".into()))),
        Err(Refusal::Trouble(_))
    ));
}

#[test]
fn constants_and_fixed_rows_are_as_written() {
    let mut s = ConstantSource;
    let model = Binding::Constant("port {row}".into());
    assert_eq!(read(&mut s, &model, &["7"]).unwrap().unwrap(), "port 7");
    let rows = s
        .rows(&Rows::Fixed(["1".into(), "2".into()].into()), &[])
        .unwrap();
    assert_eq!(
        rows.iter().map(|r| r.key.as_str()).collect::<Vec<_>>(),
        ["1", "2"]
    );
    let ask = Ask {
        binding: &model,
        rows: &[],
    };
    assert!(s.stage(ask, None).is_err());
}

#[test]
fn memory_keeps_what_is_in_force_and_forgets_what_is_not() {
    let mut s = MemorySource::default();
    let limit = Binding::Memory("limit".into());
    let rows = ["a".to_owned()];
    let ask = Ask {
        binding: &limit,
        rows: &rows,
    };
    let text = |t: &str| Some(Raw::Text(t.into()));
    assert_eq!(read(&mut s, &limit, &["a"]), Ok(None));
    s.stage(ask, text("1")).unwrap();
    assert_eq!(read(&mut s, &limit, &["a"]).unwrap().unwrap(), "1");
    s.prepare().unwrap();
    s.finish(false);
    assert_eq!(read(&mut s, &limit, &["a"]), Ok(None));
    s.stage(ask, text("2")).unwrap();
    s.finish(true);
    assert_eq!(read(&mut s, &limit, &["a"]).unwrap().unwrap(), "2");
    assert_eq!(
        read(&mut s, &limit, &["b"]),
        Ok(None),
        "each row has its own"
    );
    s.stage(ask, None).unwrap();
    assert_eq!(read(&mut s, &limit, &["a"]), Ok(None));
    s.finish(true);
    assert_eq!(read(&mut s, &limit, &["a"]), Ok(None));
    let big = Some(Raw::Text("x".repeat(300 * 1024)));
    assert!(matches!(s.stage(ask, big), Err(Refusal::Full(_))));
}
