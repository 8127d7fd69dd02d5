//! An ACS that refuses to be told how a transfer or a change of software modules has ended:
//! it is told again in a few sessions, and then no more. What nobody wants to hear must not
//! fill the queue for ever.

mod frail_cpe;

use cwmp_agent::agent;
use cwmp_agent::cwmp::event::EventCode;
use cwmp_agent::store::state::StateDir;
use frail_cpe::acs::*;
use frail_cpe::*;

const ALWAYS: u32 = 10_000;
const NOTHING: [&str; 0] = [];

/// The ACS refuses so many TransferCompletes.
fn refuses(cpe: &Cpe, times: u32, code: u16) {
    let rule = Rule::times(
        times,
        When::Message("TransferComplete"),
        Trouble::Fault(code),
    );
    cpe.acs.push_rule(rule);
}

/// A life of the agent on the same boot, in which one session for something else takes place.
fn periodic(cpe: &Cpe) -> SessionRecord {
    let world = cpe.open(&cpe.disk());
    agent::begin(&world);
    world.owed().raise(EventCode::Periodic, "");
    one_session(&world);
    assert!(!world.owed().wants_session(), "it asks for no other");
    drop(world);
    let session = cpe.last_session();
    assert!(session.complete(), "{:?}", session.end);
    session
}

fn queued(cpe: &Cpe) -> usize {
    cpe.open(&cpe.disk()).transfers().entries().len()
}

/// A box whose ACS has refused for the first of so many times to hear of a transfer.
fn refused_once(times: u32, code: u16) -> Cpe {
    let cpe = Cpe::known();
    cpe.boot();
    refuses(&cpe, times, code);
    cpe.script(Script::of([download(&cpe.file("k", "/f"))]));
    cpe.life();
    let session = cpe.last_session();
    assert_eq!(session.events(), ["7 TRANSFER COMPLETE", "M Download"]);
    assert_eq!(session.messages_named("TransferComplete").len(), 1);
    cpe
}

#[test]
fn a_transfer_that_the_acs_refuses_to_hear_of_in_three_sessions_is_told_no_more() {
    let cpe = refused_once(ALWAYS, 8002);
    // Each time by another run of the agent: what is counted is on disk.
    for _ in 0..2 {
        assert_eq!(queued(&cpe), 1);
        let session = periodic(&cpe);
        let events = ["2 PERIODIC", "7 TRANSFER COMPLETE", "M Download"];
        assert_eq!(session.events(), events);
        assert_eq!(session.messages_named("TransferComplete").len(), 1);
    }
    assert!(cpe.ask_nothing_left());
    assert_eq!(periodic(&cpe).events(), ["2 PERIODIC"]);
    cpe.boot();
    assert_eq!(cpe.life().1, ["1 BOOT"]);
}

// Fault 8000: it does not have the method, and will not have it in the next session either.
#[test]
fn an_acs_without_transfer_complete_is_told_once() {
    let cpe = refused_once(ALWAYS, 8000);
    assert!(cpe.ask_nothing_left());
    assert_eq!(periodic(&cpe).events(), ["2 PERIODIC"]);
}

#[test]
fn one_that_is_taken_in_the_end_is_told_of_once() {
    let cpe = refused_once(2, 8002);
    periodic(&cpe);
    let session = periodic(&cpe);
    assert_eq!(session.messages_named("TransferComplete").len(), 1);
    assert!(cpe.ask_nothing_left());
}

#[test]
fn a_queue_full_of_what_the_acs_refuses_to_hear_has_room_again() {
    let cpe = Cpe::known();
    cpe.boot();
    refuses(&cpe, 3 * 16, 8002);
    let one = |key: &str| download(&cpe.file(key, "/f"));
    let all = (0..16).map(|n| one(&format!("k{n}")));
    cpe.script(Script::of(all));
    cpe.life();
    assert_eq!(queued(&cpe), 16);
    let mut sessions = 1;
    loop {
        cpe.script(Script::of([one("next")]));
        let session = periodic(&cpe);
        sessions += 1;
        assert_eq!(session.messages_named("TransferComplete").len(), 16);
        match session.faults().as_slice() {
            [] => break,
            faults => assert_eq!(faults, [9004]),
        }
    }
    assert_eq!(sessions, 3);
    let before = cpe.sessions();
    cpe.life();
    let told = cpe.completed_since(before);
    assert_eq!(told, [("next".to_owned(), 0, true)]);
}

// A power cut anywhere in the last of the three sessions: the record is gone, or it is told
// again, and never more often than there are sessions left.
#[test]
fn a_power_cut_while_a_refusal_is_counted_neither_loses_nor_keeps_it_for_ever() {
    let cpe = refused_once(ALWAYS, 8002);
    periodic(&cpe);
    cpe.at_every_cut(
        |disk, cut_from_here| {
            let world = cpe.open(disk);
            agent::begin(&world);
            world.owed().raise(EventCode::Periodic, "");
            cut_from_here();
            one_session(&world);
        },
        |cut| {
            let told = |session: &SessionRecord| session.messages_named("TransferComplete").len();
            let was_told = cut.sessions.iter().map(told).sum::<usize>();
            cpe.life();
            let again = told(&cpe.last_session());
            assert!(was_told + again >= 1, "{}: lost", cut.what);
            assert!(again <= 1, "{}", cut.what);
            assert!(cpe.ask_nothing_left(), "{}", cut.what);
        },
    );
}

// The queue of a program that did not count.
#[test]
fn a_record_without_a_count_is_still_one() {
    let cpe = refused_once(ALWAYS, 8002);
    let state = StateDir::open(&cpe.router.path(STATE)).expect("the folder");
    let mut queue: serde_json::Value = state.load("transfers").expect("the queue");
    let record = queue["records"][0].as_object_mut().expect("a record");
    assert_eq!(record.remove("refusals"), Some(1.into()));
    state.save("transfers", &queue).expect("written");
    for _ in 0..3 {
        assert_eq!(queued(&cpe), 1);
        periodic(&cpe);
    }
    assert!(cpe.ask_nothing_left());
    assert_eq!(cpe.life().1, NOTHING);
}
