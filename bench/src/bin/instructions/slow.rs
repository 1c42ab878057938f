use std::fs;
use std::path::Path;
use std::process::Command;

const SPEED: &str = "+0 x0.02";

/// A clock that runs at a fiftieth of the speed. An emulated function is slower, too, and priming
/// would give up after its 150 ms.
pub struct Clock {
    library: String,
}

impl Clock {
    /// Asks the command where its library is.
    pub fn of(faketime: &Path) -> Self {
        let output = Command::new(faketime)
            .args(["-m", "-f", SPEED, "printenv", "LD_PRELOAD"])
            .output()
            .expect("faketime runs");
        assert!(output.status.success(), "faketime fails: {output:?}");
        let library = String::from_utf8(output.stdout).expect("text");
        Self {
            library: library.trim().to_owned(),
        }
    }

    /// The environment of a program that has this clock.
    pub fn variables(&self) -> [(&str, &str); 2] {
        [("LD_PRELOAD", &self.library), ("FAKETIME", SPEED)]
    }

    /// Removes the shared memory that a killed process leaves behind: the library cannot start in a
    /// later process with the same id.
    pub fn clean(process: u32) {
        for name in ["faketime_shm", "sem.faketime_sem"] {
            // A process that could end by itself has removed it.
            fs::remove_file(format!("/dev/shm/{name}_{process}")).unwrap_or_default();
        }
    }
}
