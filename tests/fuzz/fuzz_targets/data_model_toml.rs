#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::data_model_toml(data));
