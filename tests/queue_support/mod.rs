//! A queue of transfers on a disk that can fail, and what an ACS asks of it.

#![allow(dead_code)]

#[path = "../frail/mod.rs"]
pub mod frail;

use cwmp_agent::cwmp::event::EventCode;
use cwmp_agent::cwmp::message::{
    CpeRequest, Download, ScheduleDownload, TimeWindow, TransferComplete, TransferFault, Upload,
};
use cwmp_agent::store::state::StateDir;
use cwmp_agent::transfer::queue::{Job, Local, Queue};
use frail::FrailDisk;
use std::path::Path;
use std::sync::Arc;

pub const NOW: i64 = 1_800_000_000;
/// Where the state file lies.
pub const FILE: &str = "/state/transfers";

pub fn disk() -> Arc<FrailDisk> {
    Arc::new(FrailDisk::holding(&[]))
}

pub fn state(disk: &Arc<FrailDisk>) -> StateDir {
    StateDir::open_on(disk.clone(), Path::new("/state")).expect("a folder")
}

pub fn load(disk: &Arc<FrailDisk>) -> Queue {
    Queue::load(&state(disk))
}

/// The next run of the agent, without a boot.
pub fn restarted(disk: &Arc<FrailDisk>, now: i64) -> Queue {
    let mut queue = load(disk);
    assert!(queue.started(false, "firmware 1", None, now));
    queue
}

/// The next run of the agent, after a boot of this firmware.
pub fn rebooted(disk: &Arc<FrailDisk>, firmware: &str, flashed: Option<bool>, now: i64) -> Queue {
    let mut queue = load(disk);
    assert!(queue.started(true, firmware, flashed, now));
    queue
}

pub fn download(key: &str) -> Download {
    Download {
        command_key: key.to_owned(),
        file_type: "1 Firmware Upgrade Image".to_owned(),
        url: "https://files.example/image?token=hidden".to_owned(),
        username: "someone".to_owned(),
        password: "pass phrase".to_owned(),
        file_size: 1000,
        target_file_name: "image".to_owned(),
        delay_seconds: 0,
        success_url: String::new(),
        failure_url: String::new(),
    }
}

pub fn upload(key: &str) -> Upload {
    Upload {
        command_key: key.to_owned(),
        file_type: "1 Vendor Configuration File".to_owned(),
        url: "http://files.example/up".to_owned(),
        username: String::new(),
        password: String::new(),
        delay_seconds: 0,
    }
}

pub fn window(start: u32, end: u32, mode: &str, max_retries: i32) -> TimeWindow {
    TimeWindow {
        start,
        end,
        mode: mode.to_owned(),
        user_message: "May it begin?".to_owned(),
        max_retries,
    }
}

pub fn schedule(key: &str, windows: &[TimeWindow]) -> ScheduleDownload {
    let d = download(key);
    ScheduleDownload {
        command_key: d.command_key,
        file_type: d.file_type,
        url: d.url,
        username: d.username,
        password: d.password,
        file_size: d.file_size,
        target_file_name: d.target_file_name,
        windows: windows.to_vec(),
    }
}

pub fn local(is_download: bool) -> Local {
    Local {
        is_download,
        file_type: "3 Vendor Configuration File".to_owned(),
        url: "http://files.example/local".to_owned(),
        username: "someone".to_owned(),
        password: "pass phrase".to_owned(),
        file_size: 7,
        target_file_name: "config".to_owned(),
    }
}

pub fn fault(code: u16, text: &str) -> Result<(), TransferFault> {
    Err(TransferFault {
        code,
        text: text.to_owned(),
    })
}

/// A queue with these downloads, of which the first is on its way.
pub fn fetching(disk: &Arc<FrailDisk>, keys: &[&str]) -> (Queue, Job) {
    let mut queue = load(disk);
    for key in keys {
        queue.accept_download(NOW, &download(key)).expect("room");
    }
    queue.session_ended();
    let job = queue.begin(NOW, false).expect("a job");
    assert_eq!(job.command_key, keys[0]);
    (queue, job)
}

/// The TransferComplete that the ACS is to be told.
pub fn told(queue: &Queue) -> TransferComplete {
    match queue.to_tell().expect("something to tell").message {
        CpeRequest::TransferComplete(message) => message,
        other => panic!("{other:?}"),
    }
}

pub fn code(queue: &Queue) -> u16 {
    told(queue).fault.code
}

/// The stage of each transfer, in words.
pub fn stages(queue: &Queue) -> Vec<&'static str> {
    queue.entries().iter().map(|e| e.stage).collect()
}

pub fn events(queue: &Queue) -> Vec<String> {
    let text = |(code, key): (EventCode, String)| format!("{code} {key}").trim_end().to_owned();
    queue.events().into_iter().map(text).collect()
}
