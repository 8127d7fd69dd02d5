//! The commands while no daemon runs: the state lock is taken for the moment, the model
//! opened, one question answered, and what changed is reloaded.

use super::control::{Answer, Question, client};
use super::discovery;
use super::modules;
use super::operate;
use super::setup::{Setup, SetupError};
use super::status;
use super::transfers::local;
use super::watch;
use super::world::World;
use std::time::{Duration, Instant};

/// How long another process may hold the state without listening (`run --once`, another
/// command) before a command gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who answers a question.
pub enum Reached {
    /// The daemon has.
    Answered(Answer),
    /// No daemon runs: everything is this process's own.
    Alone(Box<World>),
}

/// Asks the running daemon, or answers without one.
pub fn ask(setup: &Setup, question: &Question) -> Result<Answer, SetupError> {
    Ok(match reach(setup, question)? {
        Reached::Answered(answer) => answer,
        Reached::Alone(world) => answer(&world, question),
    })
}

/// Asks the running daemon, or takes its place.
pub fn reach(setup: &Setup, question: &Question) -> Result<Reached, SetupError> {
    let run_dir = setup.run_path()?;
    let until = Instant::now() + PATIENCE;
    loop {
        match client::ask(&run_dir, question) {
            Ok(Some(answer)) => return Ok(Reached::Answered(answer)),
            Ok(None) => {}
            Err(e) => {
                return Err(SetupError::System(format!(
                    "cwmp-agent: the daemon cannot be asked: {e}"
                )));
            }
        }
        match World::open(setup.clone()) {
            Ok(world) => return Ok(Reached::Alone(Box::new(world))),
            // Somebody holds the state: a daemon that starts, or a command that ends soon.
            Err(SetupError::System(_)) if Instant::now() < until && is_held(setup) => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(e) => return Err(e),
        }
    }
}

fn is_held(setup: &Setup) -> bool {
    use crate::store::lock::{LockError, StateLock};
    let Ok(dir) = setup.state_path() else {
        return false;
    };
    !matches!(
        StateLock::acquire_on(&*setup.disk, &dir),
        Err(LockError::Io(_))
    )
}

/// Answers without a daemon.
pub fn answer(world: &World, question: &Question) -> Answer {
    match question {
        Question::Status => {
            let mut told = status::on_disk(world);
            told.sources_in_trouble = status::troubles(&world.model());
            return Answer::Status(Box::new(told));
        }
        Question::Inform { .. } => {
            return Answer::Failed(
                "no daemon is running; start one with `cwmp-agent run`".to_owned(),
            );
        }
        Question::Dhcp { .. } => return discovery::learn(world, question).unless_lost(),
        _ => {}
    }
    if let Some(answer) = local::answer(world, question, true) {
        return answer;
    }
    let answered = operate::operate(&mut world.model(), question);
    match answered {
        Some((answer, effect)) => {
            watch::changed_by_hand(world, &effect.changed);
            world.reload(&effect.reload);
            modules::apply_written(world);
            answer
        }
        None => Answer::Failed("not a question about the tree".to_owned()),
    }
}
