//! One process of a function, from its start to its end.

use std::fs;
use std::time::{Duration, Instant};

use bench::Call;
use nix::time::ClockId;
use nix::unistd::Pid;
use tests::Lambda;
use tokio::time::sleep;

use crate::quota::{PERIOD, Quota};
use crate::subject::Subject;

/// A process that is measured.
pub struct Life<'a> {
    subject: Subject,
    function: Lambda,
    quota: Option<&'a Quota>,
    /// From its start until it asks for an event.
    pub init: Duration,
}

/// How long a call took.
#[derive(Clone, Copy)]
pub struct Timing {
    /// From the event to the response.
    pub wall: Duration,
    /// The process's, until it asks for its next event.
    pub cpu: Duration,
}

impl<'a> Life<'a> {
    /// Starts it. The quota holds after init, as on Lambda.
    pub async fn start(
        subject: Subject,
        variables: &[(&str, &str)],
        call: &Call,
        quota: Option<&'a Quota>,
    ) -> Self {
        let mut function = Lambda::start_by(subject.command(call), variables).await;
        let init = function.asks().await - function.started();
        if let Some(quota) = quota {
            quota.hold(function.id());
        }
        Self {
            subject,
            function,
            quota,
            init,
        }
    }

    /// Calls it, and checks the response.
    pub async fn call(&mut self, call: &Call) -> Timing {
        let event = call.event();
        if self.quota.is_some() {
            // So that no call pays for the one before.
            sleep(PERIOD).await;
        }
        let before = self.cpu();
        let sent = Instant::now();
        let (received, response) = self.function.invoke_timed(&event).await;
        let asked = self.function.asks().await;
        let cpu = self.cpu().checked_sub(before).expect("time goes on");
        self.subject.check(call, &response.expect("a response"));
        if let Some(quota) = self.quota {
            // The scheduler looks at its clock some hundred times a
            // second: so much may be overdrawn.
            let allowed = (asked - sent).mul_f64(quota.share) + PERIOD;
            assert!(
                cpu < allowed,
                "the quota does not hold: {cpu:?} of {allowed:?}"
            );
        }
        Timing {
            wall: received - sent,
            cpu,
        }
    }

    /// The most memory it had until now, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.function.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        1024 * kilobytes
            .and_then(|kilobytes| kilobytes.parse::<u64>().ok())
            .expect("a number")
    }

    /// Ends it.
    pub async fn end(self) {
        self.function.kill().await;
    }

    fn cpu(&self) -> Duration {
        let process = Pid::from_raw(self.function.id().try_into().expect("an id"));
        let clock = ClockId::pid_cpu_clock_id(process).expect("its clock");
        clock.now().expect("its time").into()
    }
}
