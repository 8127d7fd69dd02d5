#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::listener_head(data));
