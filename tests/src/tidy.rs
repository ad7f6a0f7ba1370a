//! House rules that a machine can check. Each says why it is a rule.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Every file of the repository below `dir` whose name ends in `ending`, but for build output.
fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !(name.starts_with('.') && name != ".ci") {
                found.extend(files(&path, ending));
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The lines of a source file before its tests, without comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line))
}

fn is_test_file(path: &Path) -> bool {
    let path = shown(path);
    path.ends_with("tests.rs") || path.contains("/tests/") || path.ends_with("contract.rs")
}

fn none(broken: Vec<String>, rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// The simulator and the auditor run this very code: what is not passed in cannot be replayed.
#[test]
fn the_core_is_pure() {
    const FORBIDDEN: [&str; 14] = [
        "SystemTime",
        "Instant",
        "std::fs",
        "std::net",
        "std::thread",
        "std::process",
        "std::env",
        "tokio",
        "tonic::",
        "sled",
        "OsRng",
        "thread_rng",
        "HashMap",
        "HashSet",
    ];
    // age's trait gives its labels as a HashSet; one label, never iterated.
    const ALLOWED: [(&str, &str); 1] = [("sealing/hybrid.rs", "HashSet")];
    let mut broken = Vec::new();
    for path in files(&root().join("node/core/src"), ".rs") {
        if is_test_file(&path) {
            continue;
        }
        for (number, line) in code_lines(&read(&path)) {
            for word in FORBIDDEN.iter().filter(|word| line.contains(**word)) {
                let place = shown(&path);
                if !ALLOWED.iter().any(|(file, what)| place.ends_with(file) && what == word) {
                    broken.push(format!("{place}:{number}: {word}"));
                }
            }
        }
    }
    none(broken, "node/core takes time, randomness and storage as arguments");
}

/// proto ← core ← node ← cli, and never back.
#[test]
fn dependencies_point_one_way() {
    let allowed: [(&str, &[&str]); 3] =
        [("proto", &[]), ("node/core", &["tutti-proto"]), ("node", &["tutti-proto", "tutti-core"])];
    let mut broken = Vec::new();
    for (package, may) in allowed {
        let manifest = read(&root().join(package).join("Cargo.toml"));
        for line in manifest.lines().filter(|line| line.starts_with("tutti-")) {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if !may.contains(&name) {
                broken.push(format!("{package} depends on {name}"));
            }
        }
    }
    none(broken, "dependencies point one way");
}

/// Whoever opens a file learns first what it is for and what it must not do.
#[test]
fn every_module_opens_with_its_purpose() {
    let broken = ["proto", "node", "cli", "tests"]
        .iter()
        .flat_map(|dir| files(&root().join(dir), ".rs"))
        .filter(|path| !read(path).starts_with("//!") && !is_test_file(path))
        .map(|path| shown(&path))
        .collect();
    none(broken, "a module opens with //!");
}

/// Above this a file has grown beyond its subject: look for the seam.
#[test]
fn no_file_grows_beyond_its_subject() {
    const LINES_MAX: usize = 500;
    let broken = ["proto", "node", "cli", "tests"]
        .iter()
        .flat_map(|dir| files(&root().join(dir), ".rs"))
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{}: {lines} lines", shown(&path)))
        .collect();
    none(broken, "a file has at most 500 lines");
}

/// A file that no module names is never compiled, and rots.
#[test]
fn no_source_file_is_an_orphan() {
    let mut broken = Vec::new();
    for dir in ["proto/src", "node/core/src", "node/src", "cli/src", "tests/src"] {
        let sources = files(&root().join(dir), ".rs");
        let all: String = sources.iter().map(|path| read(path)).collect();
        for path in &sources {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let name = if stem == "mod" {
                let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
                folder.to_string_lossy().into_owned()
            } else {
                stem
            };
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let named =
                all.contains(&format!("mod {name};")) || all.contains(&format!("{file}\"]"));
            if !matches!(name.as_str(), "lib" | "main") && !named {
                broken.push(shown(path));
            }
        }
    }
    none(broken, "every source file belongs to a module");
}

/// Links that lead nowhere, and pages to which nothing leads.
#[test]
fn pages_link_to_what_exists_and_are_linked_to() {
    let pages = files(&root(), ".md");
    let (mut broken, mut linked) = (Vec::new(), BTreeSet::new());
    for page in &pages {
        let text = read(page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let full = page.parent().map(|dir| dir.join(target)).unwrap_or_default();
            match full.canonicalize() {
                Ok(found) => {
                    linked.insert(found);
                }
                Err(_) => broken.push(format!("{} → {target}", shown(page))),
            }
        }
    }
    for page in &pages {
        let name = page.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let found = page.canonicalize().unwrap_or_default();
        let in_docs = shown(page).starts_with("docs/");
        if in_docs && name != "README.md" && !linked.contains(&found) {
            broken.push(format!("nothing links to {}", shown(page)));
        }
    }
    none(broken, "pages link to what exists and are linked to");
}

/// Each crate that we trust has its reason, and no reason outlives its crate.
#[test]
fn every_dependency_has_its_reason() {
    let manifest = read(&root().join("Cargo.toml"));
    let reasons = read(&root().join("docs/dependencies.md"));
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let names: Vec<&str> = section
        .lines()
        .filter(|line| line.contains('=') && !line.starts_with(['#', ' ']))
        .filter_map(|line| line.split([' ', '=']).next())
        .filter(|name| !name.starts_with("tutti-"))
        .collect();
    assert!(names.len() > 20, "the list of dependencies was not found");
    let table = reasons.lines().filter_map(|line| line.strip_prefix("| `"));
    let told: BTreeSet<&str> = table
        .flat_map(|line| line.split('|').next().unwrap_or_default().split(['`', ',', ' ']))
        .filter(|word| !word.is_empty())
        .collect();
    let mut broken: Vec<String> = names
        .iter()
        .filter(|name| !told.contains(*name))
        .map(|name| format!("{name} has no line in docs/dependencies.md"))
        .collect();
    broken.extend(
        told.iter()
            .filter(|name| !names.contains(name))
            .map(|name| format!("{name} is told of in docs/dependencies.md and is not there")),
    );
    none(broken, "every dependency has its reason");
}
