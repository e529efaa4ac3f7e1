//! The same for programs in C. A static library must call `fsc_protocols::link`; it does a shared one no harm.

mod found;

/// How many services the library finds in itself.
#[allow(unsafe_code)] // the name is unique: nothing else that this is linked with begins with `fsc_`
#[unsafe(no_mangle)]
pub extern "C" fn fsc_count_services() -> usize {
    fsc_protocols::link();
    found::services()
}

/// How many protocols the library finds in itself.
#[allow(unsafe_code)] // as above
#[unsafe(no_mangle)]
pub extern "C" fn fsc_count_protocols() -> usize {
    fsc_protocols::link();
    found::protocols()
}

/// How many services it should find.
#[allow(unsafe_code)] // as above
#[unsafe(no_mangle)]
pub extern "C" fn fsc_catalogued_services() -> usize {
    fsc_protocols::SERVICES.len()
}

/// How many protocols it should find.
#[allow(unsafe_code)] // as above
#[unsafe(no_mangle)]
pub extern "C" fn fsc_catalogued_protocols() -> usize {
    fsc_protocols::PROTOCOLS.len()
}
