//! Words of the case that must lie nowhere in clear: every file of every node is searched.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::account::{Account, SOCIETIES};
use crate::failure::Failure;

/// Names, numbers and places out of the form and the answer. None is a word of the program's.
const WORDS: [&str; 9] = [
    "Dimasupil",
    "Ligaya",
    "Analyn",
    "Iloilo",
    "SG-LM-0417",
    "8000 4417",
    "fractured pelvis",
    "lastmile@sg",
    "Pressure sores",
];

/// Searches everything that the nodes have written.
pub(super) fn check(account: &Account) -> Result<(), Failure> {
    account.step("Nothing of the case lies on any disk in clear");
    // That the search finds what is there: the form and the answer hold every word.
    let known = [account.dir().join("last-mile.toml"), account.dir().join("answer.txt")];
    let mut found = Vec::new();
    for file in &known {
        found.extend(words_in(file)?);
    }
    let finds_all = WORDS.iter().all(|word| found.contains(word));
    account.check(finds_all, "In the form itself the search finds every word.")?;
    let places = SOCIETIES
        .map(|(code, _, place)| (place, account.node(code)))
        .into_iter()
        .chain([("the nodes' own log lines", account.dir().join("logs"))]);
    for (place, dir) in places {
        let mut files = Vec::new();
        walk(&dir, &mut files)?;
        let what = format!(
            "{place}: {} files were searched for {} words of the case; none is there.",
            files.len(),
            WORDS.len()
        );
        for file in &files {
            if let Some(word) = words_in(file)?.first() {
                return Err(account.failed(&what, &format!("{word:?} is in {}", file.display())));
            }
        }
        account.check(!files.is_empty(), &what)?;
    }
    Ok(())
}

/// Whether these bytes lie in any file below `dir`.
pub(super) fn is_in(dir: &Path, bytes: &[u8]) -> Result<bool, Failure> {
    let mut files = Vec::new();
    walk(dir, &mut files)?;
    for file in &files {
        match fs::read(file) {
            Ok(held) if holds(&held, bytes) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::io(file, &error)),
        }
    }
    Ok(false)
}

/// Plain files below `dir`; one that is gone when it is looked at was a temporary one.
fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| Failure::io(dir, error);
    for entry in fs::read_dir(dir).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), files)?,
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    Ok(())
}

fn words_in(file: &Path) -> Result<Vec<&'static str>, Failure> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::io(file, &error)),
    };
    Ok(WORDS.into_iter().filter(|word| holds(&bytes, word.as_bytes())).collect())
}

/// Whether the bytes hold the word: by its first byte first, which is rare in what is sealed.
fn holds(bytes: &[u8], word: &[u8]) -> bool {
    let Some((first, _)) = word.split_first() else {
        return true;
    };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        let from = rest.get(at..).unwrap_or_default();
        if from.starts_with(word) {
            return true;
        }
        rest = from.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_wherever_it_stands() {
        for text in ["Ligaya", "..LLigaya", "LigLigaya.."] {
            assert!(holds(text.as_bytes(), b"Ligaya"), "{text}");
        }
        assert!(!holds(b"Ligay", b"Ligaya"));
        assert!(!holds(b"", b"Ligaya"));
    }

    #[test]
    fn every_word_is_in_the_form_or_in_the_answer() {
        let all = format!("{}{}", super::super::story::CASE, super::super::story::ANSWER);
        for word in WORDS {
            assert!(holds(all.as_bytes(), word.as_bytes()), "{word}");
        }
    }
}
