#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::uci_parse_edit(data));
