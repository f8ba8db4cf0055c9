//! What the process itself takes, under the names that every client of Prometheus gives it.

use std::fs;

use prometheus::{Counter, Error, IntGauge};

/// How many ticks a second has in `/proc`: the kernel tells user space of this many on every
/// architecture (`USER_HZ`).
const TICKS: f64 = 100.0;
/// Fields of `/proc/self/stat` behind the name: time in user mode and in the kernel (proc(5)).
const TIMES: [usize; 2] = [11, 12];

/// What the process takes.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) cpu_seconds: Counter,
    pub(super) resident_bytes: IntGauge,
    pub(super) virtual_bytes: IntGauge,
    pub(super) open_files: IntGauge,
    pub(super) most_files: IntGauge,
}

impl Process {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self {
            cpu_seconds: Counter::new("process_cpu_seconds_total", "Time of CPUs taken")?,
            resident_bytes: IntGauge::new("process_resident_memory_bytes", "Memory in use")?,
            virtual_bytes: IntGauge::new("process_virtual_memory_bytes", "Addresses in use")?,
            open_files: IntGauge::new("process_open_fds", "Open file descriptors")?,
            most_files: IntGauge::new("process_max_fds", "Most open file descriptors")?,
        })
    }

    /// Looks anew. What cannot be read stays as it was.
    pub(super) fn look(&self) {
        let read = |name| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        if let Some(seconds) = cpu_seconds(&read("stat")) {
            self.cpu_seconds.inc_by((seconds - self.cpu_seconds.get()).max(0.0));
        }
        let (status, limits) = (read("status"), read("limits"));
        let kilobytes = |name| number_after(&status, name).map(|number| number << 10);
        let files = fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
        for (gauge, value) in [
            (&self.resident_bytes, kilobytes("VmRSS:")),
            (&self.virtual_bytes, kilobytes("VmSize:")),
            (&self.open_files, files.and_then(|count| i64::try_from(count).ok())),
            (&self.most_files, number_after(&limits, "Max open files")),
        ] {
            if let Some(value) = value {
                gauge.set(value);
            }
        }
    }
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    // The name may hold anything, blanks and brackets too.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(TIMES[0])? + ticks(TIMES[1])?) / TICKS)
}

fn number_after(text: &str, name: &str) -> Option<i64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_proc_are_read_as_the_kernel_writes_them() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 900 0 0 0 250 175 0 0 20 0 3 0 99 1 2 3";
        assert_eq!(cpu_seconds(stat), Some(4.25));
        assert_eq!(cpu_seconds(""), None);
        for (text, name, expected) in [
            ("VmPeak:\t 9 kB\nVmRSS:\t    1234 kB\n", "VmRSS:", Some(1234)),
            ("Max open files            1024     524288      files", "Max open files", Some(1024)),
            ("Max open files            unlimited     unlimited", "Max open files", None),
            ("", "VmRSS:", None),
        ] {
            assert_eq!(number_after(text, name), expected, "{text}");
        }
    }

    #[test]
    fn this_process_takes_something_of_everything() {
        let process = Process::new().unwrap();
        process.look();
        let Process { cpu_seconds, resident_bytes, virtual_bytes, open_files, most_files } =
            process;
        assert!(cpu_seconds.get() >= 0.0);
        for gauge in [resident_bytes, virtual_bytes, open_files, most_files] {
            assert!(gauge.get() > 0, "{gauge:?}");
        }
    }
}
