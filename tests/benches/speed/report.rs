//! The table in `docs/performance.md`, with the machine and the date.

use std::{fs, path::Path, process::Command};

use crate::measure::{HEADING, Row};

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// Puts the table between the marks; what people wrote around it stays.
pub(crate) fn write(rows: &[Row]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
    let page = fs::read_to_string(&path).expect("docs/performance.md");
    let (before, rest) = page.split_once(BEGIN).expect("the first mark");
    let (_, after) = rest.split_once(END).expect("the second mark");
    let table: Vec<String> = rows.iter().map(Row::line).collect();
    let measured = format!("{}\n\n{HEADING}\n{}", machine(), table.join("\n"));
    fs::write(&path, format!("{before}{BEGIN}\n{measured}\n{END}{after}")).expect("written");
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    text.unwrap_or_default()
}

fn machine() -> String {
    let field = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_string()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let disk = said("stat", &["-f", "-c", "%T", env!("CARGO_TARGET_TMPDIR")]);
    format!(
        "Measured {} at commit {} on {cores} cores of {}, {} of memory, {disk}, Linux {}, {}.",
        said("date", &["-u", "+%F"]),
        said("git", &["rev-parse", "--short", "HEAD"]),
        field("/proc/cpuinfo", "model name"),
        field("/proc/meminfo", "MemTotal"),
        said("uname", &["-r"]),
        said("rustc", &["--version"]),
    )
}
