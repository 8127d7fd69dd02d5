//! Every seed of the fuzz targets, and every input that ever broke one, still passes.
//!
//! `tests/fuzz/run` looks for new ones.

use std::fs;
use std::path::Path;

#[path = "fuzz/targets.rs"]
mod targets;

fn replay(name: &str, target: fn(&[u8])) {
    replay_cut(name, target, 64);
}

/// Plays end where their bytes do, and each takes a while: a few beginnings will do.
fn replay_play(name: &str, target: fn(&[u8])) {
    replay_cut(name, target, 1);
}

fn replay_cut(name: &str, target: fn(&[u8]), cuts: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let folder = folder.join(name);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let data = fs::read(&path).unwrap();
        // Shown by the test harness only if the target panics.
        println!("{}", path.display());
        target(&data);
        // Every beginning of a seed is an input that was cut off.
        for end in (0..data.len()).step_by(1 + data.len() / cuts) {
            target(&data[..end]);
        }
        count += 1;
    }
    assert!(count > 0, "no seeds in {}", folder.display());
}

#[test]
fn random_sessions_with_a_router_in_memory_break_no_promise() {
    replay_play("sessions_in_memory", targets::sessions_in_memory);
}

#[test]
fn random_sessions_with_the_sample_router_break_no_promise() {
    replay_play("sessions_on_files", targets::sessions_on_files);
}

#[test]
fn no_state_file_keeps_the_agent_from_starting() {
    replay_cut("state_files", targets::state_files, 3);
}

#[test]
fn uci_files_survive_any_bytes_and_edits() {
    replay("uci_parse_edit", targets::uci_parse_edit);
}

#[test]
fn soap_survives_any_bytes() {
    replay("soap_read", targets::soap_read);
}

#[test]
fn paths_values_lists_and_patterns_survive_any_text() {
    replay("path_and_value", targets::path_and_value);
}

#[test]
fn data_model_files_are_taken_or_refused_with_reasons() {
    replay("data_model_toml", targets::data_model_toml);
}

#[test]
fn response_headers_of_an_acs_survive_any_text() {
    replay("http_fields", targets::http_fields);
}

#[test]
fn dhcp_options_survive_any_octets() {
    replay("dhcp_options", targets::dhcp_options);
}

#[test]
fn archives_survive_any_bytes_and_leave_nothing() {
    replay("archive_read", targets::archive_read);
}

#[test]
fn messages_of_ubusd_survive_any_bytes() {
    replay("ubus_blob", targets::ubus_blob);
}

#[test]
fn the_listener_survives_any_head() {
    replay("listener_head", targets::listener_head);
}
