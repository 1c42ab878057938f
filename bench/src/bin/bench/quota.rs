//! The share of a CPU that a function of some memory has.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io, process};

/// The sizes of functions that are measured, in MB.
pub const MEMORIES: [u32; 3] = [128, 256, 1024];

/// A function of this many MB has one CPU.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>
const MEMORY_OF_A_CPU: u32 = 1769;

/// What a function of so many MB has of one CPU.
pub fn share(memory: u32) -> f64 {
    f64::from(memory) / f64::from(MEMORY_OF_A_CPU)
}

/// A share is given anew after this time. AWS does not say how long it is on Lambda.
pub const PERIOD: Duration = Duration::from_millis(20);

/// A control group of processes that have a share of one CPU between them.
pub struct Quota {
    folder: PathBuf,
    /// Of one CPU.
    pub share: f64,
}

impl Quota {
    /// That of a function of so many MB.
    pub fn of(memory: u32) -> io::Result<Self> {
        let share = share(memory);
        let period = PERIOD.as_micros();
        let quota = PERIOD.mul_f64(share).as_micros();
        let group = format!("product-catalog-bench-{}-{memory}", process::id());
        let first = Path::new("/sys/fs/cgroup/cpu");
        let (folder, settings) = if first.exists() {
            let settings = vec![
                ("cpu.cfs_period_us", period.to_string()),
                ("cpu.cfs_quota_us", quota.to_string()),
            ];
            (first.join(group), settings)
        } else {
            let settings = vec![("cpu.max", format!("{quota} {period}"))];
            (Path::new("/sys/fs/cgroup").join(group), settings)
        };
        fs::create_dir(&folder)?;
        let quota = Self { folder, share };
        for (name, value) in settings {
            fs::write(quota.folder.join(name), value)?;
        }
        Ok(quota)
    }

    /// Gives a process no more than the share from now on.
    pub fn hold(&self, process: u32) {
        fs::write(self.folder.join("cgroup.procs"), process.to_string()).expect("it is held");
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // The kernel's files in it are no obstacle.
        fs::remove_dir(&self.folder).unwrap_or_default();
    }
}
