use std::env::consts::ARCH;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs, process};

use bench::{Call, Canned};
use tests::{Lambda, release};
use tokio::time::sleep;

use crate::slow::Clock;
use crate::tools::installed;

const WARM_CALLS: usize = 20;

/// Debian's C library for arm64, on a machine of another architecture.
const ARM64_LIBRARIES: &str = "/usr/aarch64-linux-gnu";

/// Counts the instructions of a function while it runs in QEMU: the same on a busy machine as on a
/// quiet one.
pub struct Counter {
    /// QEMU and its options.
    qemu: Vec<OsString>,
    /// QEMU's, which is the function's, too. The function itself preloads nothing, so that no
    /// instruction is added.
    clock: Clock,
    /// Holds the plugin and the file with the count.
    folder: PathBuf,
}

impl Counter {
    /// Compiles the plugin, for functions of this architecture, in Lambda's terms.
    ///
    /// # Errors
    ///
    /// A line that says what is missing.
    pub fn new(architecture: &str) -> Result<Self, String> {
        // Graviton2, the oldest of Lambda's, and all that QEMU can emulate.
        let (arch, cpu) = match architecture {
            "arm64" => ("aarch64", "neoverse-n1"),
            _ => ("x86_64", "max"),
        };
        let [cc, faketime, qemu] = installed(
            ["cc", "faketime", &format!("qemu-{arch}")],
            "faketime gcc qemu-user",
        )?;
        let mut command = vec![qemu.clone().into(), "-cpu".into(), cpu.into()];
        if arch != ARCH {
            if !Path::new(ARM64_LIBRARIES).is_dir() {
                return Err(format!(
                    "no C library for {architecture}; install it with: apt-get install libc6-arm64-cross"
                ));
            }
            command.extend(["-L".into(), ARM64_LIBRARIES.into()]);
        }
        let help = Command::new(&qemu).arg("--help").output();
        let help = help.expect("QEMU runs").stdout;
        if !String::from_utf8_lossy(&help).contains("-plugin") {
            let qemu = qemu.display();
            return Err(format!(
                "{qemu} cannot load plugins, because it is linked statically, as in Debian 13; Debian 12's can"
            ));
        }
        let counter = Self {
            qemu: command,
            clock: Clock::of(&faketime),
            folder: env::temp_dir().join(format!("product-catalog-counter-{}", process::id())),
        };
        fs::create_dir(&counter.folder).expect("a folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/instructions/count.c");
        let compiled = Command::new(cc)
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o"])
            .args([counter.plugin(), source])
            .status();
        assert!(compiled.expect("cc runs").success(), "cc fails");
        Ok(counter)
    }

    /// The instructions of init, of the first call, and of each warm one.
    pub async fn count(&self, dynamodb: &Canned, call: &Call) -> [u64; 3] {
        fs::write(self.file(), 0_u64.to_ne_bytes()).expect("a file");
        let (plugin, file) = (self.plugin(), self.file());
        let clock = self.clock.variables();
        let mut command = tokio::process::Command::new(&self.qemu[0]);
        command
            .args(&self.qemu[1..])
            .arg("-plugin")
            .arg(format!("{},count={}", plugin.display(), file.display()))
            .args(clock.iter().flat_map(|(name, _)| ["-U", name]))
            .arg(release(call.package));
        let variables = [&dynamodb.variables()[..], &clock].concat();
        let mut function = Lambda::start_by(command, &variables).await;
        let init = self.settled(&mut function).await;
        let mut counts = Vec::new();
        for _ in 0..=WARM_CALLS {
            let response = function.invoke(&call.event()).await.expect("a response");
            call.check(&response);
            counts.push(self.settled(&mut function).await);
        }
        let process = function.id();
        function.kill().await;
        Clock::clean(process);
        let (first, last) = (counts[0], counts[WARM_CALLS]);
        [init, first - init, (last - first) / WARM_CALLS as u64]
    }

    /// The count once the function waits for its next event.
    async fn settled(&self, function: &mut Lambda) -> u64 {
        function.asks().await;
        // It asks first and goes to sleep some instructions later.
        while !sleeps(function.id()) {
            sleep(Duration::from_millis(1)).await;
        }
        let count = fs::read(self.file()).expect("the count");
        u64::from_ne_bytes(count.try_into().expect("64 bits"))
    }

    fn plugin(&self) -> PathBuf {
        self.folder.join("count.so")
    }

    fn file(&self) -> PathBuf {
        self.folder.join("count")
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

/// Whether a process waits for something.
/// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
fn sleeps(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let (_, state) = stat.rsplit_once(") ").expect("its state");
    state.starts_with('S')
}
