#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fsc_fuzz_bodies::bindings(data));
