//! How the C library's allocator keeps memory that was given back.

/// The settings of glibc's allocator, which it reads when a process starts and never again: one arena, which keeps up to
/// 64 MiB that were given back and takes from the system what is larger than 32 MiB.
const SETTINGS: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "1"), ("MALLOC_MMAP_THRESHOLD_", "33554432"), ("MALLOC_TRIM_THRESHOLD_", "67108864")];

/// Starts this program once more with one arena of memory for all threads, unless the operator has decided otherwise.
///
/// glibc gives every thread an arena, and each keeps what was freed in it: after sums of a million numbers a node held 150 MB, where
/// it needs 50 at a time. With one arena, what one thread frees the next one uses, without asking the system each time; small allocations do not meet its
/// lock, since every thread has a cache of its own for them. The process keeps its id, its files and its arguments.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn use_one_arena() {
    use std::os::unix::process::CommandExt;

    if SETTINGS.iter().any(|(name, _)| std::env::var_os(name).is_some()) {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    // Returns only if it fails; then the node runs as it is, and holds more memory.
    let error = std::process::Command::new(program).args(std::env::args_os().skip(1)).envs(SETTINGS).exec();
    tracing::warn!("can't start again with one arena of memory: {error}");
}

/// Other allocators have no such setting.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn use_one_arena() {
    let _ = SETTINGS;
}
