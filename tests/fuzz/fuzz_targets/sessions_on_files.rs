#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::sessions_on_files(data));
