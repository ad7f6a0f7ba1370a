//! Passphrases: from a file, or asked for at a terminal without showing them.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};
use tutti_node::keyring;

use crate::{
    failure::{Exit, Failure},
    files,
};

/// A passphrase is a line, not a book.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// The first line of a file.
pub(crate) fn from_file(file: &Path) -> Result<SecretString, Failure> {
    let text = files::read_text(file, FILE_BYTES_MAX)?;
    match text.lines().next().unwrap_or_default() {
        "" => Err(Failure::new(Exit::Usage, format!("{} has no first line", file.display()))
            .todo("write the passphrase on the first line")),
        line => Ok(SecretString::from(line.to_owned())),
    }
}

/// What opens the key at `path`: nothing where it is under no passphrase; else the file's first
/// line, or what is typed.
pub(crate) fn for_key(path: &Path, file: Option<&Path>) -> Result<Option<SecretString>, Failure> {
    if !keyring::is_locked(path) {
        return Ok(None);
    }
    match file {
        Some(file) => from_file(file).map(Some),
        None if std::io::stdin().is_terminal() => {
            ask(&format!("Passphrase of {}: ", path.display())).map(Some)
        }
        None => Err(Failure::new(
            Exit::Key,
            format!("{} is under a passphrase, and nobody is there to ask", path.display()),
        )
        .kept("everything as it was")
        .todo("give --passphrase-file, or set TUTTI_PASSPHRASE_FILE")),
    }
}

/// A new passphrase, typed twice.
pub(crate) fn new() -> Result<SecretString, Failure> {
    let first = ask("New passphrase for the keys: ")?;
    let again = ask("The same again: ")?;
    if first.expose_secret() != again.expose_secret() {
        return Err(Failure::new(Exit::Usage, "the two passphrases differ; nothing was made"));
    }
    if first.expose_secret().is_empty() {
        return Err(Failure::new(Exit::Usage, "the passphrase is empty; nothing was made"));
    }
    Ok(first)
}

/// What is typed, without showing it.
pub(crate) fn ask(prompt: &str) -> Result<SecretString, Failure> {
    rpassword::prompt_password(prompt)
        .map(SecretString::from)
        .map_err(|error| Failure::io(&PathBuf::from("the terminal"), &error))
}
