use std::backtrace::Backtrace;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::Read;
use std::ops::Range;
use std::panic;

/// Logs each panic with its location, the build id, and a backtrace of offsets, because the program
/// has no debug symbols. The build's symbols resolve them to source lines: docs/runbook.md, "A
/// panic".
///
/// A message that is not a constant is omitted, because it could contain the caller's data.
pub(crate) fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload().downcast_ref::<&str>();
        tracing::error!(
            location = panic.location().map(tracing::field::display),
            build = build_id(),
            backtrace = backtrace(),
            "panicked{}",
            message
                .map(|message| format!(": {message}"))
                .unwrap_or_default(),
        );
    }));
}

/// The offsets of the calls in progress, the last one first, without those in libraries.
fn backtrace() -> Option<String> {
    let image = image()?;
    // The return address in each line: `   4:     0x55d0c8a1f2b0 - <unknown>`.
    let backtrace = format!("{:#}", Backtrace::force_capture());
    let addresses = backtrace.lines().filter_map(|line| {
        let (_, address) = line.split_once(": ")?;
        let address = address.trim_start().strip_prefix("0x")?.split(' ').next()?;
        usize::from_str_radix(address, 16).ok()
    });
    // The call is one byte before it. The return address may belong to the next source line.
    let calls = addresses.filter_map(|address| address.checked_sub(1));
    let calls = calls.filter(|call| image.contains(call));
    let mut offsets: Vec<_> = calls
        .map(|call| format!("{:#x}", call - image.start))
        .collect();
    // A function has one line for each function inlined into it.
    offsets.dedup();
    Some(offsets.join(" "))
}

/// The program's addresses in memory, from its first to its last segment.
fn image() -> Option<Range<usize>> {
    let program = std::env::current_exe().ok()?;
    let program = program.to_str()?;
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let segments = maps.lines().filter(|line| line.ends_with(program));
    let mut addresses = segments.filter_map(|line| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        Some(address(start)?..address(end)?)
    });
    let first = addresses.next()?;
    let end = addresses.next_back().map_or(first.end, |last| last.end);
    Some(first.start..end)
}

/// The id that the linker gave the program, in hex: the note with the owner `GNU` and the type 3.
fn build_id() -> Option<String> {
    const NOTE: &[u8] = b"\x14\0\0\0\x03\0\0\0GNU\0";
    const LENGTH: usize = 0x14;

    // The linker puts notes at the beginning.
    let mut start = Vec::new();
    let program = File::open("/proc/self/exe").ok()?;
    program.take(64 * 1024).read_to_end(&mut start).ok()?;
    let at = start.windows(NOTE.len()).position(|bytes| bytes == NOTE)? + NOTE.len();
    let id = start.get(at..at + LENGTH)?;
    let mut hex = String::new();
    for byte in id {
        write!(hex, "{byte:02x}").ok()?;
    }
    Some(hex)
}
