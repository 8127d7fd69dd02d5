//! One transfer from its beginning to its end, on a thread of its own.
//!
//! ```text
//! download:  fetch -> verify -> check -> [no session runs] -> record "applying" -> apply
//! upload:    produce -> put
//! ```
//! Whatever goes wrong is the fault that the ACS is told. A stop that the end of the agent is
//! the reason of leaves the record as it is: the next start goes on from there.

use super::under_way::{Stage, UnderWay};
use super::{flash, folder};
use crate::agent::secret_options::secrets;
use crate::agent::world::World;
use crate::cwmp::fault;
use crate::cwmp::message::TransferFault;
use crate::model::source::Trouble;
use crate::net::file::{FileConfig, FileTimeouts};
use crate::net::http::AllowBasic;
use crate::net::url::Url;
use crate::transfer::apply::{self, Applying};
use crate::transfer::fetch::{FetchJob, fetch};
use crate::transfer::file_types::{Apply, DownloadType, FIRMWARE, Numbered};
use crate::transfer::produce::{Producing, What, produce};
use crate::transfer::put::put;
use crate::transfer::queue::{Job, Kind, NotKept};
use crate::transfer::verify::verify;
use std::path::Path;
use std::time::Duration;

/// The shortest time that a command which takes the box down is given: killed while it writes
/// the flash, it would leave a box that never starts again.
const FLASHING: Duration = Duration::from_secs(3600);
/// How long a command that takes the box down may have failed before that is believed:
/// sysupgrade ends with an error when the process manager is replaced beneath it, and all
/// programs are ended a moment later.
const BELIEVED: Duration = Duration::from_secs(20);

/// How often is looked whether a program has ended that is not ours to wait for.
const LOOK: Duration = Duration::from_millis(500);

/// What has become of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// It has ended, well or not; or it waits for its next try.
    Ended,
    /// It was applied, and the box is about to reboot.
    GoingDown,
    /// The agent ends: the next start goes on.
    Left,
}

/// Carries out `job`. `device`: traffic keeps to it. `may_apply` waits until no session runs
/// and none is about to; `false`: it is not to be applied now, the agent ends.
pub fn carry(
    world: &World,
    job: &Job,
    device: Option<&str>,
    under_way: &UnderWay,
    may_apply: &mut dyn FnMut() -> bool,
) -> Carried {
    log::info!(
        "transfer {}: {} {}",
        job.id,
        word(job.kind),
        shown(&job.url)
    );
    let carrying = Carrying {
        world,
        job,
        device,
        under_way,
    };
    let result = match job.kind {
        Kind::Upload => carrying.upload(),
        Kind::Download | Kind::ScheduleDownload => carrying.download(may_apply),
    };
    let result = match result {
        Err(Stopped::Left) => return Carried::Left,
        Err(Stopped::Fault(_)) if carrying.is_left() => return Carried::Left,
        Err(Stopped::Fault(fault)) => Err(fault),
        Ok(reboots) => Ok(reboots),
    };
    // What takes the box down may read its file yet; /tmp does not outlive the boot.
    if result != Ok(true) {
        folder::clear(world, job.id);
    }
    match &result {
        Ok(true) => log::info!("transfer {}: applied; the box reboots", job.id),
        Ok(false) => log::info!("transfer {}: done", job.id),
        Err(fault) => log::warn!("transfer {}: {} {}", job.id, fault.code, fault.text),
    }
    let goes_down = result == Ok(true);
    if result.is_err() {
        flash::forget_if_marked(world);
    }
    let progress = &under_way.progress;
    let bytes = match progress.total() {
        0 => progress.done(),
        total => total,
    };
    world.transfers().carried(job.id, bytes);
    super::finish(world, job.id, result.map(|_| ()));
    match goes_down {
        true => Carried::GoingDown,
        false => Carried::Ended,
    }
}

/// What a transfer is, in a word.
pub fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Download => "download",
        Kind::Upload => "upload",
        Kind::ScheduleDownload => "scheduled download",
    }
}

/// A URL as it may be shown.
pub fn shown(url: &str) -> String {
    crate::agent::session::shown_url(url)
}

enum Stopped {
    Fault(TransferFault),
    /// The agent ends.
    Left,
}

impl From<TransferFault> for Stopped {
    fn from(fault: TransferFault) -> Stopped {
        Stopped::Fault(fault)
    }
}

/// The way to a file server, without credentials. `device`: traffic keeps to it.
pub fn wire(world: &World, url: Url, device: Option<&str>) -> Result<FileConfig, String> {
    let settings = world.settings();
    let limits = &world.setup.config.limits;
    let floor = world.clock_floor();
    Ok(FileConfig {
        // Who names credentials for this one URL has chosen it; over http, too.
        allow_basic: match settings.acs.allow_basic {
            AllowBasic::Never => AllowBasic::Never,
            _ => AllowBasic::Always,
        },
        tls: Some(world.tls(&settings, floor)?),
        timeouts: FileTimeouts {
            connect: limits.connect_wait,
            response: limits.response_wait.min(limits.transfer_stall),
            stall: limits.transfer_stall,
            ..FileTimeouts::default()
        },
        device: device.map(str::to_owned),
        dscp: settings.cpe.dscp,
        ..FileConfig::new(url)
    })
}

struct Carrying<'a> {
    world: &'a World,
    job: &'a Job,
    device: Option<&'a str>,
    under_way: &'a UnderWay,
}

impl Carrying<'_> {
    /// Whether it was stopped because the agent ends, and for no other reason.
    fn is_left(&self) -> bool {
        self.world.is_stopping()
            && self.under_way.stop.is_stopped()
            && matches!(self.under_way.stage(), Stage::OnItsWay | Stage::Checked)
    }

    /// Tells whether the box reboots.
    fn download(&self, may_apply: &mut dyn FnMut() -> bool) -> Result<bool, Stopped> {
        let (world, job) = (self.world, self.job);
        let limits = &world.setup.config.limits;
        let kind = world.files.types.download(&job.file_type);
        // agent.toml may be another one than when it was accepted.
        let kind = kind.ok_or_else(|| self.failed("the file type is not known any more"))?;
        let folder = folder::make(world).map_err(|e| self.failed(&e.to_string()))?;
        let file = folder::place(&folder, job.id);
        self.wait_for_what_works(&file)?;
        let wire = self.wire()?;
        let fetched = fetch(
            wire.clone(),
            &FetchJob {
                into: &file,
                file_size: job.file_size,
                max: limits.transfer_size.into(),
                keep_free: limits.keep_free.into(),
            },
            &self.under_way.progress,
            &self.under_way.stop,
        );
        let fetched = fetched.map_err(|fault| self.late_or(fault))?;
        verify(&wire, &kind.verify, &file, &fetched, &self.under_way.stop)
            .map_err(|fault| self.late_or(fault))?;
        let secrets = secrets(world.model().schema());
        let is_stopped = || self.under_way.stop.is_stopped();
        let with = Applying {
            root: &world.setup.root,
            timeout: match kind.reboots {
                true => limits.transfer_command.max(FLASHING),
                false => limits.transfer_command,
            },
            keep_free: limits.keep_free.into(),
            unpacked: limits.transfer_size.into(),
            secrets: &secrets,
            stopped: &is_stopped,
        };
        let checking = Applying {
            timeout: limits.transfer_command,
            ..with
        };
        apply::check(kind, &file, &job.target_file_name, &checking)?;
        self.under_way.set_stage(Stage::Checked);
        if !may_apply() {
            return Err(Stopped::Left);
        }
        self.apply(kind, &file, &with)
    }

    /// An agent before this one may have ended while the file was being applied, by a program
    /// that has not: its file is left alone, and nothing is done beside it.
    fn wait_for_what_works(&self, file: &Path) -> Result<(), Stopped> {
        if apply::is_at_work(file) {
            log::warn!(
                "transfer {}: what an agent before this one began to apply is waited for",
                self.job.id
            );
        }
        while apply::is_at_work(file) {
            if !self.under_way.stop.wait(LOOK) {
                return Err(self.late_or(self.failed("cancelled")).into());
            }
        }
        Ok(())
    }

    fn apply(
        &self,
        kind: &DownloadType,
        file: &Path,
        with: &Applying<'_>,
    ) -> Result<bool, Stopped> {
        let (world, job) = (self.world, self.job);
        if kind.reboots {
            // A restart of the agent before the box is down must not be taken for its boot.
            world.settle_boot();
        }
        let is_firmware = kind.reboots && kind.file_type == FIRMWARE;
        let before = match is_firmware {
            true => {
                flash::mark(world);
                flash::firmware(&world.setup.root, &world.identity().software_version)
            }
            false => String::new(),
        };
        let recorded = world.transfers().applying(job.id, &before, kind.reboots);
        recorded.map_err(|e| match e {
            // Nobody is told of it.
            NotKept::Gone => self.failed("cancelled"),
            _ => TransferFault {
                code: fault::INTERNAL_ERROR,
                text: "that the file is being applied cannot be kept".to_owned(),
            },
        })?;
        self.under_way.set_stage(match kind.reboots {
            true => Stage::Flashing,
            false => Stage::Applying,
        });
        log::info!("transfer {}: applying {}", job.id, kind.file_type);
        let applied = match &kind.apply {
            Apply::Configuration => {
                // Nobody else changes these files meanwhile, and what a disk in trouble has left of
                // an earlier change is settled first: both are the model's.
                let mut model = world.model();
                apply::apply(kind, file, &job.target_file_name, with, &mut |files| {
                    model.replace(files).map_err(|fault| Trouble {
                        source: "configuration".to_owned(),
                        what: fault.text,
                    })
                })
            }
            _ => {
                let _one_at_a_time = crate::agent::world::lock(&world.acting);
                let nothing = &mut |_: &[_]| Ok(());
                apply::apply(kind, file, &job.target_file_name, with, nothing)
            }
        };
        match applied {
            Ok(applied) if !kind.reboots => {
                world.reload(&applied.reload);
                Ok(false)
            }
            Ok(_) => Ok(true),
            Err(fault) if kind.reboots => {
                let wait = BELIEVED.min(world.setup.config.limits.reboot_wait);
                if !self.under_way.stop.wait(wait) && world.is_stopping() {
                    // Perhaps it is what takes the box down that ends us.
                    return Err(Stopped::Left);
                }
                Err(fault.into())
            }
            // It was broken off for the end of the agent: nothing has changed.
            Err(_) if world.is_stopping() && matches!(kind.apply, Apply::WebContent { .. }) => {
                Err(Stopped::Left)
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// Never reboots.
    fn upload(&self) -> Result<bool, Stopped> {
        let (world, job) = (self.world, self.job);
        let limits = &world.setup.config.limits;
        let kind = world.files.types.upload(&job.file_type);
        let kind = kind.ok_or_else(|| self.failed("the file type is not known any more"))?;
        let what = self.what()?;
        let folder = folder::make(world).map_err(|e| self.failed(&e.to_string()))?;
        let file = folder::place(&folder, job.id);
        // What an attempt before has left.
        crate::transfer::fetch::discard(&file);
        let secrets = secrets(world.model().schema());
        let with = Producing {
            root: &world.setup.root,
            timeout: limits.transfer_command,
            most: limits.transfer_size.into(),
            secrets: &secrets,
        };
        produce(kind, &what, &file, &with)?;
        put(
            self.wire()?,
            &file,
            &self.under_way.progress,
            &self.under_way.stop,
        )
        .map_err(|fault| self.late_or(fault))?;
        Ok(false)
    }

    /// Which file it is.
    fn what(&self) -> Result<What, TransferFault> {
        let Some(numbered) = Numbered::of(&self.job.file_type) else {
            return Ok(What::All);
        };
        let key = || {
            let mut model = self.world.model();
            model.begin();
            model.row_key(&super::row_of(numbered))
        };
        let key = key().map_err(|e| self.failed(&e.text))?;
        Ok(match numbered {
            Numbered::Configuration(_) => What::Package(key),
            Numbered::Log(_) => What::Log(key),
        })
    }

    /// The way to the file server.
    fn wire(&self) -> Result<FileConfig, TransferFault> {
        let job = self.job;
        let url = Url::parse(&job.url).map_err(|e| self.failed(&e.to_string()))?;
        let wire = wire(self.world, url, self.device).map_err(|e| self.failed(&e))?;
        Ok(FileConfig {
            username: job.username.clone(),
            password: job.password.clone(),
            ..wire
        })
    }

    /// Another reason, where it was ended for being too slow.
    fn late_or(&self, fault: TransferFault) -> TransferFault {
        if !self.under_way.is_overdue() {
            return fault;
        }
        TransferFault {
            code: match self.job.kind {
                Kind::Upload => fault::UPLOAD_FAILURE,
                _ => 9017,
            },
            text: "it took longer than it may".to_owned(),
        }
    }

    fn failed(&self, text: &str) -> TransferFault {
        TransferFault {
            code: match self.job.kind {
                Kind::Upload => fault::UPLOAD_FAILURE,
                Kind::Download | Kind::ScheduleDownload => fault::DOWNLOAD_FAILURE,
            },
            text: text.to_owned(),
        }
    }
}
