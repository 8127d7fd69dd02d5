//! Transfers that a person asks for at the box (`cwmp-agent download`, `upload`), and what a
//! person may do to those of the ACS.

use super::shown;
use crate::agent::clock;
use crate::agent::control::{Answer, Question};
use crate::agent::status;
use crate::agent::world::World;
use crate::cwmp::event::EventCode;
use crate::cwmp::message::{CpeRequest, RequestDownload, TransferFault};
use crate::net::tls;
use crate::net::url::Url;
use crate::transfer::file_types::Numbered;
use crate::transfer::queue::{CancelRefused, Entry, Id, Kind, Local, NotKept};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most arguments of a RequestDownload (TR-069 A.4.2.2), and characters of their names and
/// values.
const MAX_ARGUMENTS: usize = 16;
const MAX_NAME: usize = 64;
const MAX_VALUE: usize = 256;

/// A transfer that a person asks for. Debug output leaves user name and password out.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    pub upload: bool,
    pub url: String,
    pub file_type: String,
    pub username: String,
    pub password: String,
    pub target: String,
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wish")
            .field("upload", &self.upload)
            .field("url", &shown(&self.url))
            .field("file_type", &self.file_type)
            .finish_non_exhaustive()
    }
}

/// Puts it into the queue; gives its number.
fn accept(world: &World, wish: &Wish) -> Result<Id, String> {
    let url = Url::parse(&wish.url).map_err(|e| e.to_string())?;
    tls::possible(&url)?;
    let known = match wish.upload {
        true => world.files.types.upload(&wish.file_type).is_some(),
        false => world.files.types.download(&wish.file_type).is_some(),
    };
    if !known {
        let shown: String = wish.file_type.chars().take(64).collect();
        return Err(format!(
            "{shown:?} is no file type; write one that agent.toml names, or a built-in one"
        ));
    }
    // Rows come and go: one that is there now may be gone when its turn comes.
    if wish.upload
        && let Some(numbered) = Numbered::of(&wish.file_type)
    {
        let mut model = world.model();
        model.begin();
        if model.row_key(&super::row_of(numbered)).is_err() {
            return Err(format!(
                "there is no {}; `cwmp-agent get Device.DeviceInfo.` lists those that are",
                super::row_of(numbered)
            ));
        }
    }
    let asked = Local {
        is_download: !wish.upload,
        file_type: wish.file_type.clone(),
        url: wish.url.clone(),
        username: wish.username.clone(),
        password: wish.password.clone(),
        file_size: 0,
        target_file_name: wish.target.clone(),
    };
    let accepted = world.transfers().accept_local(clock::unix_seconds(), asked);
    accepted.map_err(|e| why(e).to_owned())
}

fn why(error: NotKept) -> &'static str {
    match error {
        NotKept::Full => "too many transfers are in the queue; wait for one to end",
        NotKept::Disk => "the transfer cannot be kept: the disk takes no writes",
        NotKept::TooLong => "the URL, or another text, is too long; write a shorter one",
        NotKept::Gone => "the transfer was cancelled",
    }
}

/// Answers what a person asks of transfers; `None`: it is about something else. `here`: without
/// a dispatcher, what is asked for is done before this returns.
pub fn answer(world: &World, question: &Question, here: bool) -> Option<Answer> {
    Some(match question {
        Question::Transfer(wish) => match accept(world, wish) {
            Err(what) => Answer::Failed(what),
            Ok(id) => {
                let job = here.then(|| world.transfers().begin_only(id, clock::unix_seconds()));
                if let Some(job) = job.flatten() {
                    super::carry_here(world, &job);
                }
                progress(world, id)
            }
        },
        Question::Progress { id } => progress(world, *id),
        Question::Confirm { key } => confirm(world, key),
        Question::Cancel { key } => cancel(world, key),
        Question::RequestDownload {
            file_type,
            arguments,
        } => match here {
            true => {
                Answer::Failed("no daemon is running; start one with `cwmp-agent run`".to_owned())
            }
            false => request(world, file_type, arguments),
        },
        _ => return None,
    })
}

/// How far it has come, or how it has ended.
fn progress(world: &World, id: Id) -> Answer {
    let entries = status::transfers(world);
    if let Some(entry) = entries.into_iter().find(|t| t.id == id) {
        return Answer::Transfer(Box::new(entry));
    }
    match world.files.end_of(id) {
        Some(TransferFault { code, text }) => Answer::Transfer(Box::new(status::Transfer {
            id,
            stage: "completed".to_owned(),
            fault: (code != 0).then_some((code, text)),
            ..status::Transfer::default()
        })),
        None => Answer::Failed("the transfer is not known any more".to_owned()),
    }
}

/// Lets scheduled downloads of this key go on.
fn confirm(world: &World, key: &str) -> Answer {
    match world.transfers().confirm(key) {
        Ok(0) => Answer::Failed(format!(
            "no transfer with the CommandKey {key:?} waits for a confirmation"
        )),
        Ok(_) => Answer::Done,
        Err(e) => Answer::Failed(why(e).to_owned()),
    }
}

/// Cancels transfers of this key.
fn cancel(world: &World, key: &str) -> Answer {
    let cancelled = world.transfers().cancel(key);
    world.files.stop_cancelled();
    match cancelled {
        Ok(0) => Answer::Failed(format!("no transfer has the CommandKey {key:?}")),
        Ok(_) => Answer::Done,
        Err(CancelRefused::TooLate) => {
            Answer::Failed("it is being applied, or completed, already".to_owned())
        }
        Err(CancelRefused::Disk) => {
            Answer::Failed("the disk takes no writes; it goes on".to_owned())
        }
    }
}

/// Has the ACS asked for a download, where it lists RequestDownload.
fn request(world: &World, file_type: &str, arguments: &[(String, String)]) -> Answer {
    let fits = |text: &str, most: usize| text.chars().count() <= most;
    let bounded = fits(file_type, 64)
        && arguments.len() <= MAX_ARGUMENTS
        && arguments
            .iter()
            .all(|(name, value)| fits(name, MAX_NAME) && fits(value, MAX_VALUE));
    if !bounded {
        return Answer::Failed(format!(
            "too long; write at most {MAX_ARGUMENTS} arguments, names of {MAX_NAME} and values of {MAX_VALUE} characters"
        ));
    }
    let request = RequestDownload {
        file_type: file_type.to_owned(),
        arguments: arguments.to_vec(),
    };
    let url = world.settings().acs.url.clone();
    let wire = CpeRequest::RequestDownload(request.clone());
    let peers = world.peers();
    if peers.is_listed(&url) && !peers.allows(&url, &wire) {
        return Answer::Failed("the ACS does not take RequestDownload".to_owned());
    }
    drop(peers);
    world.files.set_request(Some(request));
    let mut owed = world.owed();
    owed.raise_by_hand(EventCode::RequestDownload);
    owed.save();
    Answer::Done
}

/// Whether the ACS wants to be told of this local transfer.
pub fn is_wanted(world: &World, entry: &Entry) -> bool {
    let settings = world.settings();
    let code = entry.result.as_ref().map_or(0, |result| result.code);
    let policy = &settings.cpe.policies.transfers;
    policy.wanted(entry.kind != Kind::Upload, &entry.file_type, code)
}
